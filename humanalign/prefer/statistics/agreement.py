"""How far raters agree: raw pair agreement, Krippendorff's alpha, tau-b, Kendall's W, Gwet's AC1.

A coefficient that is undefined (all values alike, nothing to pair) is None and says why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from humanalign.errors import DataError
from humanalign.intervals import mean_interval
from humanalign.prefer.statistics import measures
from humanalign.prefer.statistics.bootstrap import Sums
from humanalign.prefer.statistics.measures import Level
from humanalign.prefer.statistics.votes import Votes, marks_of, votes_in, votes_of
from humanalign.types import EvalResult, Ranking


@dataclass(frozen=True)
class Coefficient:
    """A coefficient over `n` units, or None and the reason why it is undefined."""

    value: float | None
    n: int
    reason: str = ""


@dataclass(frozen=True)
class Agreement:
    """What the owner of a project sees of one criterion.

    `pairs` is the raw agreement of two raters on a pair (what papers quote); alpha is nominal on
    pairs and ordinal on ranks; `rejection` is Gwet's AC1 on the F marks, which are rare.
    """

    pairs: EvalResult | None
    alpha_pairs: Coefficient
    alpha_ranks: Coefficient
    rejection: Coefficient


def agreement(rankings: Sequence[Ranking]) -> Agreement:
    """Every coefficient over `rankings`, matched by comparison and completion, never by name."""
    marks = marks_of(rankings)
    votes = votes_in(marks)
    ranks = measures.rank_units(marks)
    rejected = measures.units_of(marks, marks.rejected.astype(int), 2)
    signs = measures.pair_units(votes)
    return Agreement(
        pairs=_pair_agreement(votes),
        alpha_pairs=coefficient(measures.alpha_of(signs, np.array([-1, 0, 1]), "nominal"), signs),
        alpha_ranks=coefficient(
            measures.alpha_of(ranks, np.arange(ranks.counts.shape[1]), "ordinal"), ranks
        ),
        rejection=coefficient(measures.gwet_of(rejected, np.eye(2)), rejected),
    )


def coefficient(sums: Sums, units: measures.Units) -> Coefficient:
    """The value of `sums` over the units that two raters judged, or why it has none."""
    paired = units.counts.sum(1) > 1
    if not paired.any():
        return Coefficient(None, 0, "no unit was judged by two raters")
    n = int(paired.sum())
    if (units.counts[paired].sum(0) > 0).sum() == 1:
        return Coefficient(None, n, "every answer says the same")
    return Coefficient(sums.value(), n)


def pair_agreement(rankings: Sequence[Ranking]) -> EvalResult | None:
    """The chance that two raters put two completions in the same order; a tie counts 1/2.

    Clustered by comparison. None where fewer than two comparisons have two raters.
    """
    return _pair_agreement(votes_of(rankings))


def _pair_agreement(votes: Votes) -> EvalResult | None:
    score, total = votes.left_out(np.ones(len(votes.raters)))
    shared = total > 0
    clusters = votes.unit_comparison[votes.unit[shared]]
    if len(np.unique(clusters)) < 2:
        return None
    return mean_interval(score[shared].tolist(), clusters.tolist(), metric="pair agreement")


def krippendorff_alpha(units: Sequence[Sequence[float]], level: Level = "nominal") -> Coefficient:
    """Krippendorff's alpha = 1 - Do/De (2011, "Computing Krippendorff's alpha-reliability").

    `units[u]` holds the values that raters gave unit u, absent ones left out. Do averages the
    squared differences inside units; De does so over all pairable values.
    """
    paired = [Counter(unit) for unit in units if len(unit) > 1]
    if not paired:
        return Coefficient(None, 0, "no unit was judged by two raters")
    values = sorted(set().union(*paired))
    if len(values) == 1:
        return Coefficient(None, len(paired), f"every value is {values[0]}")
    column = {value: place for place, value in enumerate(values)}
    counts = np.zeros((len(paired), len(values)))
    for row, unit in enumerate(paired):
        for value, count in unit.items():
            counts[row, column[value]] = count
    # Coincidences: each unit's ordered pairs of values, divided by its number of values less one.
    weights = 1.0 / (counts.sum(1) - 1)
    pairs = (counts * weights[:, None]).T @ counts - np.diag(weights @ counts)
    sums = np.concatenate([pairs.ravel(), counts.sum(0)])
    alpha = measures.alpha(sums, np.array(values, dtype=float), level)
    return Coefficient(float(alpha), len(paired))


def tau_b(first: Sequence[float], second: Sequence[float]) -> Coefficient:
    """Kendall's tau-b of two rankings of the same n items in the same order (ties allowed).

    (C - D) / sqrt((n0 - n1)(n0 - n2)); Kendall 1945, "The treatment of ties in ranking problems".
    """
    _same_length([first, second])
    a, b = _signs(first), _signs(second)
    scale = float(np.abs(a).sum() * np.abs(b).sum())
    if scale == 0:
        return Coefficient(None, len(first), "one ranking ties everything")
    return Coefficient(float((a * b).sum() / scale**0.5), len(first))


def kendall_w(ranks: Sequence[Sequence[float]]) -> Coefficient:
    """Kendall's W of m rankings of n items: 12 S / (m^2 (n^3 - n) - m sum T), with ties.

    Any ranks that keep the order will do; ties get their mean rank. T = sum(t^3 - t) over the tie
    groups of a rater (Kendall & Babington Smith 1939).
    """
    _same_length(ranks)
    m, n = len(ranks), len(ranks[0]) if ranks else 0
    if m < 2 or n < 2:
        return Coefficient(None, n, f"needs 2 raters and 2 items, got {m} and {n}")
    sums = np.sum([_mean_ranks(row) for row in ranks], axis=0)
    spread = float(((sums - sums.mean()) ** 2).sum())
    ties = sum(t**3 - t for row in ranks for t in Counter(row).values())
    scale = m * m * (n**3 - n) - m * ties
    if scale == 0:
        return Coefficient(None, n, "every rater ties everything")
    return Coefficient(12 * spread / scale, n)


def gwet_ac1(units: Sequence[Sequence[Hashable]]) -> Coefficient:
    """Gwet's AC1 = (pa - pe)/(1 - pe) for any number of raters, absent values left out.

    pe = sum(q (1 - q)) / (Q - 1) over the Q categories seen (Gwet 2008, doi 10.1348/
    000711006X126600): stays sensible where one category is rare, as F marks should be.
    """
    kinds = list(dict.fromkeys(value for unit in units for value in unit))
    return _gwet(units, kinds, np.eye(len(kinds)))


def gwet_ac2(units: Sequence[Sequence[float]]) -> Coefficient:
    """Gwet's AC2 with ordinal weights: values further apart agree less (Gwet 2014, chapter 3)."""
    kinds = sorted({value for unit in units for value in unit})
    return _gwet(units, kinds, measures.ordinal_weights(len(kinds)))


def _gwet(units: Sequence[Sequence], kinds: Sequence, weights: np.ndarray) -> Coefficient:
    paired = sum(len(unit) > 1 for unit in units)
    if not paired:
        return Coefficient(None, 0, "no unit was judged by two raters")
    if len(kinds) == 1:
        return Coefficient(None, paired, f"every value is {kinds[0]}")
    column = {value: place for place, value in enumerate(kinds)}
    counts = np.zeros((len(units), len(kinds)))
    for row, unit in enumerate(units):
        for value in unit:
            counts[row, column[value]] += 1
    together = measures.Units(counts, np.zeros(len(units), dtype=np.int64), 1)
    return Coefficient(measures.gwet_of(together, weights).value(), paired)


def _signs(ranks: Sequence[float]) -> np.ndarray:
    return np.array([np.sign(b - a) for a, b in combinations(ranks, 2)])


def _mean_ranks(ranks: Sequence[float]) -> np.ndarray:
    row = np.asarray(ranks, dtype=float)
    return (row[:, None] > row).sum(1) + ((row[:, None] == row).sum(1) + 1) / 2


def _same_length(rows: Sequence[Sequence[float]]) -> None:
    lengths = {len(row) for row in rows}
    if len(lengths) > 1:
        raise DataError(f"the rankings have {sorted(lengths)} items; rank the same items in each")
