"""Who labels well: leave-one-out agreement, weights for the consensus, and poor labelers named.

A labeler is flagged when the upper one-sided 95 % bound of the leave-one-out pair agreement lies
below the pool's median less 10 points, on at least 10 prompts. A flag is a reason to pause and
ask, never to turn answers round: its weight in the consensus is 0 and its answers stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from humanalign.intervals import mean_interval
from humanalign.prefer.display import order
from humanalign.prefer.votes import Votes, levels, votes_of
from humanalign.types import Comparison, EvalResult, Ranking, Rater, RaterKind

# Beta(7, 3): before any answer a labeler is believed to agree 70 % of the time.
PRIOR = (7.0, 3.0)
HEAVIEST = 2.0
ROUNDS = 20
FEWEST_PROMPTS = 10
BELOW_MEDIAN = 0.10
# A habit is given as the reason when at least half of the answers or pairs show it.
HABIT = 0.5


@dataclass(frozen=True)
class LabelerReport:
    """One labeler: leave-one-out pair agreement over `n` comparisons shared with others.

    `tau` is the mean rank correlation with the others (None without any); `weight` counts in the
    consensus; `reason` says what stands out, "" when nothing does. Where n is 0 nothing is known,
    and the agreement is 0.5 within [0, 1].
    """

    id: str
    kind: RaterKind
    n: int
    agreement: EvalResult
    tau: float | None
    weight: float
    flagged: bool
    reason: str


@dataclass(frozen=True)
class _Scores:
    """Per rater [R]: agreement, upper bound, mean tau, its upper bound, comparisons shared."""

    agreement: np.ndarray
    upper: np.ndarray
    tau: np.ndarray
    tau_upper: np.ndarray
    n: np.ndarray

    def flagged(self) -> np.ndarray:
        """[R] bool by the rule in the module's docstring."""
        judged = self.n > 0
        if not judged.any():
            return judged
        limit = float(np.median(self.agreement[judged])) - BELOW_MEDIAN
        return (self.n >= FEWEST_PROMPTS) & (self.upper < limit)


def weights_of(rankings: Sequence[Ranking]) -> dict[str, float]:
    """rater id -> weight in the consensus: clip(log(p/(1-p)), 0, 2), and 0 for a flagged rater.

    p is the agreement with the weighted others under the prior Beta(7, 3), iterated from equal
    weights. Where nobody would keep a weight, everybody counts 1.
    """
    votes = votes_of(rankings)
    weights = _iterated(votes, _scores(votes).flagged())
    return dict(zip(votes.raters, weights.tolist(), strict=True))


def labelers(
    rankings: Sequence[Ranking],
    raters: Mapping[str, Rater] | None = None,
    comparisons: Iterable[Comparison] = (),
) -> list[LabelerReport]:
    """A report on every rater in `rankings`, in the order of their ids.

    `comparisons` lets answers that follow the order of display be recognised.
    """
    votes = votes_of(rankings)
    scores = _scores(votes)
    flagged = scores.flagged()
    weights = _iterated(votes, flagged)
    habits = _habits(rankings, {each.id: each for each in comparisons})
    reports = []
    for number, name in enumerate(votes.raters):
        flag = bool(flagged[number])
        reports.append(
            LabelerReport(
                id=name,
                kind=raters[name].kind if raters else "human",
                n=int(scores.n[number]),
                agreement=_interval(votes, number),
                tau=None if np.isnan(scores.tau[number]) else float(scores.tau[number]),
                weight=float(weights[number]),
                flagged=flag,
                reason=_reason(habits[name], float(scores.tau_upper[number])) if flag else "",
            )
        )
    return reports


def _iterated(votes: Votes, flagged: np.ndarray) -> np.ndarray:
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


def _scores(votes: Votes) -> _Scores:
    """Agreement and tau with the weighted others, averaged over comparisons.

    Weighted, because two bad labelers among the few who share a prompt hide each other.
    """
    score, _ = votes.left_out(_iterated(votes, np.zeros(len(votes.raters), dtype=bool)))
    met = ~np.isnan(score)
    comparison = votes.unit_comparison[votes.unit]
    columns = []
    for number in range(len(votes.raters)):
        mine = met & (votes.rater == number)
        agreed = _by_cluster(comparison[mine], score[mine])
        # 2p - 1 over the pairs a rater did order is the tau-a of the rater and the others.
        ordered = mine & (votes.sign != 0)
        tau = _by_cluster(comparison[ordered], 2 * score[ordered] - 1)
        columns.append((*_bound(agreed), *_bound(tau), len(agreed)))
    return _Scores(*np.array(columns, dtype=float).reshape(-1, 5).T)


def _by_cluster(cluster: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The mean of `values` in each cluster."""
    _, index = np.unique(cluster, return_inverse=True)
    return np.bincount(index, weights=values) / np.maximum(np.bincount(index), 1)


def _bound(values: np.ndarray) -> tuple[float, float]:
    """(mean, upper one-sided 95 % bound by Student's t); the bound of one value is infinite."""
    n = len(values)
    if n == 0:
        return float("nan"), float("inf")
    if n == 1:
        return float(values[0]), float("inf")
    spread = float(values.std(ddof=1)) / n**0.5
    return float(values.mean()), float(values.mean()) + float(stdtrit(n - 1, 0.95)) * spread


def _interval(votes: Votes, number: int) -> EvalResult:
    score, _ = votes.left_out(np.ones(len(votes.raters)))
    mine = ~np.isnan(score) & (votes.rater == number)
    clusters = votes.unit_comparison[votes.unit[mine]]
    n = len(np.unique(clusters))
    if n < 2:
        # One comparison says nothing of the spread.
        value = float(score[mine].mean()) if n else 0.5
        return EvalResult("pair agreement", value, 0.0, 1.0, n)
    return mean_interval(
        score[mine].tolist(), clusters.tolist(), metric="pair agreement", resamples=2_000
    )


@dataclass(frozen=True)
class _Habit:
    """Shares of one rater's answers: all alike, tied pairs, F marks, and in order of display."""

    straight: float
    tied: float
    rejected: float
    position: float


def _habits(
    rankings: Sequence[Ranking], comparisons: Mapping[str, Comparison]
) -> dict[str, _Habit]:
    rows: dict[str, list[tuple[float, float, float, float]]] = {}
    for ranking in rankings:
        mark = levels(ranking)
        pairs = len(mark) * (len(mark) - 1) / 2
        tied = sum(len(tier) * (len(tier) - 1) / 2 for tier in ranking.tiers) / pairs
        follows = 0.0
        if ranking.comparison_id in comparisons:
            shown = order(comparisons[ranking.comparison_id], ranking.rater_id)
            follows = float(ranking.completion_ids() == shown and tied < 1)
        rejected = len(ranking.rejected) / len(mark)
        alike = float(len(set(mark.values())) == 1)
        rows.setdefault(ranking.rater_id, []).append((alike, tied, rejected, follows))
    return {name: _Habit(*np.mean(shares, axis=0).tolist()) for name, shares in rows.items()}


def _reason(habit: _Habit, tau_upper: float) -> str:
    """The most particular explanation of a low agreement."""
    if habit.straight >= HABIT:
        return "straight line: gave most comparisons one mark for every answer"
    if habit.position >= HABIT:
        return "position: ranked most comparisons in the order of display"
    if tau_upper < 0:
        return "reversed: ranks against the others; may have misread the instructions"
    if habit.rejected >= HABIT:
        return "F-heavy: marked most answers as unusable"
    if habit.tied >= HABIT:
        return "tie-heavy: tied most pairs"
    return "random: agrees with the others no more than by chance"
