"""95 % intervals of coefficients that are functions of sums: one cluster bootstrap for all.

A coefficient such as alpha is a formula over a few sums, and each sum is a sum over comparisons.
Whole comparisons are drawn with replacement (Field & Welsh 2007), the sums are taken again and
the formula gives a resampled coefficient; the interval is its 2.5 % and 97.5 % quantiles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

# 2,000 resamples, and fewer (never below 500) where there are more than 10,000 comparisons: there
# the interval is so narrow that its own error, about 4 % of its width, is out of sight.
RESAMPLES, FEWEST = 2_000, 500
DRAWS = 20_000_000
# Numbers drawn at a time: they stay in the processor's cache.
CHUNK = 400_000
# A coefficient that is undefined in more of the resamples than this has no interval.
UNDEFINED = 0.05


@dataclass(frozen=True)
class Sums:
    """A coefficient as a formula over sums.

    `rows` [C, d] holds each comparison's part of the d sums; `formula` takes sums [..., d] to
    values [...], nan where undefined. `n` of the comparisons have a part in it. A `reason` says
    why the whole is undefined although the formula gives a number.
    """

    rows: np.ndarray
    formula: Callable[[np.ndarray], np.ndarray]
    n: int
    reason: str = ""

    def value(self) -> float:
        """The coefficient over all comparisons, nan where it is undefined."""
        if self.reason:
            return float("nan")
        return float(self.formula(self.rows.sum(0))) if len(self.rows) else float("nan")


def intervals(measures: Sequence[Sums], *, seed: int = 0) -> list[tuple[float, float] | None]:
    """The 95 % interval of each measure over the same resampled comparisons.

    None where there is none: fewer than two comparisons, or a coefficient that is undefined or
    the same in the resamples. The same input gives the same digits.
    """
    if not measures or len(measures[0].rows) < 2:
        return [None] * len(measures)
    columns = np.concatenate([measure.rows for measure in measures], axis=1)
    drawn = _resampled_sums(columns, seed)
    ends = np.cumsum([measure.rows.shape[1] for measure in measures])
    parts = np.split(drawn, ends[:-1], axis=1)
    return [
        _quantiles(measure.formula(part)) if measure.n > 1 else None
        for measure, part in zip(measures, parts, strict=True)
    ]


def ratio(sums: np.ndarray) -> np.ndarray:
    """The first sum [..., 0] over the second [..., 1], nan over nothing."""
    below = sums[..., 1]
    return np.where(below > 0, sums[..., 0], np.nan) / np.where(below > 0, below, 1.0)


def _resampled_sums(columns: np.ndarray, seed: int) -> np.ndarray:
    """[resamples, d] sums, each over C comparisons drawn with replacement."""
    rng = np.random.default_rng(seed)
    n = len(columns)
    left = min(RESAMPLES, max(FEWEST, DRAWS // n))
    parts = []
    while left > 0:
        size = min(left, max(1, CHUNK // n))
        # How often each comparison was drawn, row after row.
        place = rng.integers(0, n, size=(size, n)) + np.arange(size)[:, None] * n
        counts = np.bincount(place.ravel(), minlength=size * n).reshape(size, n)
        parts.append(counts.astype(float) @ columns)
        left -= size
    return np.concatenate(parts)


def _quantiles(values: np.ndarray) -> tuple[float, float] | None:
    known = values[np.isfinite(values)]
    if len(known) < (1 - UNDEFINED) * len(values) or np.ptp(known) < 1e-12:
        return None
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)
