"""Several rewards as one: a weighted sum, or an ensemble that distrusts disagreement.

Taking the minimum, or the mean minus a multiple of the standard deviation, of several reward
models makes over-optimisation harder (Coste et al. 2023, arXiv 2310.02743, section 3). Parts may
be sums and ensembles themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean, pstdev
from typing import Literal

import numpy as np

from humanalign.reward.scoring import check_rows, check_scores, identity_of
from humanalign.types import RewardModel, content_id

How = Literal["mean", "min", "pessimistic"]


@dataclass(frozen=True)
class WeightedSum:
    """sum_i weight_i * reward_i: for rewards that measure different things."""

    parts: tuple[tuple[float, RewardModel], ...]

    def score(self, prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
        """One number per row."""
        check_rows(prompts, completions)
        totals = [0.0] * len(completions)
        for weight, reward in self.parts:
            scores = _scores(reward, prompts, completions)
            totals = [total + weight * score for total, score in zip(totals, scores, strict=True)]
        return totals

    def identity(self) -> str:
        """The same for the same weights of the same rewards."""
        return content_id("sum", [(weight, identity_of(part)) for weight, part in self.parts])


@dataclass(frozen=True)
class Opinions:
    """What an ensemble makes of some rows, and how far its members are of one mind.

    `scores` are joined, `std` is the members' standard deviation (as a population), one of each a
    row. `rank_agreement` is the mean over pairs of members of Spearman's rho over the rows; None
    where a member gives every row the same score.
    """

    scores: list[float]
    std: list[float]
    rank_agreement: float | None


@dataclass(frozen=True)
class Ensemble:
    """Several judges of the same thing, joined by `how`.

    mean: the average; min: the strictest; pessimistic: mean - c * standard deviation (of the
    members as a population). Members should be on one scale: learned rewards are standardised.
    """

    members: tuple[RewardModel, ...]
    how: How = "mean"
    c: float = 1.0

    def score(self, prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
        """One number per row."""
        return [self._join(row) for row in self._rows(prompts, completions)]

    def disagreement(self, prompts: Sequence[str], completions: Sequence[str]) -> Opinions:
        """The scores with how far the members differ; every member is asked once."""
        rows = self._rows(prompts, completions)
        columns = [list(column) for column in zip(*rows, strict=True)]
        return Opinions(
            [self._join(row) for row in rows], [pstdev(row) for row in rows], _agreement(columns)
        )

    def identity(self) -> str:
        """The same for the same members joined in the same way."""
        return content_id("ensemble", self.how, self.c, [identity_of(m) for m in self.members])

    def _rows(self, prompts: Sequence[str], completions: Sequence[str]) -> list[tuple[float, ...]]:
        """The members' scores of each row."""
        check_rows(prompts, completions)
        columns = [_scores(member, prompts, completions) for member in self.members]
        return list(zip(*columns, strict=True))

    def _join(self, scores: tuple[float, ...]) -> float:
        if self.how == "min":
            return min(scores)
        if self.how == "mean":
            return fmean(scores)
        return fmean(scores) - self.c * pstdev(scores)


def _agreement(columns: Sequence[Sequence[float]]) -> float | None:
    """The mean of Spearman's rho over all pairs of columns."""
    if any(len(set(column)) < 2 for column in columns) or not columns:
        return None
    ranks = [_ranks(np.asarray(column)) for column in columns]
    return fmean(float(np.corrcoef(a, b)[0, 1]) for a, b in combinations(ranks, 2))


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1; equal values share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (counts.cumsum() - (counts - 1) / 2)[place]


def _scores(reward: RewardModel, prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
    scores = reward.score(prompts, completions)
    return check_scores(scores, len(completions), type(reward).__name__)
