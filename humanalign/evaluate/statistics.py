"""Numbers with their error: prompt-clustered bootstrap intervals, sign-flip tests, Holm, Wilson.

Scores come as [N] or [N, K]: N prompts (the independent units), K answers to each. Answers to one
prompt resemble each other, so prompts are resampled, never answers, and both sides of a
comparison are resampled together. n always counts prompts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from humanalign.errors import DataError
from humanalign.types import EvalResult

Array = NDArray[np.float64]
Bytes = NDArray[np.int8]
Draw = Callable[[np.random.Generator, int, int], Bytes]
RESAMPLES = 10_000
# Resampled indices held at once: 8 MB of int64. Draws that are kept: 20 MB of bytes.
CHUNK, KEPT = 1_000_000, 20_000_000
Z = float(norm.ppf(0.975))


@dataclass(frozen=True)
class Undefined:
    """A number that cannot be given, and why: an honest None."""

    metric: str
    reason: str
    n: int

    def as_dict(self) -> dict[str, float | int | str | None]:
        return {"value": None, "ci_low": None, "ci_high": None, "n": self.n, "reason": self.reason}

    def __str__(self) -> str:
        return f"{self.metric} undefined: {self.reason}"


@dataclass(frozen=True)
class Clusters:
    """Per prompt, the sum of its scores and how many there are: [N] each."""

    sums: Array
    counts: Array

    def __len__(self) -> int:
        return len(self.sums)


def by_prompt(metric: str, scores: ArrayLike, clusters: ArrayLike | None = None) -> Clusters:
    """Gather scores by prompt: rows of [N] or [N, K], or a flat list with its `clusters` labels.

    Raises DataError under two prompts (no interval exists) and for scores that are not finite.
    """
    values = np.asarray(scores, dtype=np.float64)
    if not np.isfinite(values).all():
        where = int(np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))[0])
        raise DataError(f"{metric}: score {where} is {values[where]}; scores must be finite")
    if clusters is None:
        rows = values.reshape(len(values), -1)
        gathered = Clusters(rows.sum(axis=1), np.full(len(rows), float(rows.shape[1])))
    else:
        _, index = np.unique(np.asarray(clusters), return_inverse=True)
        counts = np.bincount(index).astype(np.float64)
        gathered = Clusters(np.bincount(index, values).astype(np.float64), counts)
    if len(gathered) < 2:
        raise DataError(f"{metric}: an interval needs at least 2 prompts, got {len(gathered)}")
    return gathered


def mean(
    metric: str,
    scores: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    seed: int = 0,
    higher_is_better: bool = True,
) -> EvalResult:
    """The mean score and its bootstrap interval.

    Where every prompt scores the same the bootstrap has no width and would claim certainty. A
    score from 0 to 1 then reaches as far as `unseen` prompts of 0 or 1 would move it, which for
    all 0 or all 1 is Wilson's interval (1927); of other scores nothing can be said: no width.
    """
    data = by_prompt(metric, scores, clusters)
    value, low, high = bootstrap([data.sums, data.counts], _ratio, seed)
    if low == high and 0 <= value <= 1:
        rest = unseen(len(data))
        low, high = (1 - rest) * value, (1 - rest) * value + rest
    return EvalResult(metric, value, low, high, len(data), higher_is_better)


def unseen(n: int, seen: float = 0.0) -> float:
    """The share of prompts that may be of a kind of which n prompts showed only `seen`.

    (z^2 - seen) / (n + z^2): for none it is Wilson's upper end (1927). From z^2 = 3.84 of n on,
    an interval by resampling is as wide by itself, and nothing is added.
    """
    return max(0.0, Z * Z - seen) / (n + Z * Z)


def difference(
    metric: str,
    before: ArrayLike,
    after: ArrayLike,
    *,
    seed: int = 0,
    higher_is_better: bool = True,
) -> EvalResult:
    """mean(after) - mean(before) on the same prompts, and its paired interval.

    Where hardly anything changed, resampling knows nothing of the prompts that change rarely and
    much. The interval of scores from 0 to 1 therefore reaches at least as far as `unseen` prompts
    that change by 1 would move the mean; those seen are counted in whole changes, the sum of what
    each prompt changed. Where every prompt changed alike, resampling has no width at all, and the
    interval is Newcombe's from the two means.
    """
    first, second = _paired(metric, before, after)
    columns = [second.sums, second.counts, first.sums, first.counts]
    value, low, high = bootstrap(columns, lambda a, n, b, m: a / n - b / m, seed)
    if _shares(before, after):
        each = second.sums / second.counts - first.sums / first.counts
        if value and np.ptp(each) <= 1e-12:
            low, high = newcombe(mean(metric, before, seed=seed), mean(metric, after, seed=seed))
        rest = unseen(len(first), float(np.abs(each).sum()))
        low, high = max(-1.0, min(low, value - rest)), min(1.0, max(high, value + rest))
    return EvalResult(metric, value, low, high, len(first), higher_is_better)


def newcombe(old: EvalResult, new: EvalResult, phi: float = 0.0) -> tuple[float, float]:
    """The interval of new - old, from the ends of both: Newcombe's method 10.

    `phi` is the association of paired shares (1998, Statistics in Medicine 17:2635); 0 is right for
    two separate groups (17:873), and too wide, if anything, for groups that go together.
    """
    change = new.value - old.value
    down, up = new.value - new.ci_low, old.ci_high - old.value
    low = change - math.sqrt(max(0.0, down**2 - 2 * phi * down * up + up**2))
    down, up = old.value - old.ci_low, new.ci_high - new.value
    return low, change + math.sqrt(max(0.0, down**2 - 2 * phi * down * up + up**2))


def _shares(*scores: ArrayLike) -> bool:
    """Whether all scores lie from 0 to 1."""
    values = [np.asarray(each, dtype=np.float64) for each in scores]
    return all(bool(((each >= 0) & (each <= 1)).all()) for each in values)


def relative_reduction(
    metric: str, before: ArrayLike, after: ArrayLike, *, seed: int = 0
) -> EvalResult | Undefined:
    """1 - mean(after) / mean(before) on the same prompts, and its paired interval.

    A share of the score that was there, so it needs scores that are never negative and a mean
    that the resampling keeps above 0; otherwise Undefined, with the reason. Where every prompt is
    reduced by the same share, as when all scores after are 0, resampling has no width; scores from
    0 to 1 then have the outer limits of both means, which is too wide, if anything. Where hardly
    anything changed they reach as far as `unseen` prompts would move them, as in `difference`.
    """
    first, second = _paired(metric, before, after)
    if min(np.min(np.asarray(before)), np.min(np.asarray(after))) < 0:
        return Undefined(metric, "some scores are negative, so a share has no meaning", len(first))
    if not first.sums.any():
        return Undefined(metric, "the mean before is 0: nothing could be reduced", len(first))
    columns = [second.sums, second.counts, first.sums, first.counts]
    with np.errstate(divide="ignore", invalid="ignore"):
        value, low, high = bootstrap(columns, lambda a, n, b, m: 1 - (a / n) / (b / m), seed)
    if not math.isfinite(low + high):
        reason = "too few prompts score above 0 before; read the difference instead"
        return Undefined(metric, reason, len(first))
    if low == high and _shares(before, after):
        old, new = mean(metric, before, seed=seed), mean(metric, after, seed=seed)
        low, high = 1 - new.ci_high / old.ci_low, 1 - new.ci_low / old.ci_high
    if _shares(before, after):
        each = second.sums / second.counts - first.sums / first.counts
        there = float(first.sums.sum() / first.counts.sum())
        rest = unseen(len(first), float(np.abs(each).sum())) / there
        low, high = min(low, value - rest), min(1.0, max(high, value + rest))
    return EvalResult(metric, value, low, high, len(first), higher_is_better=True)


def sign_flip_p(before: ArrayLike, after: ArrayLike, *, seed: int = 0) -> float:
    """Two-sided p that pairing by prompt shows no difference: each prompt's difference flips sign.

    Every prompt weighs the same, however many answers it has. Exact over all 2^N flips where they
    are at most 10,000; otherwise 10,000 random ones, counting the observed one among them (Phipson
    and Smyth 2010), so p is never 0.
    """
    first, second = _paired("sign_flip_p", before, after)
    each = np.ones(len(first))
    return exchange_p(
        Clusters(first.sums / first.counts, each), Clusters(second.sums / second.counts, each), seed
    )


def exchange_p(first: Clusters, second: Clusters, seed: int = 0) -> float:
    """The same for a ratio of sums: both sides of a prompt change places, or do not.

    With signs e and half-sums m, half-differences d of the prompts' sums (a) and counts (n), the
    statistic is (m_a + e d_a) / (m_n + e d_n) - (m_a - e d_a) / (m_n - e d_n).
    """
    middle = [(y + x).sum() / 2 for x, y in _columns(first, second)]
    half = np.stack([(y - x) / 2 for x, y in _columns(first, second)], axis=1)

    def apart(moved: Array) -> Array:
        (a, n), (x, y) = middle, np.moveaxis(moved, -1, 0)
        return np.abs((a + x) / (n + y) - (a - x) / (n - y))

    # Equal sums that differ in rounding count as equal.
    bar = apart(half.sum(axis=0)) - 1e-12 * apart(np.abs(half).sum(axis=0))
    prompts = len(half)
    if 2**prompts <= RESAMPLES:
        flips = 1 - 2 * (np.arange(2**prompts)[:, None] >> np.arange(prompts) & 1)
        return float((apart(flips @ half) >= bar).mean())
    hits = sum(int((apart(signs @ half) >= bar).sum()) for signs in _draws(_signs, prompts, seed))
    return (1 + hits) / (1 + RESAMPLES)


def _columns(first: Clusters, second: Clusters) -> list[tuple[Array, Array]]:
    return [(first.sums, second.sums), (first.counts, second.counts)]


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """Adjusted p-values (Holm 1979): the chance of even one false finding stays under the level."""
    adjusted: dict[str, float] = {}
    running = 0.0
    for rank, name in enumerate(sorted(p, key=lambda name: p[name])):
        running = max(running, min(1.0, (len(p) - rank) * p[name]))
        adjusted[name] = running
    return {name: adjusted[name] for name in p}


def wilson(metric: str, successes: int, n: int, *, higher_is_better: bool = True) -> EvalResult:
    """A proportion of n independent prompts with Wilson's (1927) 95 % interval."""
    if not 0 <= successes <= n or n == 0:
        raise DataError(f"{metric}: {successes} of {n} is no proportion; need 0 <= successes <= n")
    p, z2 = successes / n, Z * Z
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    # At 0 and n the interval touches the edge exactly; rounding must not carry it past.
    low, high = min(p, max(0.0, middle - half)), max(p, min(1.0, middle + half))
    return EvalResult(metric, p, low, high, n, higher_is_better)


def proportion(
    metric: str, hits: ArrayLike, *, seed: int = 0, higher_is_better: bool = True
) -> EvalResult:
    """The share of True in [N] or [N, K] booleans.

    Wilson's interval where there is one answer a prompt, or where all agree (the bootstrap of a
    constant has no width); the clustered bootstrap otherwise.
    """
    array = np.asarray(hits, dtype=bool)
    rows = array.reshape(len(array), -1)
    if rows.shape[1] > 1 and rows.any() and not rows.all():
        return mean(metric, rows, seed=seed, higher_is_better=higher_is_better)
    return wilson(metric, int(rows[:, 0].sum()), len(rows), higher_is_better=higher_is_better)


def _paired(metric: str, before: ArrayLike, after: ArrayLike) -> tuple[Clusters, Clusters]:
    first, second = by_prompt(metric, before), by_prompt(metric, after)
    if len(first) != len(second):
        raise DataError(
            f"{metric}: {len(first)} prompts before and {len(second)} after; "
            "score both models on the same prompts"
        )
    return first, second


def _ratio(total: Array, count: Array) -> Array:
    return total / count


def bootstrap(
    columns: list[Array], statistic: Callable[..., Array], seed: int = 0
) -> tuple[float, float, float]:
    """Value and BCa interval (Efron 1987) of a statistic of the columns' sums over prompts.

    `columns` are [N] each; `statistic` takes one array of sums a column. BCa rather than plain
    percentiles: scores like toxicity are skewed, and a ratio is biased.
    """
    stacked = np.stack(columns, axis=1)
    totals = stacked.sum(axis=0)
    value = float(statistic(*totals))
    sums = np.concatenate([rows @ stacked for rows in _draws(_counts, len(stacked), seed)])
    draws = statistic(*sums.T)
    if not np.isfinite(draws).all():
        return value, math.nan, math.nan
    if np.ptp(draws) <= 1e-12 * max(1.0, abs(value)):
        return value, value, value
    below = (np.mean(draws < value) + np.mean(draws <= value)) / 2
    bias = norm.ppf(np.clip(below, 1 / (RESAMPLES + 1), RESAMPLES / (RESAMPLES + 1)))
    left_out = statistic(*(totals - stacked).T)
    skew = left_out.mean() - left_out
    acceleration = (skew**3).sum() / (6 * (skew**2).sum() ** 1.5)
    z = bias + np.array([-Z, Z])
    low, high = np.quantile(draws, norm.cdf(bias + z / (1 - acceleration * z)))
    return value, float(low), float(high)


def _counts(rng: np.random.Generator, rows: int, prompts: int) -> Bytes:
    """How often each prompt is drawn, with replacement: [rows, prompts]."""
    drawn = rng.integers(0, prompts, size=(rows, prompts))
    drawn += np.arange(rows)[:, None] * prompts
    return np.bincount(drawn.ravel(), minlength=rows * prompts).astype(np.int8).reshape(rows, -1)


def _signs(rng: np.random.Generator, rows: int, prompts: int) -> Bytes:
    return rng.integers(0, 2, size=(rows, prompts), dtype=np.int8) * 2 - 1


def _draws(make: Draw, prompts: int, seed: int) -> Iterator[Array]:
    """RESAMPLES rows of draws [rows, prompts], some at a time.

    All measures of an evaluation are resampled by the same draws, so the last ones are kept.
    """
    kept = _kept if prompts * RESAMPLES <= KEPT else _made
    for part in kept(make, prompts, seed):
        yield part.astype(np.float64)


def _made(make: Draw, prompts: int, seed: int) -> Iterator[Bytes]:
    rng = np.random.default_rng(seed)
    size = max(1, CHUNK // prompts)
    for start in range(0, RESAMPLES, size):
        yield make(rng, min(size, RESAMPLES - start), prompts)


@lru_cache(maxsize=4)
def _kept(make: Draw, prompts: int, seed: int) -> tuple[Bytes, ...]:
    return tuple(_made(make, prompts, seed))
