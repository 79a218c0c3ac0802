"""Rankings as votes on pairs of completions: the flat arrays behind agreement and consensus.

A unit is one pair of completions of one comparison; a vote is one rater's sign on one unit. An F
mark stands below every rank, and two F marks are tied. Letters: U units, V votes, R raters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from humanalign.types import Ranking


@dataclass(frozen=True)
class Votes:
    """`rater`, `unit`, `sign` [V]; `unit_comparison` [U] indexes `comparisons`.

    sign +1: the first completion of the unit is better, -1: the second, 0: tied.
    """

    raters: tuple[str, ...]
    comparisons: tuple[str, ...]
    units: tuple[tuple[str, str], ...]
    unit_comparison: np.ndarray
    rater: np.ndarray
    unit: np.ndarray
    sign: np.ndarray

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
        others = self.tally(weights)[self.unit]
        others[np.arange(len(self.unit)), self.sign + 1] -= weights[self.rater]
        total = others.sum(1)
        same = np.where(self.sign > 0, others[:, 2], others[:, 0]) + 0.5 * others[:, 1]
        same = np.where(self.sign == 0, 0.5 * total, same)
        # A remainder of rounding is not a voter.
        alone = total <= 1e-9
        return np.where(alone, np.nan, same / np.where(alone, 1.0, total)), total


def levels(ranking: Ranking) -> dict[str, int]:
    """completion id -> its level: 0 for the best tier, and one level for all F marks."""
    marks = {c: level for level, tier in enumerate(ranking.tiers) for c in tier}
    return marks | dict.fromkeys(ranking.rejected, len(ranking.tiers))


def votes_of(rankings: Sequence[Ranking]) -> Votes:
    """The votes of `rankings`, the same for every order in which they are given."""
    ordered = sorted(rankings, key=lambda r: (r.comparison_id, r.rater_id))
    raters = tuple(sorted({r.rater_id for r in ordered}))
    comparisons = tuple(sorted({r.comparison_id for r in ordered}))
    rater_number = {name: number for number, name in enumerate(raters)}
    comparison_number = {name: number for number, name in enumerate(comparisons)}
    units: dict[tuple[int, str, str], int] = {}
    rows: list[tuple[int, int, int]] = []
    for ranking in ordered:
        mark = levels(ranking)
        comparison = comparison_number[ranking.comparison_id]
        number = rater_number[ranking.rater_id]
        for a, b in combinations(sorted(mark), 2):
            unit = units.setdefault((comparison, a, b), len(units))
            rows.append((number, unit, (mark[a] < mark[b]) - (mark[a] > mark[b])))
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return Votes(
        raters=raters,
        comparisons=comparisons,
        units=tuple((a, b) for _, a, b in units),
        unit_comparison=np.array([c for c, _, _ in units], dtype=np.int64),
        rater=table[:, 0],
        unit=table[:, 1],
        sign=table[:, 2],
    )
