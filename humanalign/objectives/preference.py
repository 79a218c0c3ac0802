"""Losses over pairs: for a policy (`PairLogps` in) and for a reward model (scores in).

Letters: B pairs. Log-probabilities are summed over an answer's tokens, in nats; w is the chosen
answer, l the rejected one. Every loss is [B], unreduced, and reads one pair at a time: none
depends on the other rows of a batch. Below, h = log pi(w)/ref(w) - log pi(l)/ref(l).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from .batch import PairLogps
from .registry import BelowHalf, NonNegative, Positive, objective


def implicit_rewards(pairs: PairLogps) -> tuple[Tensor, Tensor]:
    """log pi - log ref of the chosen and of the rejected answers, [B] each, in nats."""
    return pairs.chosen - pairs.ref_chosen, pairs.rejected - pairs.ref_rejected


@objective("preference")
def dpo(pairs: PairLogps, *, beta: Positive = 0.1, label_smoothing: BelowHalf = 0.0) -> Tensor:
    """-(1 - s) log sigmoid(beta h) - s log sigmoid(-beta h).

    Rafailov et al. 2023 (arXiv 2305.18290, equation 7); with smoothing s, the probability that a
    label is wrong, it is the conservative form of Mitchell 2023.
    """
    logit = beta * _log_ratio_gap(pairs)
    return -(1 - label_smoothing) * logsigmoid(logit) - label_smoothing * logsigmoid(-logit)


@objective("preference")
def robust_dpo(
    pairs: PairLogps, *, beta: Positive = 0.1, label_smoothing: BelowHalf = 0.1
) -> Tensor:
    """(-(1 - s) log sigmoid(beta h) + s log sigmoid(-beta h)) / (1 - 2 s).

    Chowdhury et al. 2024 (arXiv 2403.00409): over labels that flip with probability s, its
    expectation is the DPO loss of the true labels. It may be negative.
    """
    logit = beta * _log_ratio_gap(pairs)
    right, wrong = -logsigmoid(logit), -logsigmoid(-logit)
    return ((1 - label_smoothing) * right - label_smoothing * wrong) / (1 - 2 * label_smoothing)


@objective("preference")
def ipo(pairs: PairLogps, *, beta: Positive = 0.1, per_token: bool = False) -> Tensor:
    """(h - 1 / (2 beta))^2.

    Azar et al. 2023 (arXiv 2310.12036, equation 17; beta is the paper's tau). The paper sums
    log-probabilities over tokens, and so does this; `per_token=True` divides each answer's
    log-ratio by its length, which is what several libraries call IPO.
    """
    chosen, rejected = implicit_rewards(pairs)
    if per_token:
        chosen = chosen / pairs.chosen_length.clamp(min=1)
        rejected = rejected / pairs.rejected_length.clamp(min=1)
    return (chosen - rejected - 1 / (2 * beta)) ** 2


@objective("preference")
def hinge(pairs: PairLogps, *, beta: Positive = 0.1) -> Tensor:
    """max(0, 1 - beta h).

    The normalised hinge of Liu et al. 2023 (RSO, arXiv 2309.06657), which puts the reference into
    the rank calibration loss of SLiC-HF (Zhao et al. 2023, arXiv 2305.10425).
    """
    return (1 - beta * _log_ratio_gap(pairs)).clamp(min=0)


@objective("preference")
def kto(
    pairs: PairLogps,
    *,
    beta: Positive = 0.1,
    desirable: NonNegative = 1.0,
    undesirable: NonNegative = 1.0,
    reference_point: NonNegative = 0.0,
) -> Tensor:
    """desirable (1 - sigmoid(beta (r_w - z))) + undesirable (1 - sigmoid(beta (z - r_l))).

    Ethayarajh et al. 2024 (arXiv 2402.01306), with r = log pi - log ref and each pair read as one
    good and one bad answer. Departure: the paper estimates z, the divergence from the reference
    in nats, from mismatched answers of a batch; here it is a given number, so that a row's loss
    does not depend on its batch.
    """
    chosen, rejected = implicit_rewards(pairs)
    good = desirable * torch.sigmoid(-beta * (chosen - reference_point))
    return good + undesirable * torch.sigmoid(-beta * (reference_point - rejected))


@objective("preference")
def cpo(
    pairs: PairLogps, *, beta: Positive = 0.1, nll_coef: NonNegative = 1.0, per_token: bool = True
) -> Tensor:
    """-log sigmoid(beta (log pi(w) - log pi(l))) - nll_coef log pi(w); needs no reference.

    Xu et al. 2024 (arXiv 2401.08417). `per_token` averages the last term over the answer's
    tokens (a departure: it does not grow with length); `per_token=False` sums it.
    """
    preference = -logsigmoid(beta * (pairs.chosen - pairs.rejected))
    nll = -_mean_logps(pairs)[0] if per_token else -pairs.chosen
    return preference + nll_coef * nll


@objective("preference")
def simpo(pairs: PairLogps, *, beta: Positive = 2.0, gamma: NonNegative = 1.0) -> Tensor:
    """-log sigmoid(beta m(w) - beta m(l) - gamma), m the mean log-probability of a token.

    Meng et al. 2024 (arXiv 2405.14734, equation 6). It needs no reference.
    """
    chosen, rejected = _mean_logps(pairs)
    return -logsigmoid(beta * (chosen - rejected) - gamma)


@objective("preference")
def orpo(pairs: PairLogps, *, beta: Positive = 0.1) -> Tensor:
    """-m(w) - beta log sigmoid(log odds(w) - log odds(l)), m the mean log-probability of a token.

    Hong et al. 2024 (arXiv 2403.07691, equations 6 and 7; beta is the paper's lambda), with
    odds = P / (1 - P) and P = exp(m). It needs no reference.
    """
    chosen, rejected = _mean_logps(pairs)
    return -chosen - beta * logsigmoid(_log_odds(chosen) - _log_odds(rejected))


@objective("reward")
def bradley_terry(
    chosen_scores: Tensor,
    rejected_scores: Tensor,
    margin: Tensor | float = 0.0,
    target: Tensor | float = 1.0,
) -> Tensor:
    """-log sigmoid(r_j - r_k - margin), [B]: what a reward model learns from pairs.

    Bradley and Terry 1952; Ouyang et al. 2022 (arXiv 2203.02155, equation 1); the margin is of
    Touvron et al. 2023 (arXiv 2307.09288, equation 2). `target` is the probability that the
    chosen answer is the better one: 1 for a judgement, 0.5 for a tie. The other direction asks
    for the same margin, so that exchanging the answers and `target` changes nothing.
    """
    gap = chosen_scores - rejected_scores
    forward = -logsigmoid(gap - margin)
    backward = -logsigmoid(-gap - margin)
    return target * forward + (1 - target) * backward


def _log_ratio_gap(pairs: PairLogps) -> Tensor:
    chosen, rejected = implicit_rewards(pairs)
    return chosen - rejected


def _mean_logps(pairs: PairLogps) -> tuple[Tensor, Tensor]:
    chosen = pairs.chosen / pairs.chosen_length.clamp(min=1)
    return chosen, pairs.rejected / pairs.rejected_length.clamp(min=1)


def _log_odds(logp: Tensor) -> Tensor:
    # A certain answer (log-probability 0) has infinite odds; 1e-6 nats away they are finite.
    logp = logp.clamp(max=-1e-6)
    return logp - torch.log(-torch.expm1(logp))
