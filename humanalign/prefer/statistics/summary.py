"""What the owner of a project sees: every number with its interval and a sentence that explains it.

    summary = summarise(rankings, raters=store.raters(), comparisons=store.comparisons())
    print(summary.figure("pair_agreement").text())

Intervals are the cluster bootstrap over items (`bootstrap.py`). A rating or a thumb is read as a
weak order of a completion and the cuts between the marks (`ratings.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np

from humanalign.prefer.ranks import Mark
from humanalign.prefer.statistics import measures, timing
from humanalign.prefer.statistics.bootstrap import Sums, intervals
from humanalign.prefer.statistics.explain import (
    RANKING,
    RATING,
    THUMBS,
    Figure,
    figure,
    human_range,
)
from humanalign.prefer.statistics.habits import Evidence, Shown, Timed, displays, habits_of
from humanalign.prefer.statistics.labelers import LabelerReport, reports_on
from humanalign.prefer.statistics.league import Match, Standing, league
from humanalign.prefer.statistics.overlap import Contested, contested_in
from humanalign.prefer.statistics.ratings import (
    Rated,
    as_rankings,
    habits_of_rated,
    marks_of_rated,
    scale_of,
    votes_on_cuts,
)
from humanalign.prefer.statistics.votes import Marks, Votes, marks_of, votes_in, votes_of
from humanalign.types import Comparison, Ranking, Rater

__all__ = ["Figure", "Rated", "Summary", "Timed", "summarise"]


@dataclass(frozen=True)
class Summary:
    """A project's answers, items and raters counted; agreement and time as `Figure`s; labelers by
    id; contested items, those most worth another answer first; models, the strongest first."""

    kind: Literal["ranking", "rating"]
    answers: int
    items: int
    raters: int
    figures: tuple[Figure, ...]
    time: tuple[Figure, ...]
    labelers: tuple[LabelerReport, ...]
    contested: tuple[Contested, ...]
    models: tuple[Standing, ...]
    matches: tuple[Match, ...]

    def figure(self, name: str) -> Figure:
        """One figure by its name. KeyError: there is none."""
        return {each.name: each for each in (*self.figures, *self.time)}[name]

    def as_dict(self) -> dict:
        """JSON-ready."""
        return asdict(self)


@dataclass(frozen=True)
class _Reading:
    """The arrays of one kind of answers, and the figures that belong to it."""

    kind: Literal["ranking", "rating"]
    marks: Marks
    votes: Votes
    figures: tuple[Figure, ...]


def summarise(
    judgements: Sequence[Ranking] | Sequence[Rated],
    *,
    raters: Mapping[str, Rater] | None = None,
    comparisons: Iterable[Comparison] = (),
    answers: Iterable[Timed] = (),
    gold: Mapping[str, Mapping[str, Mark]] | None = None,
    shown: Shown | None = None,
    models: Mapping[str, str] | None = None,
    criterion: str = "helpful",
    repeats: Sequence[Ranking] = (),
    scale: Sequence[int] = (1, 2, 3),
    contested_overlap: int = 5,
) -> Summary:
    """Everything about the latest answers of one project; the same input gives the same digits.

    `answers` hold the times, `gold` the right marks of items by completion id, `shown` the order
    of display by (item, rater) (without it the seeded one of `comparisons`), `models` the author
    of each completion id, `repeats` independent second answers. `scale`: every mark of a rating,
    the worst first. Contested items that have `contested_overlap` answers come last.
    """
    rated = [each for each in judgements if isinstance(each, Rated)]
    ranked = [each for each in judgements if isinstance(each, Ranking)]
    marks_given = scale_of(rated, scale)
    reading = _rated(rated, marks_given) if rated else _ranked(ranked, criterion)
    marks, votes = reading.marks, reading.votes
    timed = list(answers) or [_timed(each) for each in ranked if each.seconds > 0]
    evidence = Evidence(timed=timed, gold=gold or {}, shown=shown or {}, repeats=repeats)
    if rated:
        habits = habits_of_rated(marks, marks_given, evidence)
    else:
        if not evidence.shown:
            evidence = replace(evidence, shown=displays(comparisons, ranked))
        habits = habits_of(ranked, marks, votes, evidence)
    reports = reports_on(votes, habits, raters or {})
    weights = np.array([report.weight for report in reports])
    close = contested_in(marks, votes, weights)
    pairs = votes_of(as_rankings(rated)) if rated else votes
    standings, matches = league(pairs, models) if models else ((), ())
    return Summary(
        kind=reading.kind,
        answers=len(marks.rater),
        items=len(marks.comparisons),
        raters=len(marks.raters),
        figures=reading.figures,
        time=timing.figures(timed, marks),
        labelers=tuple(reports),
        contested=tuple(sorted(close, key=lambda each: each.answers >= contested_overlap)),
        models=standings,
        matches=matches,
    )


def _ranked(rankings: Sequence[Ranking], criterion: str) -> _Reading:
    marks = marks_of(rankings)
    votes = votes_in(marks)
    ranks = measures.rank_units(marks)
    kinds = ranks.counts.shape[1]
    rejected = measures.units_of(marks, marks.rejected.astype(int), 2)
    signs = np.array([-1, 0, 1])
    sums = {
        "pair_agreement": measures.pair_agreement(votes),
        "alpha_pairs": measures.alpha_of(measures.pair_units(votes), signs, "nominal"),
        "alpha_ranks": measures.alpha_of(ranks, np.arange(kinds), "ordinal"),
        "tau_b": measures.mean_tau_b(votes),
        "kendall_w": measures.mean_kendall_w(marks, votes),
        "ac2_ranks": measures.gwet_of(ranks, measures.ordinal_weights(kinds)),
        "ac1_rejected": measures.gwet_of(rejected, np.eye(2)),
        "rejected_share": measures.rejected_share(marks),
        "tie_share": measures.tie_share(marks, votes),
    }
    found = intervals(list(sums.values()))
    figures = [
        figure(RANKING[name], sum_, interval)
        for (name, sum_), interval in zip(sums.items(), found, strict=True)
    ]
    agreed = figures[0].value
    if agreed is not None:
        figures[0] = replace(figures[0], warning=human_range(agreed, criterion))
    return _Reading("ranking", marks, votes, tuple(figures))


def _rated(rated: Sequence[Rated], scale: Sequence[int]) -> _Reading:
    marks = marks_of_rated(rated, scale)
    votes = votes_on_cuts(marks, scale)
    units = measures.units_of(marks, marks.level, len(scale))
    values = np.array(scale, dtype=float)
    sums: dict[str, Sums] = {
        "mark_agreement": measures.pair_agreement(votes),
        "alpha_nominal": measures.alpha_of(units, values, "nominal"),
        "alpha_ordinal": measures.alpha_of(units, values, "ordinal"),
        "ac1_marks": measures.gwet_of(units, np.eye(len(scale))),
        "ac2_marks": measures.gwet_of(units, measures.ordinal_weights(len(scale))),
        "mean_mark": measures.mean_mark(marks, values),
    }
    thumbs = tuple(scale) == (0, 1)
    if thumbs:
        # Of two marks, near and far are the same.
        del sums["alpha_ordinal"], sums["ac2_marks"]
    meanings = RATING | ({"mean_mark": THUMBS} if thumbs else {})
    found = intervals(list(sums.values()))
    figures = [
        figure(meanings[name], sum_, interval)
        for (name, sum_), interval in zip(sums.items(), found, strict=True)
    ]
    return _Reading("rating", marks, votes, tuple(figures))


def _timed(ranking: Ranking) -> Timed:
    return Timed(ranking.comparison_id, ranking.rater_id, ranking.seconds)
