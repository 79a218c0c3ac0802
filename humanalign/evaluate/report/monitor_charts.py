"""The picture of over-optimisation: what is trained on, and what is held out, over the distance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from humanalign.evaluate.report.card_charts import PLOT, Mark, edges_of, feet, upright
from humanalign.evaluate.report.charts import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    frame,
    says,
    scale,
    ticks,
    upright_says,
    y_axis,
)


@dataclass(frozen=True)
class Fit:
    """gold = start + d(alpha - beta log d), d = sqrt(KL) (Gao et al. 2022, arXiv 2210.10760).

    With `best_of_n` it is start + d(alpha - beta d).
    """

    start: float
    alpha: float
    beta: float
    best_of_n: bool = False

    def at(self, d: float) -> float:
        """The gold reward at the distance `d`."""
        bend = d if self.best_of_n else math.log(d) if d > 0 else 0.0
        return self.start + d * (self.alpha - self.beta * bend)

    @property
    def says(self) -> str:
        """The formula with its numbers."""
        bend = "d" if self.best_of_n else "log d"
        sign = "+" if self.beta < 0 else "−"
        inner = f"{self.alpha:.3g} {sign} {abs(self.beta):.3g} {bend}".replace("-", "−")
        return f"{self.start:.3g} + d({inner})".replace("-", "−")


@dataclass(frozen=True)
class Series:
    """One scorer along the run: `points` of (sqrt(KL), mark); its `kind` gives colour and shape."""

    kind: str
    points: tuple[tuple[float, Mark], ...]


def over_optimisation(
    series: Sequence[Series], fit: Fit | None, chosen: float | None, label: str
) -> Markup:
    """Each series as marks with whiskers on a line, the fit broken, the chosen place upright.

    `chosen`: the sqrt(KL) of the checkpoint that is kept.
    """
    reach = max(d for each in series for d, _ in each.points) or 1.0
    curve = [(d, fit.at(d)) for d in np.linspace(0, reach, 60)] if fit else []
    low, high = edges_of([mark for each in series for _, mark in each.points], *_ends(curve))
    across = scale(0, reach, LEFT, WIDTH - RIGHT - 4)
    up = scale(low, high, PLOT - BOTTOM - 12, TOP)
    body = y_axis(low, high, up) + feet(ticks(0, reach), across)
    if chosen is not None:
        body += Markup('<line class="chance" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>').format(
            float(across(chosen)), TOP, PLOT - BOTTOM - 12
        )
    if curve:
        body += _path("ideal", [(float(across(d)), float(up(v))) for d, v in curve])
    for each in series:
        places = [(float(across(d)), mark) for d, mark in each.points]
        body += _path(f"path {each.kind}", [(x, float(up(mark.value))) for x, mark in places])
        body += Markup("").join(upright(mark, each.kind, x, up) for x, mark in places)
    body += says("distance from the start, √KL", PLOT - 4) + upright_says("score")
    return frame(label, body, WIDTH, PLOT)


def _ends(curve: Sequence[tuple[float, float]]) -> list[float]:
    heights = [value for _, value in curve]
    return [min(heights), max(heights)] if heights else []


def _path(kind: str, points: Sequence[tuple[float, float]]) -> Markup:
    drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return Markup('<polyline class="{}" points="{}"/>').format(kind, drawn)
