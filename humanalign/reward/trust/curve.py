"""What would twice the pairs give? A power law through refits on growing shares of the data.

Test error falls like a + b n^-c over wide ranges of n (Hestness et al. 2017, arXiv 1712.00409;
for reward models Stiennon et al. 2020, arXiv 2009.01325, figure 6). Three to five points cannot
tell the three numbers apart, so none of them is reported: only the forecast, over all the curves
that the points' own intervals allow. Letters: P points, E exponents, R draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from humanalign.reward.trust.scored import RESAMPLES, Array, Figure

# Exponents met in practice; beyond them a curve is a straight line or a cliff.
EXPONENTS = np.linspace(0.1, 1.0, 10)
# The points share their held-out pairs, so half of their error is taken to be common.
COMMON = 0.5
FEWEST, SPAN = 3, 3.0
# A forecast wider than this would say nothing that a guess does not.
WIDEST = 0.2


def learning_curve(points: Sequence[Mapping], *, seed: int = 0) -> dict | None:
    """The card's part on the learning curve, from `points` of {share, pairs, accuracy}.

    `twice` is None, and the sentence says why, where the points cannot carry a forecast: fewer
    than three sizes, less than threefold growth, or a forecast wider than 20 points.
    """
    told = [p for p in points if p.get("accuracy")]
    if not told:
        return None
    told = sorted(told, key=lambda point: point["pairs"])
    twice, sentence = _forecast(told, seed)
    return {"points": [dict(point) for point in told], "twice": twice, "sentence": sentence}


def _forecast(points: Sequence[Mapping], seed: int) -> tuple[Figure | None, str]:
    sizes = np.array([float(point["pairs"]) for point in points])
    if len(set(sizes.tolist())) < FEWEST or sizes[-1] < SPAN * sizes[0]:
        return None, (
            f"The curve has {len(set(sizes.tolist()))} sizes, from {sizes[0]:.0f} to "
            f"{sizes[-1]:.0f} pairs: too little to say what more would give."
        )
    value, draws = _draws(points, sizes, seed)
    low, high = (float(each) for each in np.quantile(draws[:, 1], [0.025, 0.975]))
    low, high = min(low, value[1]), max(high, value[1])
    if high - low > WIDEST:
        return None, (
            f"With twice the pairs anything from {low:.2f} to {high:.2f} is possible: "
            "the curve is too uncertain to say what more would give."
        )
    figure: Figure = {
        "value": value[1],
        "ci_low": low,
        "ci_high": high,
        "n": points[-1]["accuracy"]["n"],
    }
    gain = np.quantile(draws[:, 1] - draws[:, 0], [0.025, 0.975])
    return figure, (
        f"With twice the pairs ({2 * sizes[-1]:,.0f}) about {value[1]:.3f} [{low:.3f}, {high:.3f}] "
        f"on the fitted curve, {value[1] - value[0]:+.3f} [{gain[0]:+.3f}, {gain[1]:+.3f}] "
        "against now."
    )


def _draws(points: Sequence[Mapping], sizes: Array, seed: int) -> tuple[Array, Array]:
    """([2] accuracy on the curve now and at twice the pairs, [R, 2] the same of every draw)."""
    seen = np.array([point["accuracy"]["value"] for point in points], dtype=float)
    width = [point["accuracy"]["ci_high"] - point["accuracy"]["ci_low"] for point in points]
    # A 95 % interval is 3.92 standard errors wide.
    error = np.maximum(np.array(width) / 3.92, 1e-6)
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(RESAMPLES, 1)) * COMMON**0.5
    own = rng.normal(size=(RESAMPLES, len(points))) * (1 - COMMON) ** 0.5
    drawn = np.concatenate([seen[None], seen + error * (common + own)])
    asked = np.array([sizes[-1], 2 * sizes[-1]])
    fitted = 1 - power_law(sizes, 1 - drawn, 1 / error**2, asked)
    return fitted[0], fitted[1:]


def power_law(sizes: Array, errors: Array, weights: Array, asked: Array) -> Array:
    """[R, len(asked)] errors on the curve a + b n^-c closest to `errors` [R, P] at `sizes` [P].

    Weighted least squares with a and b of 0 or more, solved exactly for every c of a grid; the
    best c is taken.
    """
    shares = weights / weights.sum()
    best = np.full(len(errors), np.inf)
    found = np.zeros((len(errors), len(asked)))
    for exponent in EXPONENTS:
        falling, then = sizes**-exponent, asked**-exponent
        a, b = _line(falling, errors, shares)
        loss = ((errors - a[:, None] - b[:, None] * falling) ** 2) @ shares
        better = loss < best - 1e-15
        best[better] = loss[better]
        found[better] = (a[:, None] + b[:, None] * then)[better]
    return found


def _line(x: Array, y: Array, shares: Array) -> tuple[Array, Array]:
    """(a, b), [R] each, of the best y = a + b x under a, b >= 0."""
    middle = x @ shares
    mean = y @ shares
    slope = ((y - mean[:, None]) * (x - middle)) @ shares / (((x - middle) ** 2) @ shares)
    # Where the line would rise with n, it is flat; where it would start below 0, through 0.
    b = np.maximum(slope, 0.0)
    a = mean - b * middle
    through = (y * x) @ shares / ((x**2) @ shares)
    return np.maximum(a, 0.0), np.where(a < 0, through, b)
