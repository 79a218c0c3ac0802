"""What each labeler's answers look like by themselves: shares, speed, gold items, repeats.

Nothing here needs a second labeler. Position is read against the order in which the completions
were shown to that labeler; seconds are the browser's active time where it is known, else the
server's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from scipy.special import stdtrit

from humanalign.prefer.display import order
from humanalign.prefer.ranks import Mark
from humanalign.prefer.statistics.votes import Marks, Votes, levels
from humanalign.types import Comparison, Ranking

Shown = Mapping[tuple[str, str], Sequence[str]]
# Below every rank that 9 completions can have.
LAST = 10


@dataclass(frozen=True)
class Timed:
    """When and how fast an answer was given: seconds of the server and of the browser.

    `seconds` 0 and `active` None mean unknown; `dwell` is by card; `changes` counts marks that
    were changed before submission, `revision` the answers to this item.
    """

    item: str
    rater: str
    seconds: float
    active: float | None = None
    dwell: Mapping[str, float] = field(default_factory=dict, hash=False)
    changes: int = 0
    at: float = 0.0
    revision: int = 1

    def spent(self) -> float:
        """The active seconds where the browser told them, else the server's; 0 is unknown."""
        return self.seconds if self.active is None else self.active


@dataclass(frozen=True)
class Evidence:
    """What is known of the answers beside the marks; every part may be empty.

    `gold` holds the right marks of an item by completion id, `shown` the order of display by
    (item, rater), `repeats` second answers to an item that were given independently.
    """

    timed: Sequence[Timed] = ()
    gold: Mapping[str, Mapping[str, Mark]] = field(default_factory=dict, hash=False)
    shown: Shown = field(default_factory=dict, hash=False)
    repeats: Sequence[Ranking] = ()


@dataclass(frozen=True)
class Habits:
    """One labeler's `answers`: shares of them that are all alike (`straight`), of tied pairs, of
    F marks, of answers in the order of display; None where nothing is known.

    `position_tau` is the mean tau-b with the order of display and `position_low` its lower
    one-sided 95 % bound; `gold` the share of pairs right in `gold_items`; `self_agreement` the
    share of `self_pairs` judged again with the same outcome; `revised` the share of answers that
    were changed after submission.
    """

    answers: int
    straight: float
    tied: float
    rejected: float
    position: float | None = None
    position_tau: float | None = None
    position_low: float | None = None
    median_seconds: float | None = None
    seconds_per_card: float | None = None
    gold: float | None = None
    gold_items: int = 0
    self_agreement: float | None = None
    self_pairs: int = 0
    revised: float | None = None


def habits_of(
    rankings: Sequence[Ranking], marks: Marks, votes: Votes, evidence: Evidence
) -> list[Habits]:
    """The habits of every rater of `marks`, in their order."""
    size = len(marks.raters)
    answers = np.bincount(marks.rater, minlength=size)
    shares = [_mean(marks, values) for values in _shapes(marks, votes)]
    columns: dict[str, list] = {
        "answers": answers.tolist(),
        "straight": shares[0],
        "tied": shares[1],
        "rejected": shares[2],
    }
    columns |= _positions(marks, votes, evidence.shown)
    columns |= speeds(marks, evidence.timed)
    columns |= _gold(rankings, marks.raters, evidence.gold)
    columns |= _repeats(rankings, marks, evidence.repeats)
    names = list(columns)
    rows = zip(*columns.values(), strict=True)
    return [Habits(**dict(zip(names, row, strict=True))) for row in rows]


def displays(comparisons: Iterable[Comparison], rankings: Sequence[Ranking]) -> Shown:
    """The order in which each ranking's rater saw its comparison, from the seeded permutation."""
    known = {each.id: each for each in comparisons}
    return {
        (r.comparison_id, r.rater_id): order(known[r.comparison_id], r.rater_id)
        for r in rankings
        if r.comparison_id in known
    }


def _shapes(marks: Marks, votes: Votes) -> list[np.ndarray]:
    """Per answer [A]: all marks alike, the share of tied pairs without F, the share of F."""
    count, sizes = len(marks.rater), marks.sizes()
    pairs = np.maximum(sizes * (sizes - 1) / 2, 1)
    failed = np.bincount(marks.answer, marks.rejected, count)
    ties = np.bincount(votes.answer, votes.sign == 0, count)
    alike = (ties == sizes * (sizes - 1) / 2).astype(float)
    return [alike, (ties - failed * (failed - 1) / 2) / pairs, failed / np.maximum(sizes, 1)]


def _mean(marks: Marks, values: np.ndarray) -> list[float]:
    """The mean over each rater's answers."""
    size = len(marks.raters)
    total = np.bincount(marks.rater, values, size)
    return (total / np.maximum(np.bincount(marks.rater, minlength=size), 1)).tolist()


def _positions(marks: Marks, votes: Votes, shown: Shown) -> dict[str, list]:
    """How far ranks follow the order of display: the share that does, mean tau-b and its bound."""
    place = _places(marks, shown)
    known = (place[votes.first] >= 0) & (place[votes.second] >= 0)
    before = np.sign(place[votes.second] - place[votes.first])
    count = len(marks.rater)
    along = np.bincount(votes.answer[known], (votes.sign * before)[known], count)
    ordered = np.bincount(votes.answer[known], np.abs(votes.sign)[known], count)
    pairs = np.bincount(votes.answer[known], minlength=count)
    defined = ordered > 0
    tau = along / np.sqrt(np.maximum(ordered * pairs, 1))
    follows = (along == ordered) & defined
    columns: dict[str, list] = {"position": [], "position_tau": [], "position_low": []}
    for number in range(len(marks.raters)):
        mine = (marks.rater == number) & defined
        mean, low = _lower(tau[mine])
        columns["position"].append(float(follows[mine].mean()) if mine.any() else None)
        columns["position_tau"].append(mean)
        columns["position_low"].append(low)
    return columns


def _places(marks: Marks, shown: Shown) -> np.ndarray:
    """[M] at which place, from 0, each mark's completion was shown; -1 where unknown."""
    found = np.full(len(marks.answer), -1)
    if not shown:
        return found
    number = {name: each for each, name in enumerate(marks.completions)}
    answer, completion, place = [], [], []
    comparison, rater = marks.comparison.tolist(), marks.rater.tolist()
    for each, (item, who) in enumerate(zip(comparison, rater, strict=True)):
        for at, name in enumerate(shown.get((marks.comparisons[item], marks.raters[who]), ())):
            if name in number:
                answer.append(each)
                completion.append(number[name])
                place.append(at)
    size = len(marks.completions)
    key = np.array(answer, dtype=np.int64) * size + np.array(completion, dtype=np.int64)
    mine = marks.answer * size + marks.completion
    rows = np.searchsorted(mine, key)
    there = mine[np.minimum(rows, len(mine) - 1)] == key
    found[rows[there]] = np.array(place)[there]
    return found


def _lower(values: np.ndarray) -> tuple[float | None, float | None]:
    """(mean, lower one-sided 95 % bound by Student's t) of the answers' values."""
    n = len(values)
    if n < 2:
        return (float(values[0]) if n else None), None
    spread = float(values.std(ddof=1)) / n**0.5
    return float(values.mean()), float(values.mean()) - float(stdtrit(n - 1, 0.95)) * spread


def speeds(marks: Marks, timed: Sequence[Timed]) -> dict[str, list]:
    """The median seconds of an answer and of a card, and the share of revised answers."""
    spent = {(each.item, each.rater): (each.spent(), each.revision) for each in timed}
    whose = zip(marks.comparison.tolist(), marks.rater.tolist(), strict=True)
    found = [spent.get((marks.comparisons[c], marks.raters[r]), (0.0, 0)) for c, r in whose]
    seconds, revision = np.array(found, dtype=float).reshape(-1, 2).T
    cards = np.maximum(marks.sizes(), 1)
    columns: dict[str, list] = {"median_seconds": [], "seconds_per_card": [], "revised": []}
    for number in range(len(marks.raters)):
        mine = (marks.rater == number) & (seconds > 0)
        columns["median_seconds"].append(_median(seconds[mine]))
        columns["seconds_per_card"].append(_median(seconds[mine] / cards[mine]))
        counted = revision[(marks.rater == number) & (revision > 0)]
        columns["revised"].append(float((counted > 1).mean()) if len(counted) else None)
    return columns


def _median(values: np.ndarray) -> float | None:
    return float(np.median(values)) if len(values) else None


def _gold(
    rankings: Sequence[Ranking], raters: Sequence[str], gold: Mapping[str, Mapping[str, Mark]]
) -> dict[str, list]:
    """Each rater's mean share of the pairs that gold marks order, over their gold items."""
    right: dict[str, list[float]] = {}
    for ranking in rankings if gold else ():
        if ranking.comparison_id in gold:
            share = _shared(levels(ranking), gold_levels(gold[ranking.comparison_id]))
            if share is not None:
                right.setdefault(ranking.rater_id, []).append(share)
    return {
        "gold": [float(np.mean(right[name])) if name in right else None for name in raters],
        "gold_items": [len(right.get(name, ())) for name in raters],
    }


def gold_levels(marks: Mapping[str, Mark]) -> dict[str, int]:
    """Gold marks with the best lowest; an F is the worst."""
    return {each: mark if isinstance(mark, int) else LAST for each, mark in marks.items()}


def _shared(mark: Mapping[str, int], right: Mapping[str, int]) -> float | None:
    """The share of pairs ordered by `right` that `mark` orders so, a tie 1/2; None of none."""
    scores = []
    for a, b in combinations([each for each in right if each in mark], 2):
        truth = np.sign(right[b] - right[a])
        if truth:
            scores.append((1 + truth * np.sign(mark[b] - mark[a])) / 2)
    return float(np.mean(scores)) if scores else None


def _repeats(
    rankings: Sequence[Ranking], marks: Marks, repeats: Sequence[Ranking]
) -> dict[str, list]:
    """How often a rater judged two completions the same way again, in a repeat or another item."""
    first: dict[tuple[str, str, str], int] = {}
    same: dict[str, list[float]] = {}
    for ranking in [*_met_again(rankings, marks, repeats), *repeats]:
        mark = levels(ranking)
        for a, b in combinations(sorted(mark), 2):
            sign = (mark[a] < mark[b]) - (mark[a] > mark[b])
            key = (ranking.rater_id, a, b)
            if key in first:
                same.setdefault(ranking.rater_id, []).append(1 - abs(sign - first[key]) / 2)
            else:
                first[key] = sign
    return {
        "self_agreement": [float(np.mean(same[r])) if r in same else None for r in marks.raters],
        "self_pairs": [len(same.get(r, ())) for r in marks.raters],
    }


def _met_again(
    rankings: Sequence[Ranking], marks: Marks, repeats: Sequence[Ranking]
) -> list[Ranking]:
    """The rankings that may hold a pair which their rater judged elsewhere too, by comparison."""
    key = marks.rater[marks.answer] * max(len(marks.completions), 1) + marks.completion
    known, inverse, times = np.unique(key, return_inverse=True, return_counts=True)
    chosen = set(marks.answer[times[inverse] > 1].tolist()) if len(known) else set()
    again = {
        (marks.comparisons[marks.comparison[each]], marks.raters[marks.rater[each]])
        for each in chosen
    } | {(each.comparison_id, each.rater_id) for each in repeats}
    if not again:
        return []
    mine = [r for r in rankings if (r.comparison_id, r.rater_id) in again]
    return sorted(mine, key=lambda r: (r.comparison_id, r.rater_id))
