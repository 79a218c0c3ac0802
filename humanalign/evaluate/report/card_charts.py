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
    says,
    scale,
    ticks,
    upright_says,
    y_axis,
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
    marks: Sequence[Mark], edges: tuple[float, float], *, line: float | None, bars: bool = False
) -> Markup:
    """One row of a forest plot: each mark with its whisker, and the upright `line` of chance.

    With `bars` each mark is a bar that starts at the line instead of a dot; where `line` is None
    there is nothing to compare with, and bars start at the left edge.
    """
    across = scale(*edges, EDGE, STRIP - EDGE)
    zero = float(across(edges[0] if line is None else line))
    body = Markup("")
    if line is not None:
        body += Markup(
            '<line class="chance" x1="{0:.1f}" x2="{0:.1f}" y1="0" y2="{1:.0f}"/>'
        ).format(zero, ROW)
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


def margin(mark: Mark, limits: Sequence[float]) -> Markup:
    """A difference beside 0 and beside the values that it must stay clear of."""
    reach = 1.15 * max(abs(end) for end in (mark.low, mark.high, *limits))
    across = scale(-reach, reach, EDGE, STRIP - EDGE)
    lines = Markup("")
    for kind, place in (("chance", 0.0), *(("limit", limit) for limit in limits)):
        lines += Markup('<line class="{0}" x1="{1:.1f}" x2="{1:.1f}" y1="0" y2="{2:.0f}"/>').format(
            kind, float(across(place)), ROW
        )
    at, low, high = (float(x) for x in across([mark.value, mark.low, mark.high]))
    whisker = Markup('<line class="whisker after" x1="{:.1f}" x2="{:.1f}" y1="13" y2="13"/>')
    told = f"{number(mark.value)}, interval {number(mark.low)} to {number(mark.high)}"
    body = lines + whisker.format(low, high) + shape("after", at, ROW / 2)
    return frame(f"{told}, margin {number(limits[0])}", body, STRIP, ROW)


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
    body = y_axis(low, high, up) + feet(ticks(left, right), across)
    body += Markup('<polyline class="ideal" points="{:.1f},{:.1f} {:.1f},{:.1f}"/>').format(
        float(across(left)), float(up(left)), float(across(right)), float(up(right))
    )
    for kind, side, aside in sides:
        path = " ".join(f"{float(across(x)) + aside:.1f},{float(up(m.value)):.1f}" for x, m in side)
        body += Markup('<polyline class="path {}" points="{}"/>').format(kind, path)
        for x, mark in side:
            body += upright(mark, kind, float(across(x)) + aside, up)
    body += says("how sure it says it is", PLOT - 4) + upright_says("share right")
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
    body = y_axis(low, high, up) + upright_says("accuracy")
    if low < 0.5 < high:
        y = float(up(0.5))
        body += Markup('<line class="chance" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(
            LEFT, WIDTH - RIGHT, y, y
        )
    body += feet([(x, f"{x:,.0f}") for x, _ in everything], lambda x: across(np.log(x)))
    places = [(float(across(np.log(x))), mark) for x, mark in everything]
    drawn = " ".join(f"{x:.1f},{float(up(mark.value)):.1f}" for x, mark in places[: len(points)])
    body += Markup('<polyline class="path after" points="{}"/>').format(drawn)
    if twice:
        guess = " ".join(f"{x:.1f},{float(up(mark.value)):.1f}" for x, mark in places[-2:])
        body += Markup('<polyline class="ideal" points="{}"/>').format(guess)
    for place, (x, mark) in enumerate(places):
        body += upright(mark, "guess" if place == len(points) else "after", x, up)
    return frame(label, body + says("training pairs", PLOT - 4), WIDTH, PLOT)


def _point(found: Mapping) -> tuple[float, Mark]:
    told = found["accuracy"]
    return float(found["confidence"]), Mark(told["value"], told["ci_low"], told["ci_high"])


def _bar(kind: str, zero: float, at: float, y: float) -> Markup:
    return Markup('<rect class="bar {}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="12"/>').format(
        kind, min(zero, at), y - 6, abs(at - zero)
    )


def upright(mark: Mark, kind: str, x: float, up) -> Markup:
    """A mark at `x` with its whisker standing."""
    y, low, high = (float(v) for v in up([mark.value, mark.low, mark.high]))
    whisker = Markup('<line class="whisker {}" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>')
    return whisker.format(kind, x, x, low, high) + shape(kind, x, y)


def feet(labels: Sequence[tuple[float, str]], across) -> Markup:
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
