"""What a fit lets learn: all weights, those above the frozen layers, or low-rank adapters."""

from __future__ import annotations

from collections.abc import Collection

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from transformers import PreTrainedModel

from humanalign.errors import ConfigError
from humanalign.models import Lora


def choose_trainable(
    model: PreTrainedModel,
    *,
    freeze_layers: int = 0,
    lora: Lora | None = None,
    fresh: Collection[str] = (),
    seed: int = 0,
) -> PreTrainedModel | PeftModel:
    """`model`, frozen below or under adapters drawn from `seed`, until `merged`.

    `fresh` names its parameters that are new: they learn whole, beside the adapters. ConfigError:
    more frozen layers than there are, or adapters for layers that are not there.
    """
    if lora is None or lora.rank == 0:
        freeze(model, freeze_layers)
        return model
    alpha = 2 * lora.rank if lora.alpha is None else lora.alpha
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=alpha,  # type: ignore[arg-type]  (floats scale as well)
        lora_dropout=lora.dropout,
        target_modules=list(lora.targets) or "all-linear",
        exclude_modules=sorted({name.rpartition(".")[0] for name in fresh}) or None,
    )
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            adapted = get_peft_model(model, config).eval()
    except ValueError:
        raise ConfigError(
            f"lora.targets: the backbone has no layers named {', '.join(lora.targets)}; leave it "
            "out to adapt every linear layer"
        ) from None
    for name, parameter in adapted.get_base_model().named_parameters():
        if name in fresh:
            parameter.requires_grad_(True)
    return adapted


def merged(model: PreTrainedModel | PeftModel) -> PreTrainedModel:
    """The model with its adapters folded into the weights; itself where there are none."""
    return model.merge_and_unload() if isinstance(model, PeftModel) else model


def freeze(model: PreTrainedModel, layers: int) -> None:
    """Stop training the embeddings and the lowest `layers` layers. 0 leaves all trainable."""
    if layers == 0:
        return
    blocks = block_names(model)
    if not 0 < layers <= len(blocks):
        raise ConfigError(
            f"freeze_layers: the backbone has {len(blocks)} layers, got {layers}; give 0 to all"
        )
    model.get_input_embeddings().requires_grad_(False)
    for name, parameter in model.named_parameters():
        if "embed" in name.lower():
            parameter.requires_grad_(False)
    for block in blocks[:layers]:
        model.get_submodule(block).requires_grad_(False)


def block_names(model: nn.Module) -> list[str]:
    """The places of the model's blocks, lowest first; an encoder's stand before its decoder's."""
    stacks = [name for name, module in model.named_modules() if isinstance(module, nn.ModuleList)]
    outer = [n for n in stacks if not any(n.startswith(f"{other}.") for other in stacks)]
    sizes = {name: len(list(model.get_submodule(name).children())) for name in outer}
    return [f"{name}.{i}" for name, size in sizes.items() for i in range(size)]
