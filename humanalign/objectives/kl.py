"""The divergence of a policy from its reference, token by token, and its adaptive coefficient.

`logprobs` and `ref_logprobs` are log-probabilities (nats) of tokens that the policy sampled, of
one shape. k1, k2, k3 are the estimators of Schulman 2020 ("Approximating KL Divergence"); k1 and
k3 have the full divergence as their expectation, k2 does not. Nothing is clamped at 0: the
negative samples of k1 are what makes it unbiased.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .registry import objective
from .vocabulary import CHUNK, chunked, log_softmax

# exp(20) is about 5e8; beyond it one token would drown the batch.
MAX_LOG_RATIO = 20.0


@objective("kl")
def k1(logprobs: Tensor, ref_logprobs: Tensor) -> Tensor:
    """logp - ref: unbiased, of either sign."""
    return logprobs - ref_logprobs


@objective("kl")
def k2(logprobs: Tensor, ref_logprobs: Tensor) -> Tensor:
    """(logp - ref)^2 / 2: never negative, biased, low variance."""
    return 0.5 * (logprobs - ref_logprobs) ** 2


@objective("kl")
def k3(logprobs: Tensor, ref_logprobs: Tensor) -> Tensor:
    """exp(ref - logp) - 1 - (ref - logp): unbiased and never negative.

    Departure: the log-ratio is clamped to +-20.
    """
    log_ratio = (ref_logprobs - logprobs).clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO)
    return torch.expm1(log_ratio) - log_ratio


def full(logits: Tensor, ref_logits: Tensor, *, chunk: int = CHUNK) -> Tensor:
    """sum_v pi(v) (log pi(v) - log ref(v)) in nats: [..., V] and [..., V] -> [...].

    The exact divergence at each position, `chunk` tokens at a time. A token that the policy
    cannot produce (logit -inf) adds nothing.
    """
    return chunked(_divergence, (logits, ref_logits), chunk=chunk)


def _divergence(logits: Tensor, ref_logits: Tensor) -> Tensor:
    logp = log_softmax(logits)
    p = logp.exp()
    log_ratio = (logp - log_softmax(ref_logits)).masked_fill(p == 0, 0.0)
    return (p * log_ratio).sum(-1)


@dataclass(frozen=True)
class KlController:
    """The coefficient beta of the penalty: fixed without a target, adaptive with one.

    Ziegler et al. 2019 (arXiv 1909.08593, section 2.2): e = clip(KL / target - 1, -0.2, 0.2),
    beta <- beta (1 + e n / horizon). KL and `target` are nats per sequence (the mean over
    samples of the sum over tokens), n and `horizon` count samples.
    """

    coef: float = 0.05
    target: float | None = None
    horizon: int = 10_000

    def __post_init__(self) -> None:
        if self.coef < 0 or self.horizon <= 0 or (self.target is not None and self.target <= 0):
            raise ValueError(f"expected coef >= 0, target and horizon above 0, got {self}")

    def update(self, kl: float, samples: int) -> KlController:
        """The controller after `samples` samples whose mean divergence was `kl` nats.

        ValueError when `kl` is not finite.
        """
        if not math.isfinite(kl):
            raise ValueError(f"kl: expected a finite number of nats, got {kl}")
        if self.target is None:
            return self
        error = min(max(kl / self.target - 1, -0.2), 0.2)
        return replace(self, coef=self.coef * (1 + error * samples / self.horizon))
