"""Fewer points that draw the same picture: the lowest, the highest and the mean of each stretch.

A curve of n points on a screen of w columns needs 2 w of them, if those are the extremes of each
column: no spike is lost (the idea of M4, Jugel et al. 2014).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Thinned:
    """Stretches of a curve: the middle step `x`, and the `low`, `high` and mean `y` of each."""

    x: Array
    low: Array
    high: Array
    y: Array


def thinned(x: Array, y: Array, points: int) -> Thinned:
    """At most `points` stretches in order; `y` has no NaN.

    The curve begins at its first step, and its last point stands alone, as what is newest should.
    """
    size = -(-(len(y) - 1) // max(1, points - 1))
    if len(y) <= points:
        return Thinned(x, y, y, y)
    starts = np.append(np.arange(0, len(y) - 1, size), len(y) - 1)
    counts = np.diff(np.append(starts, len(y)))
    places = starts + (counts - 1) // 2
    places[0] = 0
    return Thinned(
        x[places],
        np.minimum.reduceat(y, starts),
        np.maximum.reduceat(y, starts),
        np.add.reduceat(y, starts) / counts,
    )
