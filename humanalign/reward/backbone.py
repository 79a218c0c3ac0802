"""The language model under a learned reward: an encoder, a T5 encoder or a causal model.

Letters: B rows, T tokens, D hidden size. Right-padded ids and a mask go in, one vector per row
comes out: what the architecture's own head reads ("native"), the mean of the real tokens, the
first token (CLS) or the last real one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForTextEncoding,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

from humanalign.errors import ConfigError, DataError
from humanalign.heads import ScalarHead
from humanalign.hub import base_of_adapter
from humanalign.models import Lora
from humanalign.reward.classifier import position_count
from humanalign.reward.native import Native, load_native, start
from humanalign.reward.reading import TokenRows, first_line

Pooling = Literal["native", "mean", "cls", "last"]
# A saved T5 encoder no longer says that it came from an encoder-decoder.
T5_FAMILY = ("t5", "mt5", "umt5")


class Backbone(nn.Module):
    """A pretrained trunk with its pooling. Without dropout it is always in eval mode."""

    def __init__(self, model: PreTrainedModel, pooling: Pooling, own: Native | None = None) -> None:
        super().__init__()
        self.model: PreTrainedModel | PeftModel = model.eval()
        self.pooling: Pooling = pooling
        self.slot = own.slot if own else ""
        self.fresh = own.fresh if own else frozenset[str]()
        # The longest input, in tokens; None where positions are relative.
        self.positions = position_count(model)
        # True where the vector is the state of the last token, as a value model needs it.
        native = pooling == "native" and usual_pooling(model.config) == "last"
        self.causal = native or pooling == "last"

    def forward(self, tokens: TokenRows) -> Tensor:
        """[B, T] tokens -> [B, D]."""
        device = next(self.model.parameters()).device
        output = self.model(**tokens.inputs(device))
        if self.pooling == "native":
            return output.logits
        return pool(output.last_hidden_state, tokens.mask.to(device), self.pooling)

    def adapt(self, lora: Lora) -> None:
        """Train low-rank adapters, and new layers whole, in place of the weights until `merge`."""
        alpha = 2 * lora.rank if lora.alpha is None else lora.alpha
        new = {name.rpartition(".")[0] for name in self.fresh}
        config = LoraConfig(
            r=lora.rank,
            lora_alpha=alpha,  # type: ignore[arg-type]  (floats scale as well)
            lora_dropout=lora.dropout,
            target_modules=list(lora.targets) or "all-linear",
            exclude_modules=sorted(new) or None,
        )
        self.model = get_peft_model(self.model, config).eval()
        for name, parameter in self.model.get_base_model().named_parameters():
            if name in self.fresh:
                parameter.requires_grad_(True)

    def merge(self) -> None:
        """Fold the adapters into the weights; nothing to do where there are none."""
        if isinstance(self.model, PeftModel):
            self.model = self.model.merge_and_unload()

    def freeze(self, layers: int) -> None:
        """Stop training the embeddings and the lowest `layers` layers. 0 leaves all trainable."""
        if layers == 0:
            return
        blocks = block_names(self.model)
        if not 0 < layers <= len(blocks):
            raise ConfigError(
                f"freeze_layers: the backbone has {len(blocks)} layers, got {layers}; give 0 to all"
            )
        self.model.get_input_embeddings().requires_grad_(False)
        for name, parameter in self.model.named_parameters():
            if "embed" in name.lower():
                parameter.requires_grad_(False)
        for block in blocks[:layers]:
            self.model.get_submodule(block).requires_grad_(False)


def pool(hidden: Tensor, mask: Tensor, pooling: Pooling) -> Tensor:
    """[B, T, D] and its mask [B, T] (True = real, right-padded) -> [B, D]."""
    if pooling == "cls":
        return hidden[:, 0]
    if pooling == "last":
        last = mask.sum(1) - 1
        return hidden[torch.arange(len(hidden), device=hidden.device), last]
    weights = mask.to(hidden.dtype)[..., None]
    return (hidden * weights).sum(1) / weights.sum(1)


def block_names(model: nn.Module) -> list[str]:
    """The places of the model's blocks, lowest first; an encoder's stand before its decoder's."""
    stacks = [name for name, module in model.named_modules() if isinstance(module, nn.ModuleList)]
    outer = [n for n in stacks if not any(n.startswith(f"{other}.") for other in stacks)]
    sizes = {name: len(list(model.get_submodule(name).children())) for name in outer}
    return [f"{name}.{i}" for name, size in sizes.items() for i in range(size)]


def load_backbone(
    name: str, *, pooling: Pooling | None = None, seed: int = 0
) -> tuple[Backbone, ScalarHead]:
    """The trunk of a hub name or directory, and its head: random, unless `name` has one.

    `pooling` defaults to what the backbone's kind is used with. A head that starts at 0 holds the
    backbone's gradient back so long that small data never gets through: std 1/sqrt(D + 1).
    DataError: nothing there, or an architecture without a head of its own for "native".
    """
    if base_of_adapter(name):
        raise DataError(f"{name}: is an adapter, not a whole model; `humanalign export` it first")
    try:
        config = AutoConfig.from_pretrained(name)
        pooling = pooling or usual_pooling(config)
        if pooling == "native":
            own = load_native(name, seed=seed)
            return Backbone(own.model, pooling, own), ScalarHead.of(own.head)
        half = config.is_encoder_decoder or config.model_type in T5_FAMILY
        loader = AutoModelForTextEncoding if half else AutoModel
        model = loader.from_pretrained(name, dtype=torch.float32)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{name}: no reward backbone could be loaded ({first_line(error)}); check the name"
        ) from None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = ScalarHead(model.config.hidden_size)
        start(head.linear)
    return Backbone(model, pooling), head


def usual_pooling(config: PreTrainedConfig) -> Pooling:
    """Mean where every token sees every other, last where only the last has seen them all."""
    two_way = config.is_encoder_decoder or config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES
    return "mean" if two_way or config.model_type in T5_FAMILY else "last"


def save_backbone(backbone: Backbone, head: ScalarHead, path: Path) -> None:
    """Write config.json and model.safetensors in the Hugging Face format, a native head inside."""
    if not backbone.slot:
        backbone.model.save_pretrained(str(path))
        return
    backbone.model.set_submodule(backbone.slot, head.linear)
    try:
        backbone.model.save_pretrained(str(path))
    finally:
        backbone.model.set_submodule(backbone.slot, nn.Identity())
