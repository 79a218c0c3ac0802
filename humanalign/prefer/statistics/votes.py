"""Rankings as marks and as votes on pairs: the flat arrays behind agreement and consensus.

A mark is what one answer says of one completion: its level, 0 for the best tier. A unit is one
pair of completions of one comparison; a vote is one rater's sign on one unit. An F mark stands
below every rank, and two F marks are tied. Letters: A answers, M marks, U units, V votes, R raters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from humanalign.types import Ranking


@dataclass(frozen=True)
class Marks:
    """Answers by (comparison, rater), and their marks by (answer, completion id).

    `rater`, `comparison` [A] index the names; `answer`, `completion`, `level` and `rejected` [M]
    say whose mark it is, of what, which, and whether it is an F.
    """

    raters: tuple[str, ...]
    comparisons: tuple[str, ...]
    completions: tuple[str, ...]
    rater: np.ndarray
    comparison: np.ndarray
    answer: np.ndarray
    completion: np.ndarray
    level: np.ndarray
    rejected: np.ndarray

    def sizes(self) -> np.ndarray:
        """[A] how many completions each answer marks."""
        return np.bincount(self.answer, minlength=len(self.rater))

    def targets(self) -> tuple[np.ndarray, np.ndarray]:
        """(target of each mark [M], comparison of each target [T]): the completions judged.

        A target is a completion in a comparison; targets are in the order of comparisons.
        """
        key = self.comparison[self.answer] * max(len(self.completions), 1) + self.completion
        known, target = np.unique(key, return_inverse=True)
        return target, known // max(len(self.completions), 1)


@dataclass(frozen=True)
class Votes:
    """`rater`, `unit`, `sign` [V]; `unit_comparison` [U] indexes `comparisons`.

    sign +1: the first completion of the unit is better, -1: the second, 0: tied. `answer` [V]
    numbers the answers by (comparison, rater); `first` and `second` [V] are the vote's marks.
    """

    raters: tuple[str, ...]
    comparisons: tuple[str, ...]
    units: tuple[tuple[str, str], ...]
    unit_comparison: np.ndarray
    rater: np.ndarray
    unit: np.ndarray
    sign: np.ndarray
    answer: np.ndarray
    first: np.ndarray
    second: np.ndarray

    def tally(self, weights: np.ndarray) -> np.ndarray:
        """[U, 3]: the summed weight [R] of the votes -1, 0 and +1 on each unit."""
        cell = self.unit * 3 + self.sign + 1
        flat = np.bincount(cell, weights=weights[self.rater], minlength=3 * len(self.units))
        # Counting nothing gives integers.
        return flat.astype(float).reshape(-1, 3)

    def left_out(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(score [V], weight of the others [V]): how far the other raters share each vote.

        The score is the others' weighted share of the same sign, a tie on either side counting
        1/2 (Stiennon et al. 2020, arXiv:2009.01325, quote agreement so); nan without others.
        """
        own, tally = weights[self.rater], self.tally(weights)
        against, tied, for_first = (
            tally[:, column][self.unit] - own * (self.sign == sign)
            for column, sign in enumerate((-1, 0, 1))
        )
        total = against + tied + for_first
        same = np.where(self.sign > 0, for_first, against) + 0.5 * tied
        same = np.where(self.sign == 0, 0.5 * total, same)
        # A remainder of rounding is not a voter.
        alone = total <= 1e-9
        return np.where(alone, np.nan, same / np.where(alone, 1.0, total)), total


def levels(ranking: Ranking) -> dict[str, int]:
    """completion id -> its level: 0 for the best tier, and one level for all F marks."""
    marks = {c: level for level, tier in enumerate(ranking.tiers) for c in tier}
    return marks | dict.fromkeys(ranking.rejected, len(ranking.tiers))


def marks_of(rankings: Sequence[Ranking]) -> Marks:
    """The marks of `rankings`, the same for every order in which they are given."""
    ordered = sorted(rankings, key=lambda r: (r.comparison_id, r.rater_id))
    ids: list[str] = []
    level: list[int] = []
    size, failed = [], []
    for ranking in ordered:
        before = len(ids)
        for number, tier in enumerate(ranking.tiers):
            ids += tier
            level += [number] * len(tier)
        ids += ranking.rejected
        level += [len(ranking.tiers)] * len(ranking.rejected)
        size.append(len(ids) - before)
        failed.append(len(ranking.rejected))
    numbers = np.array(size, dtype=np.int64)
    ends = np.cumsum(numbers)
    answer = np.repeat(np.arange(len(ordered)), numbers)
    # The F marks are the last of their answer.
    rejected = np.arange(len(ids)) >= (ends - np.array(failed, dtype=np.int64))[answer]
    return gathered(
        [ranking.comparison_id for ranking in ordered],
        [ranking.rater_id for ranking in ordered],
        ids,
        np.stack([answer, np.array(level, dtype=np.int64), rejected.astype(np.int64)]),
    )


def gathered(
    comparisons: Sequence[str], raters: Sequence[str], ids: Sequence[str], flat: np.ndarray
) -> Marks:
    """Marks out of the names [A] of answers and [M] of completions.

    `flat` [3, M]: the answer of each mark, its level, and 1 where it is an F.
    """
    comparison_names, comparison = numbered(comparisons)
    rater_names, rater = numbered(raters)
    completion_names, completion = numbered(ids)
    answer, level, rejected = flat
    order = np.argsort(answer * max(len(completion_names), 1) + completion, kind="stable")
    return Marks(
        raters=rater_names,
        comparisons=comparison_names,
        completions=completion_names,
        rater=rater,
        comparison=comparison,
        answer=answer[order],
        completion=completion[order],
        level=level[order],
        rejected=rejected[order].astype(bool),
    )


def numbered(names: Iterable[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """(the distinct names sorted, the number of each name in them)."""
    given = list(names)
    known = tuple(sorted(set(given)))
    place = {name: number for number, name in enumerate(known)}
    return known, np.fromiter((place[name] for name in given), np.int64, len(given))


def votes_of(rankings: Sequence[Ranking]) -> Votes:
    """The votes of `rankings`, the same for every order in which they are given."""
    return votes_in(marks_of(rankings))


def votes_in(marks: Marks) -> Votes:
    """Every answer's sign on every pair of the completions that it marks."""
    first, second = _pairs(marks.sizes())
    answer = marks.answer[first]
    comparison = marks.comparison[answer]
    a, b = marks.completion[first], marks.completion[second]
    size = max(len(marks.completions), 1)
    _, seen, unit = np.unique(
        (comparison * size + a) * size + b, return_index=True, return_inverse=True
    )
    # Units in the order in which they are first voted on.
    order = np.argsort(seen, kind="stable")
    number = np.empty_like(order)
    number[order] = np.arange(len(order))
    names, seen = marks.completions, seen[order]
    return Votes(
        raters=marks.raters,
        comparisons=marks.comparisons,
        units=tuple((names[i], names[j]) for i, j in zip(a[seen], b[seen], strict=True)),
        unit_comparison=comparison[seen],
        rater=marks.rater[answer],
        unit=number[unit],
        sign=np.sign(marks.level[second] - marks.level[first]),
        answer=answer,
        first=first,
        second=second,
    )


def _pairs(sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(first [V], second [V]): the marks of every pair of every answer; `sizes` [A] of them."""
    starts = np.cumsum(sizes) - sizes
    counts = sizes * (sizes - 1) // 2
    offsets = np.cumsum(counts) - counts
    first = np.empty(int(counts.sum()), dtype=np.int64)
    second = np.empty_like(first)
    for size in np.unique(sizes[sizes > 1]).tolist():
        rows = np.flatnonzero(sizes == size)
        i, j = np.triu_indices(size, 1)
        place = offsets[rows][:, None] + np.arange(len(i))
        first[place] = starts[rows][:, None] + i
        second[place] = starts[rows][:, None] + j
    return first, second
