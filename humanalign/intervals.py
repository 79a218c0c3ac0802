"""A mean with its 95 % interval, where the rows of one prompt are not independent.

The interval is the percentile bootstrap over whole clusters (Field & Welsh 2007: resample the
clusters, keep the rows inside each). Imports numpy only, so every layer can use it.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from statistics import NormalDist
from typing import TypeGuard

import numpy as np

from humanalign.errors import DataError
from humanalign.types import EvalResult

# A tuple, as asking a union takes three times as long: metrics have a million numbers.
NUMBERS = (int, float)
# Indices drawn at a time: 4 million of 8 bytes keep the resampling under about 64 MB.
CHUNK = 4_000_000
# More clusters than MANY are drawn by kind, where there are FEW times fewer kinds than clusters.
MANY, FEW = 1_000, 10


def is_number(value: object) -> TypeGuard[float]:
    """True for a finite number that a float can hold; a bool is none."""
    try:
        return isinstance(value, NUMBERS) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number of more than 308 digits
        return False


def mean_interval(
    values: Sequence[float],
    clusters: Sequence[Hashable],
    *,
    metric: str,
    higher_is_better: bool = True,
    seed: int = 0,
    resamples: int = 10_000,
) -> EvalResult:
    """Return the mean of `values` with a 95 % interval; `clusters[i]` names the prompt of row i.

    `n` counts clusters. Where every value is the same 0 or 1 the bootstrap would claim certainty,
    so Wilson's interval (1927) over the n clusters is given instead. DataError: no rows, lengths
    that differ, a value that is not finite, or fewer than two clusters.
    """
    data = _checked(values, clusters, metric)
    names = {name: row for row, name in enumerate(dict.fromkeys(clusters))}
    member = np.fromiter((names[name] for name in clusters), dtype=np.int64, count=len(data))
    low, high = clustered_interval(data, member, seed=seed, resamples=resamples)
    return EvalResult(metric, float(data.mean()), low, high, len(names), higher_is_better)


def clustered_interval(
    data: np.ndarray, member: np.ndarray, *, seed: int = 0, resamples: int = 10_000
) -> tuple[float, float]:
    """The 95 % interval of the mean of `data`; `member` numbers the cluster of each row from 0.

    For checked numbers: no row is missing and there are at least two clusters.
    """
    sums = np.bincount(member, weights=data)
    sizes = np.bincount(member).astype(float)
    if np.ptp(data) == 0 and data[0] in (0.0, 1.0):
        return wilson(float(data[0]), len(sums))
    low, high = np.quantile(_means(sums, sizes, seed, resamples), [0.025, 0.975])
    return float(low), float(high)


def _checked(values: Sequence[float], clusters: Sequence[Hashable], metric: str) -> np.ndarray:
    data = np.asarray(values, dtype=float)
    if len(data) != len(clusters):
        raise DataError(
            f"{metric}: {len(data)} values but {len(clusters)} cluster names; give one for each row"
        )
    if not np.isfinite(data).all():
        raise DataError(f"{metric}: a value is not finite; look at the rows that made it")
    if len(set(clusters)) < 2:
        raise DataError(
            f"{metric}: an interval needs at least 2 different prompts, got {len(set(clusters))}"
        )
    return data


def _means(sums: np.ndarray, sizes: np.ndarray, seed: int, resamples: int) -> np.ndarray:
    """[resamples] means over drawn clusters.

    Among very many clusters those of the same sum and size are drawn together, by a multinomial:
    the same distribution, at the price of the few kinds that judgements have.
    """
    if len(sums) > MANY:
        # Rounded, so that sums of thirds in another order are one kind.
        kinds, counts = np.unique(
            np.round(np.column_stack([sums, sizes]), 9), axis=0, return_counts=True
        )
        if len(kinds) * FEW < len(sums):
            rng = np.random.default_rng(seed)
            drawn = rng.multinomial(len(sums), counts / counts.sum(), size=resamples)
            return (drawn @ kinds[:, 0]) / (drawn @ kinds[:, 1])
    return _resampled(sums, sizes, seed, resamples)


def _resampled(sums: np.ndarray, sizes: np.ndarray, seed: int, resamples: int) -> np.ndarray:
    """[resamples] means, each over n clusters drawn with replacement (a ratio of two sums)."""
    rng = np.random.default_rng(seed)
    n = len(sums)
    means = []
    left = resamples
    while left > 0:
        rows = min(left, max(1, CHUNK // n))
        drawn = rng.integers(0, n, size=(rows, n))
        means.append(sums[drawn].sum(1) / sizes[drawn].sum(1))
        left -= rows
    return np.concatenate(means)


def wilson(share: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval (1927) of a share over n independent trials."""
    z = NormalDist().inv_cdf(0.975)
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    return max(0.0, centre - half), min(1.0, centre + half)
