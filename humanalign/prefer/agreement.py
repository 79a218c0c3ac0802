"""How far raters agree: raw pair agreement, Krippendorff's alpha, tau-b, Kendall's W, Gwet's AC1.

A coefficient that is undefined (all values alike, nothing to pair) is None and says why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from humanalign.errors import DataError
from humanalign.intervals import mean_interval
from humanalign.prefer.votes import levels, votes_of
from humanalign.types import EvalResult, Ranking

Level = Literal["nominal", "ordinal", "interval", "ratio"]


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
    marks: dict[tuple[str, str], list[int]] = {}
    rejected: dict[tuple[str, str], list[int]] = {}
    for ranking in rankings:
        for completion_id, level in levels(ranking).items():
            unit = (ranking.comparison_id, completion_id)
            marks.setdefault(unit, []).append(level)
            rejected.setdefault(unit, []).append(int(completion_id in ranking.rejected))
    votes = votes_of(rankings)
    signs: list[list[int]] = [[] for _ in votes.units]
    for unit, sign in zip(votes.unit.tolist(), votes.sign.tolist(), strict=True):
        signs[unit].append(sign)
    return Agreement(
        pairs=pair_agreement(rankings),
        alpha_pairs=krippendorff_alpha(signs, "nominal"),
        alpha_ranks=krippendorff_alpha(list(marks.values()), "ordinal"),
        rejection=gwet_ac1(list(rejected.values())),
    )


def pair_agreement(rankings: Sequence[Ranking]) -> EvalResult | None:
    """The chance that two raters put two completions in the same order; a tie counts 1/2.

    Clustered by comparison. None where fewer than two comparisons have two raters.
    """
    votes = votes_of(rankings)
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
    totals = counts.sum(0)
    distance = _distance(np.array(values, dtype=float), totals, level)
    expected = (np.outer(totals, totals) - np.diag(totals)) / (totals.sum() - 1)
    alpha = 1 - (pairs * distance).sum() / (expected * distance).sum()
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
    counts = [Counter(unit) for unit in units if unit]
    paired = [unit for unit in counts if unit.total() > 1]
    categories = set().union(*counts) if counts else set()
    if not paired:
        return Coefficient(None, 0, "no unit was judged by two raters")
    if len(categories) == 1:
        return Coefficient(None, len(paired), f"every value is {next(iter(categories))}")
    agreed = np.mean(
        [
            sum(c * (c - 1) for c in unit.values()) / (unit.total() * (unit.total() - 1))
            for unit in paired
        ]
    )
    shares = [np.mean([unit[q] / unit.total() for unit in counts]) for q in categories]
    chance = sum(q * (1 - q) for q in shares) / (len(categories) - 1)
    return Coefficient(float((agreed - chance) / (1 - chance)), len(paired))


def _distance(values: np.ndarray, totals: np.ndarray, level: Level) -> np.ndarray:
    """The squared difference between every two values at a level of measurement."""
    if level == "nominal":
        return 1.0 - np.eye(len(values))
    if level == "interval":
        return (values[:, None] - values) ** 2
    if level == "ratio":
        sums = values[:, None] + values
        return ((values[:, None] - values) / np.where(sums == 0, 1.0, sums)) ** 2
    if level == "ordinal":
        # The number of values between two, half of each end counted.
        middle = np.cumsum(totals) - totals / 2
        return (middle[:, None] - middle) ** 2
    raise DataError(f"level: expected nominal, ordinal, interval or ratio, got '{level}'")


def _signs(ranks: Sequence[float]) -> np.ndarray:
    return np.array([np.sign(b - a) for a, b in combinations(ranks, 2)])


def _mean_ranks(ranks: Sequence[float]) -> np.ndarray:
    row = np.asarray(ranks, dtype=float)
    return (row[:, None] > row).sum(1) + ((row[:, None] == row).sum(1) + 1) / 2


def _same_length(rows: Sequence[Sequence[float]]) -> None:
    lengths = {len(row) for row in rows}
    if len(lengths) > 1:
        raise DataError(f"the rankings have {sorted(lengths)} items; rank the same items in each")
