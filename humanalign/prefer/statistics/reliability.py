"""How far each rater can be relied on: leave-one-out agreement, its bound, and weights.

The rule of a flag: the upper one-sided 95 % bound of the agreement with the others lies below the
pool's median less 10 points, on at least 10 prompts. Letters: R raters, V votes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from humanalign.prefer.statistics.votes import Votes

# Beta(7, 3): before any answer a labeler is believed to agree 70 % of the time.
PRIOR = (7.0, 3.0)
HEAVIEST = 2.0
ROUNDS = 20
FEWEST_PROMPTS = 10
BELOW_MEDIAN = 0.10


@dataclass(frozen=True)
class Scores:
    """Per rater [R]: agreement, upper bound, mean tau, its upper bound, comparisons shared."""

    agreement: np.ndarray
    upper: np.ndarray
    tau: np.ndarray
    tau_upper: np.ndarray
    n: np.ndarray

    def limit(self) -> float:
        """The agreement under which a rater is flagged; nan where nobody shares a comparison."""
        judged = self.n > 0
        return float(np.median(self.agreement[judged])) - BELOW_MEDIAN if judged.any() else np.nan

    def flagged(self) -> np.ndarray:
        """[R] bool by the rule in the module's docstring."""
        return (self.n >= FEWEST_PROMPTS) & (self.upper < self.limit())


def iterated(votes: Votes, flagged: np.ndarray) -> np.ndarray:
    """[R] weights. A rater whom nobody else meets keeps the weight of the prior."""
    weights = np.where(flagged, 0.0, 1.0)
    if not weights.any():
        weights = np.ones_like(weights)
    for _ in range(ROUNDS):
        score, _ = votes.left_out(weights)
        met = ~np.isnan(score)
        size = len(votes.raters)
        agreed = np.bincount(votes.rater[met], weights=score[met], minlength=size)
        count = np.bincount(votes.rater[met], minlength=size)
        p = (PRIOR[0] + agreed) / (sum(PRIOR) + count)
        updated = np.where(flagged, 0.0, np.clip(np.log(p / (1 - p)), 0.0, HEAVIEST))
        if not updated.any():
            return np.ones_like(weights)
        if np.allclose(updated, weights, rtol=0, atol=1e-9):
            break
        weights = updated
    return weights


def scores_of(votes: Votes) -> Scores:
    """Agreement and tau with the weighted others, averaged over comparisons.

    Weighted, because two bad labelers among the few who share a prompt hide each other.
    """
    score, _ = votes.left_out(iterated(votes, np.zeros(len(votes.raters), dtype=bool)))
    met = ~np.isnan(score)
    # 2p - 1 over the pairs a rater did order is the tau-a of the rater and the others.
    agreed = _by_rater(votes, met, score)
    taus = _by_rater(votes, met & (votes.sign != 0), 2 * score - 1)
    columns = [
        (*_bound(mine), *_bound(tau), len(mine)) for mine, tau in zip(agreed, taus, strict=True)
    ]
    return Scores(*np.array(columns, dtype=float).reshape(-1, 5).T)


def _by_rater(votes: Votes, chosen: np.ndarray, values: np.ndarray) -> list[np.ndarray]:
    """For each rater, the mean of the chosen votes' `values` in each comparison."""
    size = len(votes.comparisons)
    key = votes.rater[chosen] * size + votes.unit_comparison[votes.unit[chosen]]
    known, member = np.unique(key, return_inverse=True)
    means = np.bincount(member, weights=values[chosen]) / np.maximum(np.bincount(member), 1)
    raters = len(votes.raters)
    ends = np.searchsorted(known // max(size, 1), np.arange(1, max(raters, 1)))
    return np.split(means, ends)[:raters]


def _bound(values: np.ndarray) -> tuple[float, float]:
    """(mean, upper one-sided 95 % bound by Student's t); the bound of one value is infinite."""
    n = len(values)
    if n == 0:
        return float("nan"), float("inf")
    if n == 1:
        return float(values[0]), float("inf")
    spread = float(values.std(ddof=1)) / n**0.5
    return float(values.mean()), float(values.mean()) + float(stdtrit(n - 1, 0.95)) * spread
