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
from torch import nn
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from humanalign.errors import DataError

LABEL = "reward"


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


def _inside(names: Collection[str], model: nn.Module) -> frozenset[str]:
    return frozenset(names) & {name for name, _ in model.named_parameters()}
