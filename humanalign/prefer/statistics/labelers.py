"""Who labels well: leave-one-out agreement, weights for the consensus, and poor labelers named.

A labeler is flagged when the upper one-sided 95 % bound of the leave-one-out pair agreement lies
below the pool's median less 10 points, on at least 10 prompts. A flag is a reason to pause and
ask, never to turn answers round: its weight in the consensus is 0 and its answers stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from humanalign.intervals import clustered_interval
from humanalign.prefer.statistics import findings
from humanalign.prefer.statistics.findings import Finding
from humanalign.prefer.statistics.habits import Evidence, Habits, displays, habits_of
from humanalign.prefer.statistics.reliability import Scores, iterated, scores_of
from humanalign.prefer.statistics.votes import Votes, marks_of, votes_in, votes_of
from humanalign.types import Comparison, EvalResult, Ranking, Rater, RaterKind

RESAMPLES = 2_000


@dataclass(frozen=True)
class LabelerReport:
    """One labeler: leave-one-out pair agreement over `n` comparisons shared with others.

    `tau` is the mean rank correlation with the others (None without any); `weight` counts in the
    consensus; `reason` says what explains a flag, "" without one; `findings` hold the flag and
    the warnings with their figures and advice. Where n is 0 nothing is known, and the agreement
    is 0.5 within [0, 1].
    """

    id: str
    kind: RaterKind
    n: int
    agreement: EvalResult
    tau: float | None
    weight: float
    flagged: bool
    reason: str
    habits: Habits
    findings: tuple[Finding, ...] = ()

    @property
    def answers(self) -> int:
        """How many answers the labeler gave."""
        return self.habits.answers


def weights_of(rankings: Sequence[Ranking]) -> dict[str, float]:
    """rater id -> weight in the consensus: clip(log(p/(1-p)), 0, 2), and 0 for a flagged rater.

    p is the agreement with the weighted others under the prior Beta(7, 3), iterated from equal
    weights. Where nobody would keep a weight, everybody counts 1.
    """
    votes = votes_of(rankings)
    weights = iterated(votes, scores_of(votes).flagged())
    return dict(zip(votes.raters, weights.tolist(), strict=True))


def labelers(
    rankings: Sequence[Ranking],
    raters: Mapping[str, Rater] | None = None,
    comparisons: Iterable[Comparison] = (),
    evidence: Evidence | None = None,
) -> list[LabelerReport]:
    """A report on every rater in `rankings`, in the order of their ids.

    The order of display is that of `evidence.shown`, or without it the seeded one of
    `comparisons`: answers that follow it are recognised.
    """
    marks = marks_of(rankings)
    votes = votes_in(marks)
    evidence = evidence or Evidence()
    if not evidence.shown:
        evidence = replace(evidence, shown=displays(comparisons, rankings))
    return reports_on(votes, habits_of(rankings, marks, votes, evidence), raters or {})


def reports_on(
    votes: Votes, habits: Sequence[Habits], raters: Mapping[str, Rater]
) -> list[LabelerReport]:
    """The reports on the raters of `votes`, whose `habits` are given in the same order."""
    scores = scores_of(votes)
    flagged = scores.flagged()
    weights = iterated(votes, flagged)
    agreements = _intervals(votes)
    pace = findings.pace_of(habits)
    reports = []
    for number, name in enumerate(votes.raters):
        flag = bool(flagged[number])
        reason, found = _findings(scores, number, habits[number], pace, agreements[number])
        reports.append(
            LabelerReport(
                id=name,
                kind=raters[name].kind if name in raters else "human",
                n=int(scores.n[number]),
                agreement=agreements[number],
                tau=None if np.isnan(scores.tau[number]) else float(scores.tau[number]),
                weight=float(weights[number]),
                flagged=flag,
                reason=findings.REASONS[reason] if flag else "",
                habits=habits[number],
                findings=found,
            )
        )
    return reports


def _findings(
    scores: Scores, number: int, habits: Habits, pace: float | None, agreement: EvalResult
) -> tuple[str, tuple[Finding, ...]]:
    """(the reason of a flag or "", the flag first and then the warnings)."""
    warned = dict(findings.warnings_of(habits, pace))
    if not scores.flagged()[number]:
        return "", tuple(
            Finding(name, said, findings.ADVICE[name]) for name, said in warned.items()
        )
    reason = findings.reason_of(habits, float(scores.tau_upper[number]))
    shown = warned.pop(reason, "")
    said = (
        f"agrees with the others on {100 * agreement.value:.0f} % of pairs over "
        f"{int(scores.n[number])} items; counting them by how well they label, on "
        f"{100 * scores.agreement[number]:.0f} %, at most {100 * scores.upper[number]:.0f} %, "
        f"below the line of {100 * scores.limit():.0f} %; mean rank correlation "
        f"{scores.tau[number]:+.2f}"
    )
    said = f"{said}; {shown}" if shown else said
    flag = Finding(reason, said, findings.ADVICE[reason], flag=True)
    others = (Finding(name, text, findings.ADVICE[name]) for name, text in warned.items())
    return reason, (flag, *others)


def _intervals(votes: Votes) -> list[EvalResult]:
    """Each rater's agreement with the others, all counting alike, clustered by comparison."""
    score, _ = votes.left_out(np.ones(len(votes.raters)))
    met = np.flatnonzero(~np.isnan(score))
    met = met[np.argsort(votes.rater[met], kind="stable")]
    ends = np.searchsorted(votes.rater[met], np.arange(1, len(votes.raters)))
    clusters = votes.unit_comparison[votes.unit]
    parts = np.split(met, ends)[: len(votes.raters)]
    return [_interval(score[rows], clusters[rows]) for rows in parts]


def _interval(score: np.ndarray, clusters: np.ndarray) -> EvalResult:
    known, member = np.unique(clusters, return_inverse=True)
    if len(known) < 2:
        # One comparison says nothing of the spread.
        value = float(score.mean()) if len(known) else 0.5
        return EvalResult("pair agreement", value, 0.0, 1.0, len(known))
    low, high = clustered_interval(score, member, resamples=RESAMPLES)
    return EvalResult("pair agreement", float(score.mean()), low, high, len(known))
