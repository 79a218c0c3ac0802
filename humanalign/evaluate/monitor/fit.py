"""How gold follows the distance from the reference (Gao et al. 2022, arXiv:2210.10760).

With d = sqrt(KL): under reinforcement learning gold is r0 + d (alpha - beta log d), under
best-of-n r0 + d (alpha - beta d). Both are linear in r0, alpha and beta, so least squares is
exact. Departure: r0 is fitted, not taken from the first look, which is as noisy as the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from humanalign.errors import DataError

Form = Literal["rl", "bon"]
Array = NDArray[np.float64]
DRAWS, SURE = 4_000, 0.975


@dataclass(frozen=True)
class Estimate:
    """A fitted number with its 95 % interval, from n points."""

    value: float
    ci_low: float
    ci_high: float
    n: int


@dataclass(frozen=True)
class Fit:
    """alpha, beta, r0 and where gold peaks, in nats of KL; None where there is no sure peak.

    The looks of one run share prompts and random numbers, so that their errors are alike and the
    intervals, which take them for independent, are somewhat too narrow.
    """

    form: Form
    alpha: Estimate
    beta: Estimate
    start: Estimate
    peak_kl: Estimate | None
    r2: float
    n: int

    def gold(self, kl: float | Sequence[float]) -> Array:
        """The fitted gold at a divergence."""
        columns = _columns(np.atleast_1d(np.asarray(kl, dtype=np.float64)), self.form)
        return columns @ np.array([self.start.value, self.alpha.value, self.beta.value])

    def as_dict(self) -> dict:
        return asdict(self)


def fit(kl: Sequence[float], gold: Sequence[float], form: Form = "rl") -> Fit:
    """Least squares of gold on d = sqrt(KL), with Student's intervals; KL in nats.

    A divergence that was measured below 0 counts as 0. DataError under five points, or where d
    does not vary enough to tell alpha from beta.
    """
    if len(kl) != len(gold) or len(kl) < 5:
        raise DataError(f"fit: needs 5 pairs of KL and gold or more, got {len(kl)} and {len(gold)}")
    x, y = _columns(np.asarray(kl, dtype=np.float64), form), np.asarray(gold, dtype=np.float64)
    if np.linalg.matrix_rank(x) < 3:
        raise DataError("fit: the divergences are too alike; look at more steps of the run")
    inverse = np.linalg.inv(x.T @ x)
    found = inverse @ x.T @ y
    rest = y - x @ found
    free = len(y) - 3
    covariance = inverse * (rest @ rest) / free
    half = float(student.ppf(0.975, free)) * np.sqrt(np.diag(covariance))
    start, alpha, beta = (
        Estimate(float(v), float(v - h), float(v + h), len(y))
        for v, h in zip(found, half, strict=True)
    )
    spread = float(((y - y.mean()) ** 2).sum())
    r2 = 1 - float(rest @ rest) / spread if spread else 1.0
    return Fit(form, alpha, beta, start, _peak(found, covariance, form, len(y)), r2, len(y))


def _columns(kl: Array, form: Form) -> Array:
    """[N, 3]: what r0, alpha and beta are multiplied by; d log d is 0 at d = 0."""
    d = np.sqrt(np.clip(kl, 0.0, None))
    bend = d * d if form == "bon" else d * np.log(np.where(d > 0, d, 1.0))
    return np.column_stack([np.ones_like(d), d, -bend])


def _peak(found: Array, covariance: Array, form: Form, n: int) -> Estimate | None:
    """Where the derivative is 0: d = exp(alpha / beta - 1), or alpha / (2 beta).

    The interval is that of draws from the normal distribution of the estimates; None where more
    than one in 40 of them has no peak, for then the data may have none.
    """
    if found[2] <= 0 or found[1] <= 0:
        return None
    draws = np.random.default_rng(0).multivariate_normal(found, covariance, DRAWS)
    known = draws[(draws[:, 2] > 0) & (draws[:, 1] > 0)]
    if len(known) < SURE * DRAWS:
        return None
    peaks = _peak_kl(known[:, 1], known[:, 2], form)
    low, high = np.quantile(peaks, [0.025, 0.975])
    return Estimate(float(_peak_kl(found[1], found[2], form)), float(low), float(high), n)


def _peak_kl(alpha: Array, beta: Array, form: Form) -> Array:
    ratio = alpha / beta
    # Past 1e6 nats nobody cares where: keeps exp in range.
    return np.square(ratio / 2) if form == "bon" else np.exp(np.minimum(2 * (ratio - 1), 13.8))
