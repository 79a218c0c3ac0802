"""A cheap head that knows how sure it is: Bradley-Terry on frozen features, in closed form.

score = w . phi(x) with w ~ N(0, I / prior). The Laplace posterior N(mean, cov) gives the gap of
any two answers a mean and a variance, so what a label would tell of w (BALD: Houlsby et al. 2011,
arXiv 1112.5745, equation 2) needs no ensemble. Letters: M answers, D features, N pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.optimize import minimize
from scipy.special import entr, expit

# Strengths of the prior that the evidence chooses from, in units of a typical pair's |step|^2:
# at strength s the gap of such a pair has the standard deviation 1 / sqrt(s) before any label.
STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
# Before anybody has judged anything.
UNLABELLED = 0.1
# 24 nodes integrate over a normal gap of deviation 6 to 0.01 nats, of 2 to 1e-5.
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(24)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


@dataclass(frozen=True)
class Answers:
    """The answers there are: `features` [M, D] times `scale` [D], and the `prompt` [M] of each."""

    features: np.ndarray
    prompt: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray, prompt: Sequence[int]) -> Answers:
        """Scale the features [M, D] so that pairs of one prompt differ by |step|^2 = 1 on average.

        Each feature is divided by its own spread among the answers to one prompt, since what all
        answers share cannot decide between them.
        """
        group, raw = np.asarray(prompt), np.asarray(features, dtype=np.float64)
        inside = Answers(raw, group, np.ones(raw.shape[1]))
        a, b = inside.edges().T
        size = ((raw[a] - raw[b]) ** 2).mean(0) if len(a) else np.ones(raw.shape[1])
        varies = size > 1e-12 * max(float(size.max(initial=0.0)), 1e-12)
        scale = np.where(varies, 1 / np.sqrt(np.where(varies, size, 1.0)), 0.0)
        scale /= np.sqrt(max(int(varies.sum()), 1))
        return cls(raw * scale, group, scale)

    def edges(self) -> np.ndarray:
        """Every pair of answers to one prompt, [N, 2], the lower number first."""
        rows: dict[int, list[int]] = {}
        for row, each in enumerate(self.prompt.tolist()):
            rows.setdefault(each, []).append(row)
        pairs = [pair for each in rows.values() for pair in combinations(each, 2)]
        return np.array(pairs, dtype=int).reshape(-1, 2)


@dataclass(frozen=True)
class Posterior:
    """What is known of the head: w ~ N(mean [D], cov [D, D])."""

    mean: np.ndarray
    cov: np.ndarray

    def scores(self, features: np.ndarray) -> np.ndarray:
        """The expected score of each row of `features` [M, D]; higher is better."""
        return features @ self.mean


def learn(
    answers: Answers, chosen: np.ndarray, rejected: np.ndarray, weight: np.ndarray | None = None
) -> Posterior:
    """The Laplace posterior of the head after pairs (rows chosen [N] beat rows rejected [N]).

    A tie is two rows, one each way, of weight 1/2. The prior's strength is the one with the
    greatest evidence (MacKay 1992, "The evidence framework applied to classification networks").
    Without pairs it is the prior.
    """
    width = answers.features.shape[1]
    if len(chosen) == 0:
        return Posterior(np.zeros(width), np.eye(width) / UNLABELLED)
    step = answers.features[chosen] - answers.features[rejected]
    weight = np.ones(len(step)) if weight is None else weight
    found = [_laplace(step, weight, strength) for strength in STRENGTHS]
    return max(found, key=lambda each: each[1])[0]


def _laplace(step: np.ndarray, weight: np.ndarray, prior: float) -> tuple[Posterior, float]:
    """The posterior under one prior, and the logarithm of its evidence."""
    width = step.shape[1]

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        gap = step @ w
        value = weight @ np.logaddexp(0, -gap) + prior * (w @ w) / 2
        return float(value), prior * w - step.T @ (weight * expit(-gap))

    best = minimize(loss, np.zeros(width), jac=True, method="L-BFGS-B")
    p = expit(step @ best.x)
    hessian = prior * np.eye(width) + (step * (weight * p * (1 - p))[:, None]).T @ step
    evidence = -best.fun + (width * np.log(prior) - np.linalg.slogdet(hessian)[1]) / 2
    return Posterior(best.x, np.linalg.inv(hessian)), float(evidence)


def information(mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Nats that a label tells about the head, [N]: H(E p) - E H(p), p = sigmoid(gap).

    The gap is normal with this `mean` and `variance` [N]; 0 where it is known, at most log 2.
    """
    p = probabilities(mean, variance)
    return np.maximum(_entropy(p @ WEIGHTS) - _entropy(p) @ WEIGHTS, 0.0)


def probabilities(mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """[N, nodes]: what the label's probability may be, at the nodes of the gap's distribution."""
    return expit(mean[:, None] + np.sqrt(np.maximum(variance, 0.0))[:, None] * NODES)


def _entropy(p: np.ndarray) -> np.ndarray:
    return entr(p) + entr(1 - p)
