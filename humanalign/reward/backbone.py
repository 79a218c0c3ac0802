"""The language model under a learned reward: an encoder, a T5 encoder or a causal model.

Letters: B rows, T tokens, D hidden size. Right-padded ids and a mask go in, one vector per row
comes out: what the architecture's own head reads ("native"), the mean of the real tokens, the
first token (CLS) or the last real one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForTextEncoding,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
)

from humanalign.errors import DataError
from humanalign.heads import ScalarHead
from humanalign.hub import base_of_adapter
from humanalign.products import quick_products
from humanalign.reward.classifier import position_count
from humanalign.reward.native import T5_FAMILY, Native, check_ends, load_native, start, two_way
from humanalign.reward.packing import read_without_padding
from humanalign.reward.reading import TokenRows, first_line

Pooling = Literal["native", "mean", "cls", "last"]


class Backbone(nn.Module):
    """A pretrained trunk with its pooling. Without dropout it is always in eval mode."""

    def __init__(self, model: PreTrainedModel, pooling: Pooling, own: Native | None = None) -> None:
        super().__init__()
        trunk = model.base_model
        assert isinstance(trunk, PreTrainedModel)
        if read_without_padding(trunk):
            # Padded batches come in too many widths: for each oneDNN would keep a kernel.
            quick_products(model)
        self.model: PreTrainedModel | PeftModel = model.eval()
        self.pooling: Pooling = pooling
        self.slot = own.slot if own else ""
        self.fresh = own.fresh if own else frozenset[str]()
        # The longest input, in tokens; None where positions are relative.
        self.positions = position_count(model)
        # True where the vector is the state of the last token, as a value model needs it.
        self.causal = pooling in ("native", "last") and not two_way(model.config)

    def forward(self, tokens: TokenRows) -> Tensor:
        """[B, T] tokens -> [B, D]."""
        device = next(self.model.parameters()).device
        if self.pooling == "native":
            check_ends(self.model.config, tokens.ids)
        output = self.model(**tokens.inputs(device))
        if self.pooling == "native":
            return output.logits
        return pool(output.last_hidden_state, tokens.mask.to(device), self.pooling)


def pool(hidden: Tensor, mask: Tensor, pooling: Pooling) -> Tensor:
    """[B, T, D] and its mask [B, T] (True = real, right-padded) -> [B, D]."""
    if pooling == "cls":
        return hidden[:, 0]
    if pooling == "last":
        last = mask.sum(1) - 1
        return hidden[torch.arange(len(hidden), device=hidden.device), last]
    weights = mask.to(hidden.dtype)[..., None]
    return (hidden * weights).sum(1) / weights.sum(1)


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
    """The architecture's own head, so that the saved reward is an ordinary classifier.

    A T5 encoder gives its mean: the own head of T5 would read everything twice, in its decoder.
    Where there is no head of its own: mean if every token sees every other, else the last.
    """
    if config.model_type in T5_FAMILY:
        return "mean"
    if config.model_type in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES:
        return "native"
    return "mean" if two_way(config) else "last"


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
