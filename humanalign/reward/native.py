"""The architecture's own head: a reward that transformers loads as a sequence classifier.

BERT reads its first token through a pooler, RoBERTa and DeBERTa through a dense layer, a causal
model its last token, T5 the last state of its decoder. All of them end in one linear layer with a
single output; it is taken out, so that what is left gives the features below it, and put back to
be saved.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import (
    AutoModelForSequenceClassification,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

from humanalign.errors import DataError

LABEL = "reward"
# A saved T5 encoder no longer says that it came from an encoder-decoder.
T5_FAMILY = ("t5", "mt5", "umt5")


@dataclass(frozen=True)
class Native:
    """A classifier without its last layer: `model` gives features [B, D] as its logits.

    `slot` is the place of the layer in the model, `fresh` the names of the parameters that the
    checkpoint did not hold: the poolers and dense layers that are as new as the head.
    """

    model: PreTrainedModel
    head: nn.Linear
    slot: str
    fresh: frozenset[str]


def load_native(name: str, *, seed: int = 0) -> Native:
    """Load a backbone under its architecture's own head; new layers are drawn from `seed`.

    OSError, ValueError or KeyError, as transformers raises them, where nothing can be loaded.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model, info = AutoModelForSequenceClassification.from_pretrained(
            name,
            num_labels=1,
            id2label={0: LABEL},
            label2id={LABEL: 0},
            # A classifier of other labels gives its trunk.
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            dtype=torch.float32,
        )
        fresh = {*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])}
        slot, head = last_layer(model, name)
        if f"{slot}.weight" in fresh:
            start(head)
    # Of the labels that a classifier had before: with one output it could not be loaded again.
    model.config.problem_type = None
    model.set_submodule(slot, nn.Identity())
    return Native(model, head, slot, _inside(fresh, model))


def last_layer(model: PreTrainedModel, name: str) -> tuple[str, nn.Linear]:
    """The one linear layer with a single output, and its place. DataError where there is none."""
    found = [
        (place, module)
        for place, module in model.named_modules()
        if isinstance(module, nn.Linear) and module.out_features == 1
    ]
    if len(found) != 1:
        raise DataError(
            f"{name}: has {len(found)} layers with a single output, expected 1; use another pooling"
        )
    return found[0]


def start(head: nn.Linear) -> None:
    """Random weights of standard deviation 1/sqrt(D + 1), bias 0 (Stiennon et al. 2020)."""
    nn.init.normal_(head.weight, std=(head.in_features + 1) ** -0.5)
    if head.bias is not None:
        nn.init.zeros_(head.bias)


def agree_on_marks(config: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase) -> None:
    """Let the model look for the tokenizer's padding and EOS.

    A causal classifier finds its last token by the padding after it, T5 and BART by the EOS.
    """
    if config.is_encoder_decoder:
        config.eos_token_id = tokenizer.eos_token_id
    elif not two_way(config):
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        config.pad_token_id = tokenizer.pad_token_id


def check_ends(config: PreTrainedConfig, ids: Tensor) -> None:
    """DataError unless all rows of `ids` [B, T] hold as many EOS: T5 and BART read the last."""
    if not config.is_encoder_decoder:
        return
    ends = (ids == config.eos_token_id).sum(1)
    if len(ends.unique()) > 1:
        raise DataError(
            "reward: a text holds the end-of-text token (</s>) itself, which an encoder-decoder's "
            "own head cannot read; take it out, or use pooling=mean"
        )


def two_way(config: PreTrainedConfig) -> bool:
    """True where a token sees those that come after it."""
    masked = config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES
    return config.is_encoder_decoder or masked or config.model_type in T5_FAMILY


def _inside(names: Collection[str], model: nn.Module) -> frozenset[str]:
    return frozenset(names) & {name for name, _ in model.named_parameters()}
