"""Logistic regression on differences: the linear form of the Bradley-Terry model.

P(chosen beats rejected) = sigmoid(w . (x_chosen - x_rejected)), so there is no intercept: turning
a pair round must turn the prediction round. Letters: N pairs, V features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.special import expit

from humanalign.reward.trust.scored import Array, folds_of

Matrix = Array | csr_array
# C as scikit-learn counts it: the summed loss is weighed by C against |w|^2 / 2.
STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)
FOLDS = 5


def fit_differences(rows: Matrix, weights: Array, *, strength: float) -> Array:
    """The weights w [V] of sum_n weights_n log(1 + exp(-w . x_n)) + |w|^2 / (2 strength)."""

    def loss(w: Array) -> tuple[float, Array]:
        gaps = rows @ w
        value = float(weights @ np.logaddexp(0, -gaps) + w @ w / (2 * strength))
        return value, -(rows.T @ (weights * expit(-gaps))) + w / strength

    return minimize(loss, np.zeros_like(rows.T @ weights), jac=True, method="L-BFGS-B").x


def choose_strength(
    rows: Matrix, weights: Array, prompts: Sequence[str], *, seed: int = 0
) -> float:
    """The strength of STRENGTHS with the least loss on left-out prompts, over 5 folds."""
    fold = folds_of(prompts, FOLDS, seed=seed)
    losses = []
    for strength in STRENGTHS:
        total = 0.0
        for number in np.unique(fold):
            out = fold == number
            if out.all():
                continue
            w = fit_differences(rows[~out], weights[~out], strength=strength)
            total += float(weights[out] @ np.logaddexp(0, -(rows[out] @ w)))
        losses.append(total)
    return STRENGTHS[int(np.argmin(losses))]


def fitted(rows: Matrix, weights: Array, prompts: Sequence[str], *, seed: int = 0) -> Array:
    """The weights [V] at the chosen strength, from all the rows."""
    strength = choose_strength(rows, weights, prompts, seed=seed)
    return fit_differences(rows, weights, strength=strength)
