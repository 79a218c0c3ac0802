"""What an online update minimises: policy losses, the value loss, entropy and their gauges.

Letters: B rows, T response positions, V vocabulary. `new` and `old` [B, T] are log-probabilities
(nats) of the sampled tokens now and under the policy that SAMPLED them; the frozen reference has
no place here, it belongs to the divergence. `advantages` are [B, T], or [B, 1] for one per
answer, without gradient. All results are unreduced; a masked position holds whatever falls out.
"""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from .kl import MAX_LOG_RATIO
from .registry import Positive, Range, objective
from .vocabulary import CHUNK, chunked, log_softmax


def ratio(new: Tensor, old: Tensor) -> Tensor:
    """exp(new - old) with the difference clamped to +-20, beyond which no gradient flows."""
    return (new - old).clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO).exp()


@objective("policy")
def clipped_surrogate(
    new: Tensor,
    old: Tensor,
    advantages: Tensor,
    *,
    clip_range: Positive = 0.2,
    dual_clip: Annotated[float, Range(1, open_low=True)] | None = None,
) -> Tensor:
    """max(-A rho, -A clip(rho, 1 - eps, 1 + eps)), [B, T].

    Schulman et al. 2017 (arXiv 1707.06347, equation 7), as a loss. `dual_clip` c > 1 bounds the
    loss of a bad token (A < 0) by -c A (Ye et al. 2020, arXiv 1912.09729).
    """
    plain, bounded = _surrogates(new, old, advantages, clip_range)
    loss = torch.maximum(plain, bounded)
    if dual_clip is None:
        return loss
    return torch.where(advantages < 0, torch.minimum(loss, -dual_clip * advantages), loss)


@objective("policy")
def reinforce(new: Tensor, old: Tensor, advantages: Tensor, *, max_ratio: Positive = 2.0) -> Tensor:
    """-A w new, [B, T], with the constant weight w = min(rho, max_ratio): the policy gradient.

    Williams 1992. On fresh samples w = 1 and this is REINFORCE, which RLOO uses; once the policy
    has moved, w corrects for it, truncated so that no token dominates.
    """
    weight = ratio(new, old).detach().clamp(max=max_ratio)
    return -advantages * weight * new


@objective("value")
def clipped_value_loss(
    values: Tensor, old_values: Tensor, returns: Tensor, *, clip_range: Positive | None = 0.2
) -> Tensor:
    """max((V - R)^2, (clip(V, V_old +- eps) - R)^2) / 2, [B, T]; None does not clip.

    Ziegler et al. 2019 (arXiv 1909.08593), described in Huang et al. 2024 (arXiv 2403.17031).
    """
    loss = (values - returns) ** 2
    if clip_range is not None:
        near = values.clamp(old_values - clip_range, old_values + clip_range)
        loss = torch.maximum(loss, (near - returns) ** 2)
    return 0.5 * loss


def entropy(logits: Tensor, *, chunk: int = CHUNK) -> Tensor:
    """-sum_v pi(v) log pi(v) in nats, [..., V] -> [...]; tokens of probability 0 add nothing."""
    return chunked(_entropy, (logits,), chunk=chunk)


def clipped(new: Tensor, old: Tensor, advantages: Tensor, *, clip_range: float = 0.2) -> Tensor:
    """1.0 where the clip binds (the surrogate passes no gradient), else 0.0; [B, T]."""
    plain, bounded = _surrogates(new, old, advantages, clip_range)
    return (bounded > plain).to(new.dtype)


def approx_kl(new: Tensor, old: Tensor) -> Tensor:
    """old - new, [B, T]: the mean over tokens estimates how far an update went from its sampler."""
    return old - new


def _surrogates(
    new: Tensor, old: Tensor, advantages: Tensor, clip_range: float
) -> tuple[Tensor, Tensor]:
    rho = ratio(new, old)
    return -advantages * rho, -advantages * rho.clamp(1 - clip_range, 1 + clip_range)


def _entropy(logits: Tensor) -> Tensor:
    logp = log_softmax(logits)
    p = logp.exp()
    return -(p * logp.masked_fill(p == 0, 0.0)).sum(-1)
