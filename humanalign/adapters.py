"""LoRA: fresh adapters, the snapshot that is the reference, weights merged while sampling.

One set of base weights serves the policy that learns, the reference of the KL and the sampler:
what differs between them is an adapter of a few per cent.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

import torch
from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from peft.tuners.lora import Linear as LoraLinear
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn
from transformers.pytorch_utils import Conv1D

from humanalign.errors import ConfigError, DataError

Kind = Literal["off", "snapshot", "copy"]


@dataclass(frozen=True)
class Lora:
    """Low-rank adapters (Hu et al. 2021, arXiv 2106.09685) on the linear layers named by targets.

    alpha None means 2 * rank; no targets means every linear layer but the vocabulary head.
    """

    rank: int = 16
    alpha: float | None = None
    dropout: float = 0.0
    targets: tuple[str, ...] = ()


def add_adapter(model: nn.Module, lora: Lora, *, freeze_encoder: bool = False) -> PeftModel:
    """The model under a fresh adapter (B = 0); a quantized base is prepared for it."""
    if getattr(model, "is_quantized", False):
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=2 * lora.rank if lora.alpha is None else lora.alpha,  # type: ignore[arg-type]
        lora_dropout=lora.dropout,
        target_modules=list(lora.targets) or "all-linear",
        exclude_modules=r"(.*\.)?encoder\..*" if freeze_encoder else None,
        task_type=None,
    )
    try:
        return get_peft_model(model, config)  # type: ignore[arg-type, return-value]
    except ValueError as error:
        raise ConfigError(f"lora.targets: {list(lora.targets)} fit no layer ({error})") from None


def save_adapter(model: PeftModel, path: Path, *, base: str) -> None:
    """Write the adapter and what it is, in the same bytes every time.

    A local base is named by its full path, so that the adapter finds it from anywhere; the layers
    are sorted, since a set is written in another order by every process.
    """
    config = model.peft_config["default"]
    config.base_model_name_or_path = str(Path(base).resolve()) if Path(base).is_dir() else base
    named = getattr(config, "target_modules", None)
    if isinstance(named, set):
        vars(config)["target_modules"] = sorted(named)
    model.save_pretrained(str(path), selected_adapters=["default"], save_embedding_layers=False)


def load_adapter(model: nn.Module, path: str) -> PeftModel:
    """The model under a saved adapter that goes on learning.

    DataError for one that holds more than low-rank matrices: a reference by snapshot would share
    the rest with the policy, and its KL would be wrong.
    """
    config = PeftConfig.from_pretrained(path)
    more = [n for n in ("modules_to_save", "use_dora", "lora_bias") if getattr(config, n, None)]
    if getattr(config, "bias", "none") != "none":
        more.append("bias")
    if more:
        raise DataError(
            f"{path}: the adapter has {' and '.join(more)}, which cannot be trained on here; merge "
            "it into its base first"
        )
    return PeftModel.from_pretrained(model, path, is_trainable=True)  # type: ignore[arg-type]


class Reference:
    """What the policy was when training began: the reference of the KL, without gradients.

    LoRA: a snapshot of the adapter, because "adapter off" is the wrong reference once the adapter
    has been trained; while it is untouched (B = 0) the two are the same and "off" is cheaper. All
    weights: a frozen copy.
    """

    def __init__(self, model: nn.Module) -> None:
        self.copy: nn.Module | None = None
        self.kind: Kind
        if not isinstance(model, PeftModel):
            self.kind, self.copy = "copy", copy.deepcopy(model).requires_grad_(False)
        elif _untouched(model):
            self.kind = "off"
        else:
            self.kind = "snapshot"
            _snapshot(model)

    @contextmanager
    def of(self, model: nn.Module) -> Iterator[nn.Module]:
        """Inside, the module that is yielded computes as the reference does."""
        with torch.no_grad():
            if self.copy is not None:
                yield self.copy
                return
            with in_use(model, None if self.kind == "off" else "reference"):
                yield model


@contextmanager
def in_use(model: nn.Module, name: str | None) -> Iterator[None]:
    """Inside, every adapted layer uses the adapter of that name; None uses none of them.

    peft's own switches also decide which adapter may learn, and forget the others'. Here nothing
    changes but what a forward computes.
    """
    layers = [m for m in model.modules() if isinstance(m, BaseTunerLayer)]
    before = [(layer._active_adapter, layer._disable_adapters) for layer in layers]
    for layer in layers:
        layer._disable_adapters = name is None
        if name is not None:
            layer._active_adapter = [name]
    try:
        yield
    finally:
        for layer, (active, disabled) in zip(layers, before, strict=True):
            layer._active_adapter, layer._disable_adapters = active, disabled


@contextmanager
def merged(model: nn.Module) -> Iterator[None]:
    """Inside, W + s B A stands in the place of W, so a forward costs what it costs without LoRA.

    The weights themselves are put back afterwards, not subtracted: not a bit of them changes.
    Only float32 weights under plain LoRA layers are merged; in bfloat16 the sum would be rounded
    and the sampler would no longer be the policy.
    """
    if not isinstance(model, PeftModel) or not _mergeable(model):
        yield
        return
    kept: list[tuple[nn.Parameter, torch.Tensor]] = []
    try:
        with torch.no_grad():
            for layer in _lora_layers(model):
                weight = cast(nn.Parameter, layer.get_base_layer().weight)
                kept.append((weight, weight.data))
                weight.data = weight.data + layer.get_delta_weight("default")
        with in_use(model, None):
            yield
    finally:
        for weight, data in kept:
            weight.data = data


def _lora_layers(model: PeftModel) -> list[LoraLinear]:
    return [m for m in model.modules() if isinstance(m, LoraLinear)]


def _mergeable(model: PeftModel) -> bool:
    """True where every adapted layer is a plain float32 linear one with an adapter in use."""
    adapted = [m for m in model.modules() if hasattr(m, "lora_A")]
    layers = _lora_layers(model)
    return len(layers) == len(adapted) and all(
        type(layer.get_base_layer()) in (nn.Linear, Conv1D)
        and layer.get_base_layer().weight.dtype == torch.float32
        and layer.active_adapters == ["default"]
        and not layer.disable_adapters
        for layer in layers
    )


def _untouched(model: PeftModel) -> bool:
    trained = [p for n, p in model.named_parameters() if p.requires_grad and "lora_B" in n]
    return all(not p.any() for p in trained)


def _snapshot(model: PeftModel) -> None:
    add_second(model, "reference", learns=False)
    own = dict(model.named_parameters())
    for name, p in own.items():
        if ".reference." in name:
            p.data.copy_(own[name.replace(".reference.", ".default.")].data)


def add_second(model: PeftModel, name: str, *, learns: bool) -> dict[str, nn.Parameter]:
    """Another adapter of the same shape over the same weights (B = 0); its parameters by name.

    One of that name from an earlier training is replaced.
    """
    if name in model.peft_config:
        model.delete_adapter(name)
    # Some ways to start an adapter (PiSSA) rewrite the base weights: B = 0 is the only one here.
    config = cast(LoraConfig, model.peft_config["default"])
    model.add_adapter(name, replace(copy.deepcopy(config), init_lora_weights=True))
    model.set_adapter("default")
    model.eval()  # a new adapter comes with its dropout on
    own = {n: p for n, p in model.named_parameters() if f".{name}." in n}
    for p in own.values():
        p.requires_grad_(learns)
    return own
