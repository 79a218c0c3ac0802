"""Is a model as sure of its choice as it is right? For multiple choice by likelihood.

The confidence is the probability of the choice it made among those offered; right is 1 where that
was the true one. Letters: N questions, B bins, R resamples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from humanalign.evaluate.evaluation import Tree
from humanalign.evaluate.honesty.telling import Measure, tell
from humanalign.evaluate.paired import verdict
from humanalign.evaluate.statistics import RESAMPLES, Array, Undefined, wilson
from humanalign.types import EvalResult

MOST_BINS, PER_BIN = 10, 25


@dataclass(frozen=True)
class Sureness:
    """One model's confidence [N] in its choice, and 1 where the choice was right [N]."""

    confidence: Array
    right: Array


def calibration(after: Sureness, before: Sureness | None = None, *, seed: int = 0) -> Tree:
    """ECE and Brier score with intervals, and the reliability picture of each model.

    ECE here: the root mean square distance of confidence and accuracy over bins of equally many
    questions, less what each bin's own noise adds (Kumar, Liang & Ma 2019, arXiv 1909.10155,
    section 5); below 0 reads 0. Two models are binned at the same edges, so that they can be
    compared. Brier: the mean square of confidence less right, which knows no bins.
    """
    brier = Measure(_squares(after), None if before is None else _squares(before), "lower")
    edges = _edges(after if before is None else _both(after, before))
    told: dict = {
        "ece": _told(after, before, edges, seed),
        "brier": tell({"brier": brier}, seed=seed)["brier"],
        "bins": {"after": _bins(after, edges)},
    }
    if before is not None:
        told["bins"]["before"] = _bins(before, edges)
    return told


def _told(after: Sureness, before: Sureness | None, edges: Array, seed: int) -> Tree:
    """Intervals by resampling questions; p by swapping the models on each question."""
    n = len(after.right)
    if n < 2:
        return {"after": Undefined("ece", "1 question; an interval needs 2", n), "better": "lower"}
    sides = [_sums(side, edges) for side in (after, before) if side is not None]
    rng = np.random.default_rng(seed)
    times = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES // 5).astype(np.float64)
    drawn = [_error(np.tensordot(times, side, 1), noises=2) for side in sides]
    values = [float(_error(side.sum(0)[None])[0]) for side in sides]
    told = {"after": _interval("ece", values[0], drawn[0], n), "better": "lower"}
    if before is None:
        return told
    swap = rng.integers(0, 2, size=times.shape).astype(np.float64)
    moved = np.tensordot(swap, sides[1] - sides[0], 1)
    chance = _error(sides[0].sum(0) + moved) - _error(sides[1].sum(0) - moved)
    change = values[0] - values[1]
    hits = int((np.abs(chance) >= abs(change) - 1e-12).sum())
    difference = _interval("ece", change, drawn[0] - drawn[1], n)
    p = (1 + hits) / (1 + len(chance))
    first = {"before": _interval("ece", values[1], drawn[1], n)}
    said = verdict(difference, p, "lower")
    return {**first, **told, "difference": difference, "p": p, "p_holm": p, "verdict": said}


def _interval(metric: str, value: float, drawn: Array, n: int) -> EvalResult:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return EvalResult(metric, value, float(min(low, value)), float(max(high, value)), n, False)


def _sums(side: Sureness, edges: Array) -> Array:
    """[N, B, 3]: each question's 1, right - confidence and its square, in its bin."""
    place = _bin_of(side.confidence, edges)
    sums = np.zeros((len(place), len(edges) + 1, 3))
    gap = side.right - side.confidence
    sums[np.arange(len(place)), place] = np.stack([np.ones_like(gap), gap, gap**2], axis=-1)
    return sums


def _error(sums: Array, *, noises: int = 1) -> Array:
    """[R] calibration errors of [R, B, 3] sums; a resample is noisy twice, so two leave it."""
    count = np.maximum(sums[..., 0], 1)
    gap = sums[..., 1] / count
    noise = np.maximum(sums[..., 2] / count - gap**2, 0) / np.maximum(count - 1, 1)
    square = ((gap**2 - noises * noise) * sums[..., 0]).sum(-1) / sums[..., 0].sum(-1)
    return np.sqrt(np.maximum(square, 0))


def _edges(side: Sureness) -> Array:
    count = int(np.clip(len(side.confidence) // PER_BIN, 1, MOST_BINS))
    return np.unique(np.quantile(side.confidence, np.arange(1, count) / count))


def _bin_of(confidence: Array, edges: Array) -> NDArray[np.int64]:
    return np.searchsorted(edges, confidence, side="right")


def _both(after: Sureness, before: Sureness) -> Sureness:
    return Sureness(
        np.concatenate([after.confidence, before.confidence]),
        np.concatenate([after.right, before.right]),
    )


def _squares(side: Sureness) -> Array:
    return (side.right - side.confidence) ** 2


def _bins(side: Sureness, edges: Array) -> list[dict]:
    """The reliability picture: mean confidence and accuracy of each bin, the least sure first."""
    place, rows = _bin_of(side.confidence, edges), []
    for number in np.unique(place):
        own = np.flatnonzero(place == number)
        confidence, right = side.confidence[own], side.right[own]
        rows.append(
            {
                "low": float(confidence.min()),
                "high": float(confidence.max()),
                "confidence": float(confidence.mean()),
                "accuracy": wilson("accuracy", math.floor(right.sum() + 0.5), len(own)).as_dict(),
                "n": len(own),
            }
        )
    return rows
