"""The coefficients of agreement as sums over comparisons, from flat arrays.

Each function returns `Sums`: what every comparison adds, and the formula over the totals, so that
100,000 answers take well under a second and one bootstrap serves all. `agreement.py` has the same
coefficients for lists of values, as published. Letters: C comparisons, U units, Q values.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from humanalign.errors import DataError
from humanalign.prefer.statistics.bootstrap import Sums, ratio
from humanalign.prefer.statistics.votes import Marks, Votes

Level = Literal["nominal", "ordinal", "interval", "ratio"]


def pair_agreement(votes: Votes) -> Sums:
    """The chance that two raters give a pair the same order, a tie counting 1/2."""
    score, _ = votes.left_out(np.ones(len(votes.raters)))
    met = ~np.isnan(score)
    comparison = votes.unit_comparison[votes.unit[met]]
    return _ratio_of(comparison, len(votes.comparisons), score[met], np.ones(met.sum()))


@dataclass(frozen=True)
class Units:
    """What was judged: `counts` [U, Q] of each value, `comparison` [U], out of `size` of them."""

    counts: np.ndarray
    comparison: np.ndarray
    size: int


def alpha_of(units: Units, values: np.ndarray, level: Level) -> Sums:
    """Krippendorff's alpha of the `values` [Q] at a level of measurement."""
    paired = units.counts.sum(1) > 1
    counts, clusters = units.counts[paired], units.comparison[paired]
    weights = 1.0 / (counts.sum(1) - 1)
    # Coincidences: each unit's ordered pairs of values, divided by its number of values less one.
    pairs = counts[:, :, None] * counts[:, None, :] * weights[:, None, None]
    place = np.arange(counts.shape[1])
    pairs[:, place, place] -= counts * weights[:, None]
    parts = np.concatenate([pairs.reshape(len(counts), counts.shape[1] ** 2), counts], axis=1)
    rows = _by_cluster(parts, clusters, units.size)
    return Sums(rows, partial(alpha, values=values, level=level), len(np.unique(clusters)))


def alpha(sums: np.ndarray, values: np.ndarray, level: Level) -> np.ndarray:
    """1 - Do/De from sums [..., Q^2 + Q]: the coincidences, then how often each value occurs."""
    size = len(values)
    pairs = sums[..., : size * size].reshape(*sums.shape[:-1], size, size)
    totals = sums[..., size * size :]
    distance = _distance(values, totals, level)
    # A value's distance to itself is 0, so the diagonals do not count.
    expected = totals[..., :, None] * totals[..., None, :] / (totals.sum(-1) - 1)[..., None, None]
    do, de = (pairs * distance).sum((-2, -1)), (expected * distance).sum((-2, -1))
    return np.where(de > 0, 1 - do / np.where(de > 0, de, 1.0), np.nan)


def gwet_of(units: Units, weights: np.ndarray) -> Sums:
    """Gwet's AC2 with `weights` [Q, Q] of agreement between two values; the identity gives AC1.

    pa averages over units that two raters judged, the shares of the values over all units.
    """
    judged = units.counts.sum(1) > 0
    counts, clusters = units.counts[judged], units.comparison[judged]
    total = counts.sum(1)
    paired = total > 1
    pairs = np.where(paired, total * (total - 1), 1.0)
    agreed = (counts * (counts @ weights - 1)).sum(1) * paired / pairs
    shares = counts / total[:, None]
    rows = _by_cluster(np.column_stack([agreed, paired, shares]), clusters, units.size)
    n = len(np.unique(clusters[paired]))
    # A formula of one value alone would call it full agreement.
    alike = "every mark is the same" if n and (counts.sum(0) > 0).sum() == 1 else ""
    return Sums(rows, partial(gwet, weights=weights), n, alike)


def gwet(sums: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(pa - pe)/(1 - pe), pe = T sum(q (1 - q)) / (Q (Q - 1)), T the sum of all weights."""
    size = len(weights)
    agreed, shares = ratio(sums), sums[..., 2:]
    whole = shares.sum(-1, keepdims=True)
    q = shares / np.where(whole > 0, whole, 1.0)
    chance = weights.sum() * (q * (1 - q)).sum(-1) / (size * max(size - 1, 1))
    return np.where(chance < 1, (agreed - chance) / np.where(chance < 1, 1 - chance, 1.0), np.nan)


def ordinal_weights(size: int) -> np.ndarray:
    """[Q, Q] Gwet's ordinal weights 1 - C(|k - l| + 1, 2) / C(Q, 2) (2014, chapter 3)."""
    apart = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
    return 1 - apart * (apart + 1) / max(size * (size - 1), 1)


def mean_tau_b(votes: Votes) -> Sums:
    """Kendall's tau-b, averaged over every two raters of every comparison.

    With x = sign / sqrt(pairs not tied), tau-b of two raters is the sum of x x' over the pairs,
    so that all raters' sum comes from (sum of x)^2 - sum of x^2. Who ties everything is left out.
    """
    answers = int(votes.answer.max(initial=-1)) + 1
    norm = np.bincount(votes.answer, np.abs(votes.sign), answers)
    x = votes.sign / np.sqrt(np.maximum(norm, 1.0))[votes.answer]
    size = len(votes.units)
    crossed = np.bincount(votes.unit, x, size) ** 2 - np.bincount(votes.unit, x * x, size)
    total = np.bincount(votes.unit_comparison, crossed / 2, len(votes.comparisons))
    comparison = np.zeros(answers, dtype=np.int64)
    comparison[votes.answer] = votes.unit_comparison[votes.unit]
    raters = np.bincount(comparison[norm > 0], minlength=len(votes.comparisons))
    couples = raters * (raters - 1) / 2
    return Sums(np.column_stack([total, couples]), ratio, int((couples > 0).sum()))


def mean_kendall_w(marks: Marks, votes: Votes) -> Sums:
    """Kendall's W with ties, averaged over the comparisons of two raters or more.

    A completion's mean rank in an answer is half its pairs lost less won, up to a constant, so W
    is sum_i (sum_r net_ri)^2 / (m sum_r sum_i net_ri^2), net = won less lost: ties are in it.
    """
    total = len(marks.answer)
    net = np.bincount(votes.first, votes.sign, total)
    net -= np.bincount(votes.second, votes.sign, total)
    target, comparison = marks.targets()
    size = len(marks.comparisons)
    together = np.bincount(target, net, len(comparison)) ** 2
    spread = np.bincount(comparison, together, size)
    raters = np.bincount(marks.comparison, minlength=size)
    most = raters * np.bincount(marks.comparison[marks.answer], net**2, size)
    defined = (raters > 1) & (most > 0)
    w = np.where(defined, spread / np.where(defined, most, 1.0), 0.0)
    return Sums(np.column_stack([w, defined]), ratio, int(defined.sum()))


def mean_mark(marks: Marks, values: np.ndarray) -> Sums:
    """The mean of all marks, `values` [Q] by level."""
    comparison = marks.comparison[marks.answer]
    size = len(marks.comparisons)
    return _ratio_of(comparison, size, values[marks.level], np.ones(len(marks.answer)))


def rejected_share(marks: Marks) -> Sums:
    """The share of marks that are F."""
    comparison = marks.comparison[marks.answer]
    size = len(marks.comparisons)
    return _ratio_of(comparison, size, marks.rejected, np.ones(len(marks.answer)))


def tie_share(marks: Marks, votes: Votes) -> Sums:
    """The share of tied pairs among the pairs of completions that are not F."""
    usable = ~(marks.rejected[votes.first] | marks.rejected[votes.second])
    comparison = votes.unit_comparison[votes.unit[usable]]
    tied = votes.sign[usable] == 0
    return _ratio_of(comparison, len(votes.comparisons), tied, np.ones(len(tied)))


def units_of(marks: Marks, values: np.ndarray, kinds: int) -> Units:
    """Each completion of each comparison as a unit; `values` [M] are numbers below `kinds`."""
    target, comparison = marks.targets()
    shape = (len(comparison), kinds)
    counts = np.bincount(target * kinds + values, minlength=shape[0] * kinds).reshape(shape)
    return Units(counts.astype(float), comparison, len(marks.comparisons))


def rank_units(marks: Marks) -> Units:
    """Each completion as a unit, its values the competition ranks (1, 2, 2, 4) less one.

    F is outside of the ranks, so an F mark is no value here; `gwet_of` the F marks tells of them.
    """
    kept = ~marks.rejected
    answer, level = marks.answer[kept], marks.level[kept]
    deep = int(level.max(initial=0)) + 1
    tiers = np.bincount(answer * deep + level, minlength=deep * len(marks.rater))
    # A rank counts those of the tiers above it.
    above = tiers.reshape(-1, deep).cumsum(1) - tiers.reshape(-1, deep)
    rank = above[answer, level]
    target, comparison = marks.targets()
    shape = (len(comparison), int(rank.max(initial=0)) + 1)
    counts = np.bincount(target[kept] * shape[1] + rank, minlength=shape[0] * shape[1])
    return Units(counts.reshape(shape).astype(float), comparison, len(marks.comparisons))


def pair_units(votes: Votes) -> Units:
    """Each pair as a unit, with the values second better, tied, first better."""
    counts = votes.tally(np.ones(len(votes.raters)))
    return Units(counts, votes.unit_comparison, len(votes.comparisons))


def _ratio_of(clusters: np.ndarray, size: int, above: np.ndarray, below: np.ndarray) -> Sums:
    rows = np.column_stack([np.bincount(clusters, each, size) for each in (above, below)])
    return Sums(rows, ratio, int((rows[:, 1] > 0).sum()))


def _by_cluster(parts: np.ndarray, clusters: np.ndarray, size: int) -> np.ndarray:
    """[size, d]: `parts` [U, d] summed by cluster."""
    columns = [np.bincount(clusters, column, size) for column in parts.T]
    return np.column_stack(columns).astype(float)


def _distance(values: np.ndarray, totals: np.ndarray, level: Level) -> np.ndarray:
    """[..., Q, Q] the squared difference between every two values at a level of measurement."""
    if level == "nominal":
        return 1.0 - np.eye(len(values))
    if level == "interval":
        return (values[:, None] - values) ** 2
    if level == "ratio":
        sums = values[:, None] + values
        return ((values[:, None] - values) / np.where(sums == 0, 1.0, sums)) ** 2
    if level == "ordinal":
        # The number of values between two, half of each end counted.
        middle = np.cumsum(totals, axis=-1) - totals / 2
        return (middle[..., :, None] - middle[..., None, :]) ** 2
    raise DataError(f"level: expected nominal, ordinal, interval or ratio, got '{level}'")
