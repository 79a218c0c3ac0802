"""Pictures of the reward card as inline SVG: dots with whiskers, reliability, learning curve.

Colours come from the page's style sheet by class; what is told by colour is told by shape too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from humanalign.evaluate.report.charts import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    frame,
    number,
    scale,
    ticks,
)

# Units of the picture in a table's row.
STRIP, ROW, EDGE = 200.0, 26.0, 8.0
PLOT = 210.0


@dataclass(frozen=True)
class Mark:
    """A value with its interval: "after" is drawn as a dot, "before" as a square."""

    value: float
    low: float
    high: float
    kind: str = "after"


def edges_of(marks: Sequence[Mark], *also: float) -> tuple[float, float]:
    """The scale on which all `marks` and the numbers `also` are seen, to a round tenth."""
    ends = [end for mark in marks for end in (mark.low, mark.value, mark.high)] + list(also)
    low, high = math.floor(10 * min(ends) + 1e-9) / 10, math.ceil(10 * max(ends) - 1e-9) / 10
    return low, high if high > low else low + 0.1


def strip(
    marks: Sequence[Mark], edges: tuple[float, float], *, line: float, bars: bool = False
) -> Markup:
    """One row of a forest plot: each mark with its whisker, and the upright `line` of chance.

    With `bars` each mark is a bar that starts at the line instead of a dot.
    """
    across = scale(*edges, EDGE, STRIP - EDGE)
    zero = float(across(line))
    body = Markup('<line class="chance" x1="{0:.1f}" x2="{0:.1f}" y1="0" y2="{1:.0f}"/>').format(
        zero, ROW
    )
    for place, mark in enumerate(marks):
        y = ROW / 2 + (place - (len(marks) - 1) / 2) * 9
        at, low, high = (float(x) for x in across([mark.value, mark.low, mark.high]))
        body += _bar(mark.kind, zero, at, y) if bars else Markup("")
        body += Markup(
            '<line class="whisker {}" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>'
        ).format("over" if bars else mark.kind, low, high, y, y)
        body += Markup("") if bars else shape(mark.kind, at, y)
    told = ", ".join(
        f"{number(m.value)}, interval {number(m.low)} to {number(m.high)}" for m in marks
    )
    return frame(told, body, STRIP, ROW)


def strip_axis(edges: tuple[float, float]) -> Markup:
    """The scale under the rows of a forest plot."""
    across = scale(*edges, EDGE, STRIP - EDGE)
    body = Markup("")
    # Twice the range: about half as many ticks, which is what so short an axis has room for.
    for tick, label in ticks(edges[0], edges[0] + 2 * (edges[1] - edges[0])):
        if tick <= edges[1] + 1e-9:
            body += Markup(
                '<text class="tick" x="{:.1f}" y="13" text-anchor="middle">{}</text>'
            ).format(float(across(tick)), label)
    return frame(f"scale from {number(edges[0])} to {number(edges[1])}", body, STRIP, 18.0)


def shape(kind: str, x: float, y: float) -> Markup:
    """A dot, or for "before" a square of the same weight."""
    if kind == "before":
        return Markup('<rect class="before" x="{:.1f}" y="{:.1f}" width="7" height="7"/>').format(
            x - 3.5, y - 3.5
        )
    return Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="4"/>').format(kind, x, y)


def reliability(before: Sequence[Mapping], after: Sequence[Mapping], label: str) -> Markup:
    """How often the reward is right (up) where it says so with a confidence (across).

    `before` and `after`: bins of {confidence, accuracy: {value, ci_low, ci_high}}, as the scores
    are and with the temperature. On the diagonal confidence is deserved.
    """
    sides = [
        ("before", [_point(b) for b in before], -2.5),
        ("after", [_point(b) for b in after], 2.5),
    ]
    points = [point for _, side, _ in sides for point in side]
    sure = [at for at, _ in points]
    left = 0.5 if min(sure) >= 0.5 else 0.0
    right = max(math.ceil(10 * max(sure) - 1e-9) / 10, left + 0.1)
    low, high = edges_of([mark for _, mark in points], left, right)
    across, up = scale(left, right, LEFT, WIDTH - RIGHT), scale(low, high, PLOT - BOTTOM - 12, TOP)
    body = _grid((low, high), up) + _feet(ticks(left, right), across)
    body += Markup('<polyline class="ideal" points="{:.1f},{:.1f} {:.1f},{:.1f}"/>').format(
        float(across(left)), float(up(left)), float(across(right)), float(up(right))
    )
    for kind, side, aside in sides:
        path = " ".join(f"{float(across(x)) + aside:.1f},{float(up(m.value)):.1f}" for x, m in side)
        body += Markup('<polyline class="path {}" points="{}"/>').format(kind, path)
        for x, mark in side:
            body += _upright(mark, kind, float(across(x)) + aside, up)
    body += _said("confidence of the reward")
    return frame(label, body, WIDTH, PLOT)


def learning(
    points: Sequence[tuple[float, Mark]], twice: tuple[float, Mark] | None, label: str
) -> Markup:
    """Accuracy by the number of training pairs (logarithmic), and what twice as many would give."""
    everything = [*points, *([twice] if twice else [])]
    low, high = edges_of([mark for _, mark in everything])
    at = np.log([x for x, _ in everything])
    across = scale(at.min() - 0.15, at.max() + 0.15, LEFT, WIDTH - RIGHT)
    up = scale(low, high, PLOT - BOTTOM - 12, TOP)
    body = _grid((low, high), up)
    if low < 0.5 < high:
        y = float(up(0.5))
        body += Markup('<line class="chance" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(
            LEFT, WIDTH - RIGHT, y, y
        )
    body += _feet([(x, f"{x:,.0f}") for x, _ in everything], lambda x: across(np.log(x)))
    places = [(float(across(np.log(x))), mark) for x, mark in everything]
    drawn = " ".join(f"{x:.1f},{float(up(mark.value)):.1f}" for x, mark in places[: len(points)])
    body += Markup('<polyline class="path after" points="{}"/>').format(drawn)
    if twice:
        guess = " ".join(f"{x:.1f},{float(up(mark.value)):.1f}" for x, mark in places[-2:])
        body += Markup('<polyline class="ideal" points="{}"/>').format(guess)
    for place, (x, mark) in enumerate(places):
        body += _upright(mark, "guess" if place == len(points) else "after", x, up)
    return frame(label, body + _said("training pairs"), WIDTH, PLOT)


def _point(found: Mapping) -> tuple[float, Mark]:
    told = found["accuracy"]
    return float(found["confidence"]), Mark(told["value"], told["ci_low"], told["ci_high"])


def _bar(kind: str, zero: float, at: float, y: float) -> Markup:
    return Markup('<rect class="bar {}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="12"/>').format(
        kind, min(zero, at), y - 6, abs(at - zero)
    )


def _upright(mark: Mark, kind: str, x: float, up) -> Markup:
    y, low, high = (float(v) for v in up([mark.value, mark.low, mark.high]))
    whisker = Markup('<line class="whisker {}" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>')
    return whisker.format(kind, x, x, low, high) + shape(kind, x, y)


def _grid(edges: tuple[float, float], up) -> Markup:
    body = Markup("")
    for tick, label in ticks(*edges):
        y = float(up(tick))
        body += Markup(
            '<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>'
            '<text class="tick" x="{}" y="{:.1f}" text-anchor="end">{}</text>'
        ).format(LEFT, WIDTH - RIGHT, y, y, LEFT - 5, y + 3.5, label)
    return body


def _feet(labels: Sequence[tuple[float, str]], across) -> Markup:
    """Labels under the plot; one that would touch its neighbour is left out, never the last."""
    body, taken = Markup(""), math.inf
    for value, label in reversed(labels):
        x = float(across(value))
        if x + 3.2 * len(label) < taken:
            body += Markup(
                '<text class="tick" x="{:.1f}" y="{:.0f}" text-anchor="middle">{}</text>'
            ).format(min(x, WIDTH - 3 * len(label)), PLOT - BOTTOM + 2, label)
            taken = x - 3.2 * len(label) - 6
    return body


def _said(text: str) -> Markup:
    return Markup('<text class="tick" x="{:.0f}" y="{:.0f}" text-anchor="middle">{}</text>').format(
        (LEFT + WIDTH - RIGHT) / 2, PLOT - 4, text
    )
