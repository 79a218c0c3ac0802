"""From one score per answer to one reward per token.

Letters: B rows, T response positions. `mask` [B, T] is True on real response tokens. An answer
without a single real token earns nothing, and its score has no token to stand on.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from .masked import Moments


def last_token(mask: Tensor) -> Tensor:
    """[B, T], True on the last real token of each row: the EOS where there is one."""
    after = mask.flip(1).cumsum(1).flip(1)
    return mask & (after == 1)


def at_last_token(scores: Tensor, mask: Tensor) -> Tensor:
    """[B, T]: each row's score [B] on its last real token, 0 everywhere else."""
    spread = scores.unsqueeze(1).expand(mask.shape)
    return torch.where(last_token(mask), spread, torch.zeros_like(spread))


def token_rewards(scores: Tensor, kl: Tensor, mask: Tensor, *, kl_coef: float = 0.05) -> Tensor:
    """r_t = -kl_coef * k_t + 1[t = T] * score, [B, T], 0 where masked.

    Ziegler et al. 2019 (arXiv 1909.08593, equation 2), token by token. `kl` [B, T] is any
    estimator of `objectives.kl`, without gradient.
    """
    penalty = torch.where(mask, -kl_coef * kl, torch.zeros_like(kl))
    return penalty + at_last_token(scores, mask)


def eos_penalty(
    scores: Tensor,
    finished: Tensor,
    *,
    penalty: float = 1.0,
    mode: Literal["subtract", "replace"] = "subtract",
) -> Tensor:
    """Scores [B] that charge answers without an end: `finished` [B] is True where EOS was sampled.

    "replace" gives such an answer -penalty whatever it said (Huang et al. 2024, arXiv
    2403.17031); "subtract" keeps the order among them.
    """
    if mode not in ("subtract", "replace"):
        raise ValueError(f"mode: expected 'subtract' or 'replace', got {mode!r}")
    charged = scores - penalty if mode == "subtract" else torch.full_like(scores, -penalty)
    return torch.where(finished, scores, charged)


def standardise(scores: Tensor, moments: Moments, *, eps: float = 1e-6) -> Tensor:
    """(score - mean) / std with the moments of reference samples, or running ones.

    Moments whose std is below `eps` (a reward that never varied) only shift: there is no scale
    to divide by.
    """
    std = moments.variance.sqrt()
    return (scores - moments.mean) / torch.where(std > eps, std, torch.ones_like(std))


def clip(scores: Tensor, *, limit: float) -> Tensor:
    """Scores held within +-limit. ValueError when the limit is not above 0."""
    if not limit > 0:
        raise ValueError(f"limit: expected a number above 0, got {limit}")
    return scores.clamp(-limit, limit)
