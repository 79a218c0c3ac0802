"""Ratings and thumbs as marks and votes, so that they are read with the coefficients of rankings.

A mark of 2 on a scale of 1 to 3 is a weak order of the completion and the cuts between the marks:
above "2 or more", below "3 or more". Each cut is a unit on which raters vote, so a thumb is one
vote and two raters' agreement on a rating is the share of cuts on whose side they are together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from humanalign.prefer.statistics.habits import Evidence, Habits, speeds
from humanalign.prefer.statistics.votes import Marks, Votes, gathered
from humanalign.types import Ranking

# One mark for everything is a straight line only where the others use other marks too.
ONE_MARK_FOR_ALL = 0.8
WORDS = {"up": 1, "down": 0}


@dataclass(frozen=True)
class Rated:
    """One rater's ratings or thumbs of an item, by completion id: higher is better, up is 1."""

    item: str
    rater: str
    marks: Mapping[str, int] = field(hash=False)


def scale_of(rated: Sequence[Rated], scale: Sequence[int]) -> tuple[int, ...]:
    """Every mark there is, worst first: those of `scale` and those that somebody gave."""
    return tuple(sorted({*scale, *(mark for each in rated for mark in each.marks.values())}))


def marks_of_rated(rated: Sequence[Rated], scale: Sequence[int]) -> Marks:
    """The marks; `level` is the place of a mark in `scale`, here higher is better."""
    place = {mark: number for number, mark in enumerate(scale)}
    ordered = sorted(rated, key=lambda each: (each.item, each.rater))
    ids = [name for each in ordered for name in each.marks]
    level = [place[mark] for each in ordered for mark in each.marks.values()]
    answer = np.repeat(np.arange(len(ordered)), [len(each.marks) for each in ordered])
    flat = np.stack([answer, np.array(level, dtype=np.int64), np.zeros(len(ids), dtype=np.int64)])
    return gathered(
        [each.item for each in ordered], [each.rater for each in ordered], ids, flat.astype(int)
    )


def votes_on_cuts(marks: Marks, scale: Sequence[int]) -> Votes:
    """One vote for every mark and cut: +1 where the mark is at the cut or above, else -1."""
    cuts = max(len(scale) - 1, 0)
    target, comparison = marks.targets()
    rows = np.repeat(np.arange(len(marks.answer)), cuts)
    cut = np.tile(np.arange(1, cuts + 1), len(marks.answer))
    completion = np.zeros(len(comparison), dtype=np.int64)
    completion[target] = marks.completion
    labels = [f"{mark} or more" for mark in scale[1:]]
    return Votes(
        raters=marks.raters,
        comparisons=marks.comparisons,
        units=tuple((marks.completions[c], label) for c in completion.tolist() for label in labels),
        unit_comparison=np.repeat(comparison, cuts),
        rater=marks.rater[marks.answer[rows]],
        unit=target[rows] * cuts + cut - 1,
        sign=np.where(marks.level[rows] >= cut, 1, -1),
        answer=marks.answer[rows],
        first=rows,
        second=rows,
    )


def as_rankings(rated: Sequence[Rated]) -> list[Ranking]:
    """The ratings of two completions or more as weak orders, the highest mark first."""
    rankings = []
    for each in rated:
        if len(each.marks) > 1:
            known = sorted(set(each.marks.values()), reverse=True)
            tiers = tuple(tuple(c for c, m in each.marks.items() if m == mark) for mark in known)
            rankings.append(Ranking(each.item, each.rater, tiers))
    return rankings


def habits_of_rated(marks: Marks, scale: Sequence[int], evidence: Evidence) -> list[Habits]:
    """The habits of every rater: one mark for everything, speed, gold items."""
    size, kinds = len(marks.raters), len(scale)
    rater = marks.rater[marks.answer]
    used = np.bincount(rater * kinds + marks.level, minlength=size * kinds).reshape(size, kinds)
    share = used / np.maximum(used.sum(1, keepdims=True), 1)
    pool = used.sum(0) / max(used.sum(), 1)
    alike = (share.max(1, initial=0) == 1) & (pool[share.argmax(1)] < ONE_MARK_FOR_ALL)
    timing = speeds(marks, evidence.timed)
    gold, items = _gold(marks, scale, evidence)
    return [
        Habits(
            answers=int((marks.rater == number).sum()),
            straight=float(alike[number]),
            tied=0.0,
            rejected=0.0,
            median_seconds=timing["median_seconds"][number],
            seconds_per_card=timing["seconds_per_card"][number],
            revised=timing["revised"][number],
            gold=float(gold[number]) if items[number] else None,
            gold_items=int(items[number]),
        )
        for number in range(size)
    ]


def _gold(marks: Marks, scale: Sequence[int], evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
    """(share of gold marks met [R], gold items answered [R])."""
    size = len(marks.raters)
    met, total, items = np.zeros(size), np.zeros(size), np.zeros(size, dtype=np.int64)
    golden = {
        n: evidence.gold[name] for n, name in enumerate(marks.comparisons) if name in evidence.gold
    }
    for number in np.flatnonzero(np.isin(marks.comparison, list(golden))).tolist():
        rater = marks.rater[number]
        right = golden[int(marks.comparison[number])]
        items[rater] += 1
        for row in np.flatnonzero(marks.answer == number).tolist():
            name = marks.completions[marks.completion[row]]
            if name in right:
                wanted = right[name]
                met[rater] += scale[marks.level[row]] == WORDS.get(str(wanted), wanted)
                total[rater] += 1
    return met / np.maximum(total, 1), items
