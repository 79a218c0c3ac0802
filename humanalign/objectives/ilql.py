"""Implicit language Q-learning: values of tokens learned from logged answers, then steered by.

Snell et al. 2022 (arXiv 2206.11871). Letters: B rows, T response positions, V vocabulary. Entry
[b, t] of every tensor belongs to the state before token t: Q(s_t, .), V(s_t), and the logits that
predict token t. `actions` [B, T] are the tokens taken, `mask` is True on real ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .kl import MAX_LOG_RATIO
from .registry import Fraction, NonNegative, objective
from .vocabulary import token_logprobs


@dataclass(frozen=True)
class IlqlOutputs:
    """One forward pass: v [B, T]; logits, two Q heads and their target copies [B, T, V]."""

    logits: Tensor
    q1: Tensor
    q2: Tensor
    target_q1: Tensor
    target_q2: Tensor
    v: Tensor


@dataclass(frozen=True)
class IlqlTerms:
    """The parts of the loss before their weights, and `loss`, the weighted sum; all [B, T]."""

    q: Tensor
    v: Tensor
    cql: Tensor
    awac: Tensor
    loss: Tensor


def expectile(values: Tensor, targets: Tensor, *, tau: float = 0.7) -> Tensor:
    """|tau - 1[u < 0]| u^2 with u = target - value, of any shape.

    Kostrikov et al. 2021 (arXiv 2110.06169): tau > 0.5 drives values towards the
    best targets.
    """
    u = targets - values
    return (tau - (u < 0).to(u.dtype)).abs() * u**2


def td_targets(
    rewards: Tensor, v: Tensor, mask: Tensor, *, gamma: float = 0.99, lam: float = 0.0
) -> Tensor:
    """G_t = r_t + gamma ((1 - lam) V(s_{t+1}) + lam G_{t+1}), [B, T]; no gradient.

    lam 0 is Snell et al.'s one-step target; lam 1 is the discounted return of the logged answer,
    which values the logged behaviour itself; between them, Sutton and Barto 2018, section 12.8.
    Nothing follows the last real token: an answer cut off at the length limit counts as ended.
    """
    known = torch.where(mask, v.detach(), torch.zeros_like(v))
    following = torch.cat((known[:, 1:], torch.zeros_like(known[:, :1])), 1)
    targets = rewards + gamma * following
    running, returns = torch.zeros_like(rewards[:, 0]), []
    for target, behind, real in zip(
        targets.unbind(1)[::-1], following.unbind(1)[::-1], mask.unbind(1)[::-1], strict=True
    ):
        mixed = target + gamma * lam * (running - behind)
        running = torch.where(real, mixed, torch.zeros_like(mixed))
        returns.append(running)
    return torch.stack(returns[::-1], 1)


@objective("ilql")
def ilql(
    outputs: IlqlOutputs,
    actions: Tensor,
    rewards: Tensor,
    mask: Tensor,
    *,
    tau: Fraction = 0.7,
    gamma: Fraction = 0.99,
    lam: Fraction = 0.0,
    cql: NonNegative = 0.1,
    awac: NonNegative = 1.0,
    beta: NonNegative = 0.0,
) -> IlqlTerms:
    """q + v + cql * conservative + awac * imitation, token by token, 0 where masked.

    The target of V is the smaller target Q of the taken token; that of Q is `td_targets`, for
    both heads. Conservative: cross entropy of each Q head as logits (Kumar et al. 2020, arXiv
    2006.04779). Imitation: -log pi weighted by exp(beta (Q - V)) (Nair et al. 2020, arXiv
    2006.09359); beta 0 is plain imitation of the data.
    """
    lower = torch.minimum(_taken(outputs.target_q1, actions), _taken(outputs.target_q2, actions))
    lower = lower.detach()
    targets = td_targets(rewards, outputs.v, mask, gamma=gamma, lam=lam)
    heads = (outputs.q1, outputs.q2)
    weight = (beta * (lower - outputs.v.detach())).clamp(max=MAX_LOG_RATIO).exp()
    terms = {
        "q": sum((_taken(head, actions) - targets) ** 2 for head in heads),
        "v": expectile(outputs.v, lower, tau=tau),
        "cql": -sum(token_logprobs(head, actions) for head in heads),
        "awac": -weight * token_logprobs(outputs.logits, actions),
    }
    kept = {name: torch.where(mask, t, torch.zeros_like(t)) for name, t in terms.items()}
    loss = kept["q"] + kept["v"] + cql * kept["cql"] + awac * kept["awac"]
    return IlqlTerms(**kept, loss=loss)


def steer(logits: Tensor, q1: Tensor, q2: Tensor, v: Tensor, *, beta: float = 1.0) -> Tensor:
    """logits + beta (min(q1, q2) - v), [..., V] with v [...]: what to sample from."""
    return logits + beta * (torch.minimum(q1, q2) - v.unsqueeze(-1))


def _taken(q: Tensor, actions: Tensor) -> Tensor:
    return q.gather(-1, actions.unsqueeze(-1)).squeeze(-1)
