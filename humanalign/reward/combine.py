"""Several rewards as one: a weighted sum, or an ensemble that distrusts disagreement.

Taking the minimum, or the mean minus a multiple of the standard deviation, of several reward
models makes over-optimisation harder (Coste et al. 2023, arXiv 2310.02743, section 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Literal

from humanalign.reward.scoring import check_rows, check_scores
from humanalign.types import RewardModel

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
        check_rows(prompts, completions)
        columns = [_scores(member, prompts, completions) for member in self.members]
        return [self._join(row) for row in zip(*columns, strict=True)]

    def _join(self, scores: tuple[float, ...]) -> float:
        if self.how == "min":
            return min(scores)
        if self.how == "mean":
            return fmean(scores)
        return fmean(scores) - self.c * pstdev(scores)


def _scores(reward: RewardModel, prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
    scores = reward.score(prompts, completions)
    return check_scores(scores, len(completions), type(reward).__name__)
