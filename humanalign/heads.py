"""Small heads on a language model's hidden states: a scalar per token, and ILQL's Q and V.

Letters: B rows, T positions, D hidden size, V vocabulary.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class ScalarHead(nn.Module):
    """One number per position: [B, T, D] -> [B, T]. A value head or a reward head.

    It starts at exactly 0, so that the first value estimates are not noise.
    """

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(hidden_size, 1)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    @classmethod
    def of(cls, linear: nn.Linear) -> ScalarHead:
        """A head that is a layer of a model; it may have no bias."""
        head = cls(linear.in_features)
        head.linear = linear
        return head

    def forward(self, hidden: Tensor) -> Tensor:
        return self.linear(hidden.to(self.linear.weight.dtype)).squeeze(-1)


class IlqlHeads(nn.Module):
    """Two Q heads, their slowly moving targets and a V head (Snell et al. 2022, arXiv 2206.11871).

    forward: hidden [B, T, D] -> (q1, q2, target_q1, target_q2) [B, T, V] and v [B, T].
    """

    def __init__(self, hidden_size: int, vocabulary: int) -> None:
        super().__init__()
        self.q1 = _mlp(hidden_size, vocabulary)
        self.q2 = _mlp(hidden_size, vocabulary)
        self.v = _mlp(hidden_size, 1)
        self.target_q1 = copy.deepcopy(self.q1).requires_grad_(False)
        self.target_q2 = copy.deepcopy(self.q2).requires_grad_(False)

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        hidden = hidden.to(next(self.v.parameters()).dtype)
        return (
            self.q1(hidden),
            self.q2(hidden),
            self.target_q1(hidden),
            self.target_q2(hidden),
            self.v(hidden).squeeze(-1),
        )

    @torch.no_grad()
    def polyak(self, alpha: float) -> None:
        """Move the target heads towards the Q heads: target += alpha (q - target)."""
        for live, target in ((self.q1, self.target_q1), (self.q2, self.target_q2)):
            for p, t in zip(live.parameters(), target.parameters(), strict=True):
                t.lerp_(p, alpha)


def _mlp(hidden_size: int, out: int) -> nn.Sequential:
    """Two layers with a zero-initialised output: every Q and V starts at 0."""
    last = nn.Linear(2 * hidden_size, out)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(hidden_size, 2 * hidden_size), nn.ReLU(), last)
