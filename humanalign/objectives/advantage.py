"""How much better than expected each token or answer was: GAE, RLOO, GRPO, discounted returns.

Letters: B rows, T response positions, G answers per prompt. The answers to one prompt stand in
consecutive rows. Masked positions are stepped over and hold 0; the value after the last real
token is 0. Inputs carry no gradient. Whitening is a separate step (`masked.whiten`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from .registry import Fraction, NonNegative, objective


@objective("advantage")
def gae(
    rewards: Tensor,
    values: Tensor,
    mask: Tensor,
    *,
    gamma: Fraction = 1.0,
    lam: Fraction = 0.95,
) -> tuple[Tensor, Tensor]:
    """Advantages and returns (A + V, before whitening), [B, T] each.

    Schulman et al. 2015 (arXiv 1506.02438, equation 16): delta_t = r_t + gamma V_{t+1} - V_t,
    A_t = delta_t + gamma lam A_{t+1}.
    """
    running = next_value = torch.zeros_like(rewards[:, :1])
    columns = [rewards[:, :0]]  # so that a batch without a single token stays [B, 0]
    for t in reversed(range(rewards.shape[1])):
        here = slice(t, t + 1)
        real, value = mask[:, here], values[:, here]
        delta = rewards[:, here] + gamma * next_value - value
        running = torch.where(real, delta + gamma * lam * running, running)
        next_value = torch.where(real, value, next_value)
        columns.append(running)
    advantages = torch.where(mask, torch.cat(columns[::-1], 1), torch.zeros_like(rewards))
    return advantages, torch.where(mask, advantages + values, torch.zeros_like(values))


def discounted_returns(rewards: Tensor, mask: Tensor, *, gamma: float = 1.0) -> Tensor:
    """R_t = r_t + gamma R_{t+1}, [B, T]: GAE with lam = 1 and no value function."""
    return gae(rewards, torch.zeros_like(rewards), mask, gamma=gamma, lam=1.0)[1]


@objective("group_advantage")
def rloo(scores: Tensor, group_size: int) -> Tensor:
    """score - mean score of the other answers to the same prompt, [B].

    Kool et al. 2019; Ahmadian et al. 2024 (arXiv 2402.14740). `scores` [B] hold the whole reward
    of an answer, the penalty included. ValueError unless B splits into groups of 2 or more.
    """
    groups = _groups(scores, group_size)
    others = (groups.sum(1, keepdim=True) - groups) / (group_size - 1)
    return (groups - others).reshape(-1)


@objective("group_advantage")
def grpo(scores: Tensor, group_size: int, *, std: bool = True, eps: NonNegative = 1e-4) -> Tensor:
    """(score - group mean) / (group std + eps), [B].

    Shao et al. 2024 (arXiv 2402.03300); the std divides by G - 1. `std=False` is the form of Liu
    et al. 2025 (arXiv 2503.20783), which does not divide. A group of equal scores gives 0.
    ValueError unless B splits into groups of 2 or more.
    """
    groups = _groups(scores, group_size)
    centred = groups - groups.mean(1, keepdim=True)
    if std:
        centred = centred / (groups.std(1, keepdim=True) + eps)
    return centred.reshape(-1)


def _groups(scores: Tensor, group_size: int) -> Tensor:
    if group_size < 2 or len(scores) % group_size:
        raise ValueError(
            f"group_size: expected 2 or more, and a divisor of the {len(scores)} scores, "
            f"got {group_size}"
        )
    return scores.reshape(-1, group_size)
