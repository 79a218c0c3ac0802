"""Is the reward as sure as it is right? Reliability, calibration error and temperature.

Under Bradley-Terry the reward says that the chosen answer wins with probability sigmoid(gap).
Every pair is written with its winner first, so "the first one wins" is true of all of them and a
forecast of 1 would look perfect. Each pair is therefore folded: the confidence is the probability
of the answer that the reward prefers, max(p, 1 - p), and the outcome is whether that answer was
the chosen one. Letters: N pairs, C prompts, B bins, R resamples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit

from humanalign.intervals import wilson
from humanalign.reward.trust.scored import RESAMPLES, Array, Figure, figure, folds_of, right_of

MOST_BINS, PER_BIN = 10, 25
FOLDS = 5
# Beyond these a temperature only says "always sure" or "never".
COLDEST, HOTTEST = 1e-2, 1e2
# Resampled prompts held at once: 32 MB of int64.
CHUNK = 4_000_000


def calibration(gaps: Array, prompts: Sequence[str], *, seed: int = 0) -> dict:
    """The card's part on calibration; `gaps` [N] in nats, as the Bradley-Terry loss knows them.

    The scaled figures use, for each prompt, the temperature of the other folds' prompts, so that
    no pair is judged by a temperature that it helped to choose.
    """
    scaled = gaps / cross_fitted(gaps, prompts, seed=seed)
    return {
        "temperature": temperature(gaps),
        "ece": calibration_error(gaps, prompts, seed=seed),
        "ece_scaled": calibration_error(scaled, prompts, seed=seed),
        "bins": bins(gaps, prompts, seed=seed),
        "scaled_bins": bins(scaled, prompts, seed=seed),
    }


def folded(gaps: Array) -> tuple[Array, Array]:
    """([N] confidence in the preferred answer, [N] 1 where it is the chosen one, ties 0.5)."""
    return expit(np.abs(gaps)), right_of(gaps)


def temperature(gaps: Array) -> float:
    """The T under which sigmoid(gap / T) is most likely (Guo et al. 2017, arXiv 1706.04599).

    Above 1 the reward is too sure of itself. Held within [0.01, 100].
    """

    def loss(log_t: float) -> float:
        return float(np.logaddexp(0, -gaps * np.exp(-log_t)).mean())

    found = minimize_scalar(loss, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded")
    return float(np.exp(found.x))


def cross_fitted(gaps: Array, prompts: Sequence[str], *, seed: int = 0) -> Array:
    """[N] each row's temperature, fitted on the prompts of the other folds."""
    fold = folds_of(prompts, FOLDS, seed=seed)
    found = np.ones(len(gaps))
    for number in np.unique(fold):
        out = fold == number
        if not out.all():
            found[out] = temperature(gaps[~out])
    return found


def bin_of(confidence: Array) -> NDArray[np.int64]:
    """[N] the bin of each row, from 0: as many rows in each as equal confidences allow."""
    count = int(np.clip(len(confidence) // PER_BIN, 1, MOST_BINS))
    edges = np.unique(np.quantile(confidence, np.arange(1, count) / count))
    return np.unique(np.searchsorted(edges, confidence, side="right"), return_inverse=True)[1]


def bins(gaps: Array, prompts: Sequence[str], *, seed: int = 0) -> list[dict]:
    """The reliability picture: mean confidence and accuracy of each bin, the least sure first."""
    confidence, right = folded(gaps)
    member = bin_of(confidence)
    rows = []
    for number in range(int(member.max()) + 1):
        own = np.flatnonzero(member == number)
        rows.append(
            {
                "low": float(confidence[own].min()),
                "high": float(confidence[own].max()),
                "confidence": float(confidence[own].mean()),
                "accuracy": _bin_accuracy(right[own], [prompts[i] for i in own.tolist()], seed),
                "n": len(own),
            }
        )
    return rows


def _bin_accuracy(right: Array, prompts: Sequence[str], seed: int) -> Figure:
    found = figure(right, prompts, seed=seed)
    if found is not None:
        return found
    # All of one prompt: no resampling can tell; the interval of one independent trial is honest.
    low, high = wilson(float(right.mean()), 1)
    return {"value": float(right.mean()), "ci_low": low, "ci_high": high, "n": 1}


def calibration_error(gaps: Array, prompts: Sequence[str], *, seed: int = 0) -> Figure | None:
    """Root mean square distance of confidence and accuracy over the bins, freed of its bias.

    Noise alone moves every bin off the diagonal, so the usual sum of |accuracy - confidence| is
    never 0 and large on few pairs. The squared error without each bin's own variance is unbiased
    (Kumar, Liang & Ma 2019, arXiv 1909.10155, section 5). Departure: that variance comes from the
    prompt bootstrap, since pairs of a prompt are not independent. A resample is noisy twice, so
    two variances leave it. Below 0 reads 0. None under two prompts.
    """
    names, member = np.unique(np.asarray(prompts), return_inverse=True)
    if len(names) < 2:
        return None
    confidence, right = folded(gaps)
    place = bin_of(confidence)
    shape = (len(names), int(place.max()) + 1)
    excess, sizes = np.zeros(shape), np.zeros(shape)
    np.add.at(excess, (member, place), right - confidence)
    np.add.at(sizes, (member, place), 1.0)
    shares = sizes.sum(0) / sizes.sum()
    distance = excess.sum(0) / sizes.sum(0)
    drawn = _resampled(excess, sizes, distance, seed)
    variance = drawn.var(0)
    value = float(shares @ (distance**2 - variance))
    low, high = np.quantile((drawn**2 - 2 * variance) @ shares, [0.025, 0.975])
    roots = [float(np.sqrt(max(0.0, each))) for each in (value, low, high)]
    if right.min() == right.max() and right[0] in (0.0, 1.0):
        roots[1:] = _where_all_agree(float(right[0]), float(confidence.mean()), len(names))
    return {"value": roots[0], "ci_low": roots[1], "ci_high": roots[2], "n": len(names)}


def _where_all_agree(share: float, confidence: float, prompts: int) -> tuple[float, float]:
    """All right or all wrong, the bootstrap claims certainty: the distances to Wilson's bounds."""
    low, high = wilson(share, prompts)
    ends = abs(low - confidence), abs(high - confidence)
    return (0.0 if low <= confidence <= high else min(ends)), max(ends)


def _resampled(excess: Array, sizes: Array, distance: Array, seed: int) -> Array:
    """[R, B] accuracy less confidence of every bin over resampled prompts [C, B]."""
    rng = np.random.default_rng(seed)
    count = len(sizes)
    parts = []
    for _ in range(0, RESAMPLES, max(1, CHUNK // count)):
        rows = min(max(1, CHUNK // count), RESAMPLES - sum(len(part) for part in parts))
        times = rng.multinomial(count, np.full(count, 1 / count), size=rows).astype(float)
        total = times @ sizes
        # A bin that no drawn prompt reaches stays where it was.
        parts.append(np.where(total > 0, times @ excess / np.maximum(total, 1), distance))
    return np.concatenate(parts)
