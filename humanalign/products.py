"""Matrix products of float32 layers by oneDNN on processors where torch's own choice is slow.

On x86 torch multiplies float32 matrices by Intel's MKL, which runs an AMD processor at half of its
rate (AVX2 in place of AVX-512); the oneDNN that torch also contains does not. Same precision, sums
in another order. Elsewhere, and under autocast, nothing changes.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable
from transformers.pytorch_utils import Conv1D

# Of weights: starting oneDNN takes longer than a smaller product.
WORTH = 4096


def quick_products(model: nn.Module) -> nn.Module:
    """The same model; on such a processor its float32 layers multiply by oneDNN from now on."""
    if not mkl_is_slow():
        return model
    for module in model.modules():
        # Only these very classes: a quantized layer is a Linear too.
        known = QUICK.get(type(module))
        weight = getattr(module, "weight", None)
        if known and isinstance(weight, Tensor) and weight.numel() >= WORTH:
            module.__class__ = known
    return model


@cache
def mkl_is_slow() -> bool:
    """Whether this is an AMD processor under a torch with both libraries."""
    about = Path("/proc/cpuinfo")
    amd = about.is_file() and "AuthenticAMD" in about.read_text(encoding="utf-8")
    return amd and torch.backends.mkl.is_available() and torch.backends.mkldnn.is_available()


def product(rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """rows [..., I] times weight [O, I], plus bias [O]: [..., O], with gradients, by oneDNN."""
    return _Product.apply(rows.reshape(-1, rows.shape[-1]), weight, bias).view(
        *rows.shape[:-1], len(weight)
    )


class QuickLinear(nn.Linear):
    """nn.Linear by oneDNN."""

    def forward(self, input: Tensor) -> Tensor:
        """[..., I] -> [..., O]."""
        if _applies(input, self.weight):
            return product(input, self.weight, self.bias)
        return super().forward(input)


class QuickConv1D(Conv1D):
    """GPT-2's linear layer, whose weight is [I, O], by oneDNN."""

    def forward(self, x: Tensor) -> Tensor:
        """[..., I] -> [..., O]."""
        if _applies(x, self.weight):
            return product(x, self.weight.t(), self.bias)
        return super().forward(x)


QUICK: dict[type, type] = {nn.Linear: QuickLinear, Conv1D: QuickConv1D}


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(rows, weight)
        return _onednn(rows, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        rows, weight = ctx.saved_tensors
        asked = ctx.needs_input_grad
        return (
            _onednn(grad, weight.t()) if asked[0] else None,
            _onednn(grad.t(), rows.t()) if asked[1] else None,
            grad.sum(0) if asked[2] else None,
        )


def _onednn(rows: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "none", [], "")


def _applies(rows: Tensor, weight: Tensor) -> bool:
    both = rows.dtype == weight.dtype == torch.float32
    return both and rows.device.type == "cpu" and not torch.is_autocast_enabled("cpu")
