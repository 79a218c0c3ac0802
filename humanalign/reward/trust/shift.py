"""Is this text like what the reward was fitted on? Distance of its features, range of its score.

Features are taken as one normal cloud: the squared Mahalanobis distance to the training texts
(Lee et al. 2018, arXiv 1807.03888, without classes). The covariance is shrunk towards a multiple
of the identity by the amount of Ledoit & Wolf (2004, "A well-conditioned estimator for
large-dimensional covariance matrices"), so it can be inverted with fewer texts than dimensions.
Letters: N texts, D features.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from humanalign.errors import DataError
from humanalign.reward.trust.scored import Array

FOLDS = 5
# Of familiar texts one in 40 is called unfamiliar by its features and one in 100 by its score: a
# stricter limit lets half of another domain's texts pass.
FAR = 0.975
LOW, HIGH = 0.005, 0.995


@dataclass(frozen=True)
class Familiar:
    """What the fit has seen: the cloud of its features and the range of its scores.

    `whiten` [D, D] turns features less `mean` [D] into ones whose squared length is the distance;
    a text is unfamiliar beyond `limit`, or with a score outside `low` to `high`.
    """

    mean: Array
    whiten: Array
    limit: float
    low: float
    high: float

    @classmethod
    def of(cls, features: ArrayLike, scores: ArrayLike) -> Familiar:
        """From the training texts' features [N, D] and scores [N], a prompt's rows together.

        The limit is the 97.5 % point of distances to clouds of the other four fifths of the texts:
        measured on the texts that made it, a cloud looks closer than it is. DataError: fewer than
        10 texts, or features and scores of different length.
        """
        rows, values = _checked(features, scores)
        fold = np.arange(len(rows)) * FOLDS // len(rows)
        apart = np.zeros(len(rows))
        for number in range(FOLDS):
            out = fold == number
            apart[out] = _distances(rows[out], *_cloud(rows[~out]))
        return cls(*_cloud(rows), float(np.quantile(apart, FAR)), *range_of(values))

    def distances(self, features: ArrayLike) -> Array:
        """[N] squared Mahalanobis distances of features [N, D]."""
        return _distances(np.asarray(features, dtype=float), self.mean, self.whiten)

    def outside(self, scores: ArrayLike) -> NDArray[np.bool_]:
        """[N] True where a score lies outside the range of the training texts' scores."""
        values = np.asarray(scores, dtype=float)
        return (values < self.low) | (values > self.high)

    def unfamiliar(self, features: ArrayLike, scores: ArrayLike) -> NDArray[np.bool_]:
        """[N] True where the features or the score are unlike what the fit has seen."""
        return (self.distances(features) > self.limit) | self.outside(scores)

    def save(self, path: str | Path) -> None:
        """Write a safetensors file."""
        numbers = np.array([self.limit, self.low, self.high])
        # Single precision: the file of a 4,096-wide backbone is 64 MB instead of 128.
        whiten = np.ascontiguousarray(self.whiten, dtype=np.float32)
        save_file({"mean": self.mean, "whiten": whiten, "limit_low_high": numbers}, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> Familiar:
        """Read what `save` wrote; DataError where it is not such a file."""
        try:
            held = load_file(Path(path))
            limit, low, high = (float(each) for each in held["limit_low_high"])
            return cls(held["mean"], held["whiten"].astype(float), limit, low, high)
        except (OSError, SafetensorError, KeyError, ValueError):
            raise DataError(
                f"{path}: is no record of familiar texts; fit the reward again"
            ) from None


def range_of(scores: ArrayLike) -> tuple[float, float]:
    """The middle 99 % of the training texts' scores."""
    low, high = np.quantile(np.asarray(scores, dtype=float), [LOW, HIGH])
    return float(low), float(high)


def shrunk_covariance(centred: Array) -> Array:
    """[D, D] (1 - w) S + w m I of centred rows [N, D], with Ledoit & Wolf's w and m = tr(S) / D.

    w = min(b^2, d^2) / d^2, where d^2 = |S - m I|^2 and b^2 = sum_n |x_n x_n' - S|^2 / N^2
    (their lemmas 3.2 to 3.4; all norms divided by D, which cancels).
    """
    count, size = centred.shape
    sample = centred.T @ centred / count
    middle = np.trace(sample) / size
    spread = float((sample**2).sum() - size * middle**2)
    # |x x' - S|^2 summed over n is sum |x|^4 - N |S|^2.
    noise = float(((centred**2).sum(1) ** 2).sum() / count - (sample**2).sum()) / count
    share = 1.0 if spread <= 0 else min(max(noise, 0.0), spread) / spread
    return (1 - share) * sample + share * middle * np.eye(size)


def _cloud(rows: Array) -> tuple[Array, Array]:
    """(mean [D], whitening matrix [D, D]) of rows [N, D]."""
    mean = rows.mean(0)
    values, vectors = np.linalg.eigh(shrunk_covariance(rows - mean))
    # A direction in which no training text moves at all must not divide by 0.
    floor = max(float(values.max()) * 1e-9, 1e-12)
    return mean, vectors / np.sqrt(np.maximum(values, floor))


def _distances(rows: Array, mean: Array, whiten: Array) -> Array:
    return (((rows - mean) @ whiten) ** 2).sum(1)


def _checked(features: ArrayLike, scores: ArrayLike) -> tuple[Array, Array]:
    rows, values = np.asarray(features, dtype=float), np.asarray(scores, dtype=float)
    if rows.ndim != 2 or len(rows) != len(values) or len(rows) < 2 * FOLDS:
        raise DataError(
            f"familiar: expected features of 10 texts or more and a score for each, got features "
            f"of shape {list(rows.shape)} and {len(values)} scores"
        )
    return rows, values
