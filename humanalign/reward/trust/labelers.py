"""Does the reward agree with people more than people agree with each other?

On held-out pairs a labeler's vote is compared with the reward, and with the other labelers' votes
on the same pair (leave-one-out). The second figure is no ceiling for the first: the reward learns
from many votes, whose errors cancel, and so may agree with one labeler more often than another
labeler does. What no reward can pass without having seen the votes is `ceiling` below.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from humanalign.reward.trust.accuracy import FEWEST
from humanalign.reward.trust.scored import Array, Figure, Scored, figure
from humanalign.types import PreferencePair


def labeler_agreement(judged: Scored, *, seed: int = 0) -> dict | None:
    """The card's part on labelers; None where nobody's votes are known.

    `rows` gives for every labeler the share of votes that the reward, and that the others, share;
    `reward` and `each_other` the same over all labelers; `ceiling` the most that a reward could
    reach, from `each_other`. Both shares are of the votes on answers that another labeler has
    judged as well: those chosen for a second look are seldom as easy as the rest. Without any,
    the reward's share is of all votes. Labelers of fewer than 5 votes have no row of their own.
    """
    others = left_out(judged.pairs)
    everyone = np.ones(len(judged), dtype=bool)
    reward, each_other = _side_by_side(judged, others, everyone, seed)
    if reward is None:
        return None
    raters = np.array([pair.rater for pair in judged.pairs])
    rows = []
    for name in sorted(set(raters.tolist())):
        own = raters == name
        mine, theirs = _side_by_side(judged, others, own, seed)
        if own.sum() >= FEWEST and mine is not None:
            rows.append({"id": name, "reward": mine, "others": theirs})
    return {
        "rows": rows,
        "reward": reward,
        "each_other": each_other,
        "ceiling": ceiling(each_other) if each_other else None,
    }


def left_out(pairs: Sequence[PreferencePair]) -> Array:
    """[N] the share of the other labelers' votes on the same two answers that agree; nan: none."""
    votes: dict[tuple, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for pair in pairs:
        key, sign = _unordered(pair)
        votes[key][pair.rater].append(sign)
    found = []
    for pair in pairs:
        key, sign = _unordered(pair)
        said = [each for who, signs in votes[key].items() if who != pair.rater for each in signs]
        found.append(float(np.mean(np.array(said) == sign)) if said else np.nan)
    return np.array(found)


def ceiling(agreement: Figure) -> Figure:
    """The most that a reward can agree with single votes, where two votes agree at rate a.

    Let a share 1/2 + d of labelers prefer the first answer of a pair, d varying from pair to
    pair. Two of them agree with probability 1/2 + 2 E[d^2]; a reward that always sides with the
    majority agrees with one of them with probability 1/2 + E|d|. As E|d| <= sqrt(E[d^2]), it is at
    most 1/2 + sqrt((a - 1/2) / 2), reached where all pairs are equally hard. Labelers who differ
    from each other in more than luck lower a, so the bound is meant for one pool.
    """
    keys = ("value", "ci_low", "ci_high")
    bound = {key: 0.5 + (max(0.0, float(agreement[key] or 0) - 0.5) / 2) ** 0.5 for key in keys}
    return {**bound, "n": agreement["n"]}


def _unordered(pair: PreferencePair) -> tuple[tuple, float]:
    """(the two answers in either order, 1 where the chosen one is the first of them)."""
    first, second = sorted((pair.chosen, pair.rejected))
    return (pair.prompt, pair.criterion, first, second), float(pair.chosen == first)


def _side_by_side(
    judged: Scored, others: Array, rows: NDArray[np.bool_], seed: int
) -> tuple[Figure | None, Figure | None]:
    """(the reward's, the others') agreement with these rows, on the votes where both are known."""
    theirs = _over(others, judged, rows & ~np.isnan(others), seed)
    shared = rows & ~np.isnan(others) if theirs else rows
    return _over(judged.right, judged, shared, seed), theirs


def _over(values: Array, judged: Scored, rows: NDArray[np.bool_], seed: int) -> Figure | None:
    kept = np.flatnonzero(rows)
    return figure(values[kept], [judged.pairs[row].prompt for row in kept], seed=seed)
