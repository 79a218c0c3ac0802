"""Win rate of one model over another: (wins + ties / 2) / comparisons, clustered by prompt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

import numpy as np
from numpy.typing import ArrayLike

from humanalign.errors import DataError
from humanalign.evaluate.statistics import mean
from humanalign.types import EvalResult, Ranking


def win_rate(
    before: ArrayLike, after: ArrayLike, *, higher_is_better: bool = True, seed: int = 0
) -> EvalResult:
    """How often `after` beats `before` on the same prompt by score, ties one half.

    [N] or [N, K] scores; of K answers each, all K * K pairs of a prompt are compared.
    """
    first, second = _rows(before), _rows(after)
    if len(first) != len(second):
        raise DataError(f"win rate: {len(first)} prompts before, {len(second)} after; pair them")
    margin = second[:, :, None] - first[:, None, :]
    wins = (1 + np.sign(margin if higher_is_better else -margin)) / 2
    return mean("win rate", wins.reshape(len(first), -1), seed=seed)


def ranked_win_rate(
    rankings: Iterable[Ranking],
    *,
    before: Set[str],
    after: Set[str],
    prompt_of: Mapping[str, str],
    seed: int = 0,
) -> EvalResult:
    """The same from people's or a judge's rankings.

    `before` and `after` hold the completion ids of each model, `prompt_of` maps a comparison to
    its prompt. A tier shared, and two F marks, are ties; everything ranked beats an F.
    """
    wins: list[float] = []
    prompts: list[str] = []
    for ranking in rankings:
        place = {c: rank for rank, tier in enumerate(ranking.tiers) for c in tier}
        place |= dict.fromkeys(ranking.rejected, len(ranking.tiers))
        for ours in place.keys() & after:
            for theirs in place.keys() & before:
                wins.append((1 + float(np.sign(place[theirs] - place[ours]))) / 2)
                prompts.append(prompt_of[ranking.comparison_id])
    return mean("win rate", wins, clusters=prompts, seed=seed)


def _rows(scores: ArrayLike) -> np.ndarray:
    values = np.asarray(scores, dtype=np.float64)
    return values.reshape(len(values), -1)
