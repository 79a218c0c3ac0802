"""The language model under a learned reward: an encoder, a T5 encoder or a causal model.

Letters: B rows, T tokens, D hidden size. Right-padded ids and a mask go in, one vector per row
comes out: the mean of the real tokens, the first token (CLS) or the last real one.
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
from humanalign.hub import base_of_adapter
from humanalign.models import Lora
from humanalign.reward.classifier import position_count
from humanalign.reward.reading import TokenRows, first_line

Pooling = Literal["mean", "cls", "last"]
# A saved T5 encoder no longer says that it came from an encoder-decoder.
T5_FAMILY = ("t5", "mt5", "umt5")


class Backbone(nn.Module):
    """A pretrained trunk with its pooling. Dropout is off: it is always in eval mode."""

    def __init__(self, model: PreTrainedModel, pooling: Pooling) -> None:
        super().__init__()
        self.model: PreTrainedModel | PeftModel = model.eval()
        self.pooling: Pooling = pooling
        # The longest input, in tokens; None where positions are relative.
        self.positions = position_count(model)

    @property
    def hidden_size(self) -> int:
        """D; T5 calls it d_model."""
        return self.model.config.hidden_size

    def forward(self, tokens: TokenRows) -> Tensor:
        """[B, T] tokens -> [B, D]."""
        device = next(self.model.parameters()).device
        hidden = self.model(**tokens.inputs(device)).last_hidden_state
        return pool(hidden, tokens.mask.to(device), self.pooling)

    def adapt(self, lora: Lora) -> None:
        """Train low-rank adapters in place of the weights, until `merge`."""
        alpha = 2 * lora.rank if lora.alpha is None else lora.alpha
        config = LoraConfig(
            r=lora.rank,
            lora_alpha=alpha,  # type: ignore[arg-type]  (floats scale as well)
            lora_dropout=lora.dropout,
            target_modules=list(lora.targets) or "all-linear",
        )
        self.model = get_peft_model(self.model, config).eval()

    def merge(self) -> None:
        """Fold the adapters into the weights; nothing to do where there are none."""
        if isinstance(self.model, PeftModel):
            self.model = self.model.merge_and_unload()

    def freeze(self, layers: int) -> None:
        """Stop training the embeddings and the lowest `layers` layers. 0 leaves all trainable."""
        if layers == 0:
            return
        stack = layer_stack(self.model)
        if not 0 < layers <= len(stack):
            raise ConfigError(
                f"freeze_layers: the backbone has {len(stack)} layers, got {layers}; give 0 to all"
            )
        self.model.get_input_embeddings().requires_grad_(False)
        for name, parameter in self.model.named_parameters():
            if "embed" in name.lower():
                parameter.requires_grad_(False)
        for layer in list(stack)[:layers]:
            layer.requires_grad_(False)


def pool(hidden: Tensor, mask: Tensor, pooling: Pooling) -> Tensor:
    """[B, T, D] and its mask [B, T] (True = real, right-padded) -> [B, D]."""
    if pooling == "cls":
        return hidden[:, 0]
    if pooling == "last":
        last = mask.sum(1) - 1
        return hidden[torch.arange(len(hidden), device=hidden.device), last]
    weights = mask.to(hidden.dtype)[..., None]
    return (hidden * weights).sum(1) / weights.sum(1)


def layer_stack(model: nn.Module) -> nn.ModuleList:
    """The model's blocks, lowest first: the longest list of modules it holds."""
    stacks = [module for module in model.modules() if isinstance(module, nn.ModuleList)]
    return max(stacks, key=len)


def load_backbone(name: str, *, pooling: Pooling | None = None) -> Backbone:
    """Load the trunk of a hub name or directory; `pooling` defaults to what its kind is used with.

    Encoders and T5 encoders: mean; causal models: the last real token. DataError: nothing there.
    """
    if base_of_adapter(name):
        raise DataError(f"{name}: is an adapter, not a whole model; `humanalign export` it first")
    try:
        config = AutoConfig.from_pretrained(name)
        half = config.is_encoder_decoder or config.model_type in T5_FAMILY
        loader = AutoModelForTextEncoding if half else AutoModel
        model = loader.from_pretrained(name, dtype=torch.float32)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{name}: no reward backbone could be loaded ({first_line(error)}); check the name"
        ) from None
    return Backbone(model, pooling or usual_pooling(config))


def usual_pooling(config: PreTrainedConfig) -> Pooling:
    """Mean where every token sees every other, last where only the last has seen them all."""
    two_way = config.is_encoder_decoder or config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES
    return "mean" if two_way or config.model_type in T5_FAMILY else "last"


def save_backbone(backbone: Backbone, path: Path) -> None:
    """Write config.json and model.safetensors in the Hugging Face format."""
    backbone.model.save_pretrained(str(path))
