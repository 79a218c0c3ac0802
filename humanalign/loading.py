"""From a directory or a hub name to a transformers model, and one sentence where that fails."""

from __future__ import annotations

import importlib.util

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedTokenizerBase,
)
from transformers.activations import NewGELUActivation

from humanalign.errors import ConfigError, DataError


def load_model(path: str, dtype: str, quantize: str | None) -> nn.Module:
    """The model in a directory or on the hub, causal or encoder-decoder as its config says.

    `quantize` ("4bit", "8bit") by bitsandbytes. DataError where it cannot be loaded.
    """
    config = _load(AutoConfig, path)
    kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    options: dict = {"dtype": getattr(torch, dtype)}
    if quantize:
        options["quantization_config"] = _quantization(quantize, options["dtype"])
    return fused(_load(kind, path, **options))


def fused(model: nn.Module) -> nn.Module:
    """The same model with GELU in one pass over memory where it was written out in eight."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, NewGELUActivation):
                setattr(module, name, nn.GELU(approximate="tanh"))
    return model


def load_tokenizer(path: str) -> PreTrainedTokenizerBase:
    """The tokenizer beside it. DataError where it cannot be loaded."""
    return _load(AutoTokenizer, path)


def _quantization(bits: str, dtype: torch.dtype) -> object:
    if importlib.util.find_spec("bitsandbytes") is None:  # an extra: it exists for few machines
        raise ConfigError(
            f"quantize: {bits} needs bitsandbytes, which is not installed; "
            "pip install bitsandbytes, or leave quantize out"
        )
    if bits == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype
    )


def _load(kind, path: str, **options):
    try:
        return kind.from_pretrained(path, **options)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise DataError(f"cannot load the model '{path}' ({reason}); check the name") from error
