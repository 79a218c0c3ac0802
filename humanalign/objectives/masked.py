"""Means, variances, whitening and the one reduction, over the positions where a mask is True.

Losses elsewhere are unreduced; `reduce` divides by a count that the caller took over the whole
batch (every micro-batch, every process), so a sum of parts equals the whole. There is no mean of
means. What a masked position holds never matters, not even when it is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Moments:
    """How many values were seen, their mean and their population variance (0-d tensors).

    Merged over micro-batches or processes they describe the whole batch (Chan et al. 1979).
    """

    count: Tensor
    mean: Tensor
    variance: Tensor

    @classmethod
    def of(cls, values: Tensor, mask: Tensor | None = None) -> Moments:
        """The moments of `values` where `mask` is True (everywhere without one)."""
        mask = torch.ones_like(values, dtype=torch.bool) if mask is None else mask
        return cls(mask.sum().to(values.dtype), mean(values, mask), var(values, mask))

    def merge(self, other: Moments) -> Moments:
        """The moments of both sets of values together; two empty sets stay empty."""
        count = self.count + other.count
        share = other.count / count.clamp(min=1)
        gap = other.mean - self.mean
        spread = (1 - share) * self.variance + share * other.variance
        empty = count == 0
        return Moments(
            count,
            self.mean + share * gap,
            torch.where(empty, self.variance, spread + share * (1 - share) * gap**2),
        )


def total(values: Tensor, mask: Tensor, dim: int | None = None) -> Tensor:
    """The sum of `values` where `mask` is True, over everything or along `dim`."""
    kept = torch.where(mask, values, torch.zeros_like(values))
    return kept.sum() if dim is None else kept.sum(dim)


def mean(values: Tensor, mask: Tensor, dim: int | None = None) -> Tensor:
    """The mean of `values` where `mask` is True; 0 where nothing is."""
    count = mask.sum() if dim is None else mask.sum(dim)
    return total(values, mask, dim) / count.clamp(min=1)


def var(values: Tensor, mask: Tensor) -> Tensor:
    """The population variance (divided by n) of the masked values; 0 for one value or none."""
    return mean((values - mean(values, mask)) ** 2, mask)


def whiten(
    values: Tensor, mask: Tensor, *, moments: Moments | None = None, eps: float = 1e-8
) -> Tensor:
    """Shift and scale `values` to mean 0 and variance 1 over all valid tokens; 0 where masked.

    `moments` are those of the global batch when `values` is only a part of it. The population
    variance bounds every result by sqrt(n - 1), so a few samples cannot explode; one token
    becomes 0. Libraries that divide by n - 1 have no answer for that token.
    """
    over = Moments.of(values, mask) if moments is None else moments
    scaled = (values - over.mean) * torch.rsqrt(over.variance + eps)
    return torch.where(mask, scaled, torch.zeros_like(scaled))


def reduce(losses: Tensor, weights: Tensor, *, count: float) -> Tensor:
    """The weighted sum of unreduced losses, divided by the given global count.

    `weights` is a mask, or a row's or token's weight (0 leaves it out); it broadcasts over
    `losses`. ValueError when the count is not above 0.
    """
    if not count > 0:
        raise ValueError(f"count: expected the number of valid items in the batch, got {count}")
    weights, losses = torch.broadcast_tensors(weights, losses)
    return total(losses * weights, weights != 0) / count
