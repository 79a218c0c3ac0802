"""The id of a model that scores: all that its numbers depend on, so that kept scores are not stale.

Weights alone are not enough: the same ones score otherwise under another configuration (activation,
kind of labels, positions), another normaliser of the tokenizer or another chat template.
"""

from __future__ import annotations

import json
from hashlib import sha256

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedTokenizerBase

from humanalign.types import content_id

# Where a model came from and how it is held: the same model loaded twice may differ in these.
NO_MATTER = {"_name_or_path", "transformers_version", "architectures", "dtype", "torch_dtype"}
# What the last call asked of a tokenizer is kept in it; every reader asks for itself.
ASKED_FOR = {"truncation", "padding"}


def model_id(
    weights: nn.Module, config: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase
) -> str:
    """The same for the same weights under the same configuration, read by the same tokenizer."""
    return content_id(weights_id(weights), _settings(config.to_dict()), _words(tokenizer))


def weights_id(model: nn.Module) -> str:
    """An id of a model's weights: their names, shapes and bytes."""
    digest = sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _settings(found: object) -> object:
    """A configuration without what scores do not depend on, as text where JSON has no word."""
    if isinstance(found, dict):
        kept = {str(k): _settings(v) for k, v in found.items() if k not in NO_MATTER}
        return dict(sorted(kept.items()))
    if isinstance(found, list | tuple):
        return [_settings(each) for each in found]
    return found if isinstance(found, str | int | float | None) else str(found)


def _words(tokenizer: PreTrainedTokenizerBase) -> list[object]:
    """Everything that makes a text into numbers."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:  # written in Python: its words are what can be known of it
        return [sorted(tokenizer.get_vocab().items()), tokenizer.chat_template]
    rules = {k: v for k, v in json.loads(backend.to_str()).items() if k not in ASKED_FOR}
    return [rules, tokenizer.chat_template]
