"""A reward as a directory that transformers loads by itself: model, tokenizer, nothing of ours.

A reward of pairs gives one logit, a fitted classifier one for each label. What a causal model's
own head cannot hold, a constant, is left out by exporting raw scores there (see `Exported`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from humanalign.errors import ConfigError, DataError
from humanalign.reward.chat import closing
from humanalign.reward.classifier import ABOUT, label_names
from humanalign.reward.native import last_layer
from humanalign.reward.reading import cut_as_fitted, load_tokenizer
from humanalign.reward.sources import SAVED


@dataclass(frozen=True)
class Exported:
    """What was written: its labels, how many tokens it reads, whether a prompt is read too.

    `standardised` is False where the logit is a raw score, whose differences are log-odds. `ending`
    is what the chat template writes after an answer, None where the model reads plain text.
    """

    labels: tuple[str, ...]
    max_tokens: int
    reads_prompt: bool
    standardised: bool
    ending: str | None = None


def export_reward(folder: Path, out: Path) -> Exported:
    """Write the reward saved in `folder` to `out` as an AutoModelForSequenceClassification.

    The tokenizer goes with it, cutting as the reward does: at its longest input, from the left.
    ConfigError: a pooling that no architecture of transformers has. DataError: no saved reward.
    """
    about = _about(folder)
    pooling = about.get("pooling", "native")
    if pooling != "native":
        raise ConfigError(
            f"{folder}: reads its backbone by pooling={pooling}, which transformers' classifiers "
            "cannot; fit it again with pooling=native to export it"
        )
    tokenizer = load_tokenizer(str(folder))
    model, info = AutoModelForSequenceClassification.from_pretrained(
        folder, output_loading_info=True, dtype=torch.float32
    )
    if info["missing_keys"]:
        raise DataError(f"{folder}: its model has no head ({sorted(info['missing_keys'])[0]})")
    of_pairs = "scale" in about
    standardised = of_pairs and not _made_raw(model, about["scale"], str(folder))
    cut_as_fitted(tokenizer, about.get("max_tokens", tokenizer.model_max_length))
    model.save_pretrained(str(out))
    tokenizer.save_pretrained(str(out))
    return Exported(
        labels=tuple(label_names(model)),
        max_tokens=tokenizer.model_max_length,
        reads_prompt=of_pairs or about.get("text") == "both",
        standardised=standardised,
        ending=closing(tokenizer) if about.get("chat") else None,
    )


@torch.no_grad()
def _made_raw(model: PreTrainedModel, scale: Mapping[str, float], name: str) -> bool:
    """Turn standardised scores into raw ones where the head has no bias to hold their mean."""
    _, head = last_layer(model, name)
    if head.bias is not None:
        return False
    # raw = mean + std (w h - mean / std) = std w h
    head.weight.mul_(scale["std"])
    return True


def _about(folder: Path) -> dict:
    """What the saved reward says of itself."""
    for name in (SAVED, ABOUT):
        if (folder / name).is_file():
            return json.loads((folder / name).read_text(encoding="utf-8"))
    raise DataError(f"{folder}: holds no saved reward (no {SAVED} or {ABOUT}); check the run")
