"""Which items are worth another labeler: contested pairs, and how much a further answer would tell.

A pair is contested when at least two raters judged it and their weighted votes lean by less than
1/2. With p the share of the pool that prefers one side and Beta(1 + votes, 1 + votes against)
what is believed of it, a further vote's gain is the expected loss of entropy, in bits, about which
side has the majority (p > 1/2): a vote on a close call tells more than one on a settled one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import betainc

from humanalign.prefer.statistics.consensus import CONTESTED_BELOW
from humanalign.prefer.statistics.ratings import Rated, marks_of_rated, scale_of, votes_on_cuts
from humanalign.prefer.statistics.reliability import iterated, scores_of
from humanalign.prefer.statistics.votes import Marks, Votes, marks_of, votes_in
from humanalign.types import Ranking


@dataclass(frozen=True)
class Contested:
    """An item with contested `pairs`, the one that leads first in each; ratings have (completion,
    "2 or more").

    `answers` it has; `lean` in [0, 1] of its closest pair; `gain` in bits over its pairs.
    """

    item: str
    answers: int
    pairs: tuple[tuple[str, str], ...]
    lean: float
    gain: float


def contested(
    judgements: Sequence[Ranking] | Sequence[Rated], *, weights: Mapping[str, float] | None = None
) -> list[Contested]:
    """The contested items, those first where a further answer tells most, then by id.

    `weights` by rater id; without them the labelers' weights are estimated.
    """
    marks, votes = _read(judgements)
    if weights is None:
        weight = iterated(votes, scores_of(votes).flagged())
    else:
        weight = np.array([weights.get(name, 1.0) for name in votes.raters])
    return contested_in(marks, votes, weight)


def further(
    judgements: Sequence[Ranking] | Sequence[Rated],
    *,
    asked: Mapping[str, int],
    base: int = 3,
    most: int = 5,
) -> list[str]:
    """The items to put to `most` labelers, best first.

    Those that are contested, have all of their `base` answers and were `asked` of fewer than
    `most` labelers. The same judgements give the same list.
    """
    return [
        each.item
        for each in contested(judgements)
        if each.answers >= base and each.item in asked and asked[each.item] < most
    ]


def contested_in(marks: Marks, votes: Votes, weights: np.ndarray) -> list[Contested]:
    """`contested` over arrays; `weights` [R]."""
    tally = _tally(votes, weights)
    total = tally.sum(1)
    toward = tally[:, 2] - tally[:, 0]
    lean = np.abs(toward) / np.maximum(total, 1e-12)
    voters = votes.tally(np.ones(len(votes.raters))).sum(1)
    close = (voters > 1) & (lean < CONTESTED_BELOW) & ~_mostly_rejected(marks, votes)
    gain = np.zeros(len(lean))
    half = 0.5 * tally[close, 1]
    gain[close] = bits(tally[close, 2] + half, tally[close, 0] + half)
    units = np.flatnonzero(close)
    items, first = np.unique(votes.unit_comparison[units], return_index=True)
    if not len(items):
        return []
    answers = np.bincount(marks.comparison)
    nearest = np.minimum.reduceat(lean[units], first)
    gains = np.add.reduceat(gain[units], first)
    found = [
        Contested(
            item=marks.comparisons[item],
            answers=int(answers[item]),
            pairs=tuple(_led(votes.units[unit], float(toward[unit])) for unit in mine.tolist()),
            lean=round(float(nearest[place]), 9),
            gain=round(float(gains[place]), 9),
        )
        for place, (item, mine) in enumerate(
            zip(items.tolist(), np.split(units, first[1:]), strict=True)
        )
    ]
    return sorted(found, key=lambda each: (-each.gain, each.item))


def bits(votes_for: np.ndarray, votes_against: np.ndarray) -> np.ndarray:
    """The expected gain in bits of one more vote about which side has the majority."""
    a, b = 1 + votes_for, 1 + votes_against
    up = a / (a + b)
    after = up * _entropy(a + 1, b) + (1 - up) * _entropy(a, b + 1)
    return np.maximum(_entropy(a, b) - after, 0.0)


def _entropy(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The entropy in bits of p > 1/2 under Beta(a, b)."""
    below = np.clip(betainc(a, b, 0.5), 1e-15, 1 - 1e-15)
    return -(below * np.log2(below) + (1 - below) * np.log2(1 - below))


def _tally(votes: Votes, weights: np.ndarray) -> np.ndarray:
    """[U, 3] votes -1, 0, +1 with a mean weight of 1; where nobody has a weight, all count 1."""
    mean = weights[weights > 0].mean() if (weights > 0).any() else 1.0
    tally = votes.tally(weights / mean)
    size = len(votes.comparisons)
    heard = np.bincount(votes.unit_comparison, tally.sum(1), size) > 0
    plain = votes.tally(np.ones_like(weights))
    return np.where(heard[votes.unit_comparison][:, None], tally, plain)


def _mostly_rejected(marks: Marks, votes: Votes) -> np.ndarray:
    """[U] whether more than half of the raters mark one of the two F."""
    target, comparison = marks.targets()
    share = np.bincount(target, marks.rejected, len(comparison)) / np.maximum(
        np.bincount(target, minlength=len(comparison)), 1
    )
    out = share > 0.5
    either = out[target[votes.first]] | out[target[votes.second]]
    found = np.zeros(len(votes.units), dtype=bool)
    found[votes.unit] = either
    return found


def _led(pair: tuple[str, str], toward: float) -> tuple[str, str]:
    return pair if toward >= 0 else (pair[1], pair[0])


def _read(judgements: Sequence[Ranking] | Sequence[Rated]) -> tuple[Marks, Votes]:
    rated = [each for each in judgements if isinstance(each, Rated)]
    if rated:
        scale = scale_of(rated, ())
        marks = marks_of_rated(rated, scale)
        return marks, votes_on_cuts(marks, scale)
    marks = marks_of([each for each in judgements if isinstance(each, Ranking)])
    return marks, votes_in(marks)
