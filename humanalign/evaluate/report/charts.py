"""Pictures of the report as inline SVG: curves with a cursor, a mirrored histogram, intervals.

Colours come from the page's style sheet by class, so one picture serves light, dark and print.
Text and numbers enter through Markup.format, which escapes them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from humanalign.intervals import is_number

# Units of every picture's viewBox; the page scales it to its column.
WIDTH, HEIGHT = 300.0, 164.0
LEFT, RIGHT, TOP, BOTTOM = 42.0, 8.0, 22.0, 20.0
MOST_POINTS = 400
MOST_ALERTS = 40
BINS = 20


@dataclass(frozen=True)
class Curve:
    """A drawn curve. `points`: (step, value, x, y) for the cursor; `note`: what was drawn."""

    id: str
    title: str
    explanation: str
    svg: Markup
    points: tuple[tuple[float, float, float, float], ...]
    note: str
    last: float


def curve(
    id: str,
    title: str,
    explanation: str,
    steps: Sequence[float],
    values: Sequence[float],
    *,
    unit: str = "",
    across_is: str = "step",
    alerts: Sequence[float] = (),
    most: int = MOST_POINTS,
) -> Curve:
    """Draw one metric over the steps: every step thin, the running mean thick.

    `unit` names the upright axis, `across_is` the level one; `alerts` are steps to mark; `most`
    points are drawn, each then the mean of several steps.
    """
    x, y, block = _thinned(np.asarray(steps, float), np.asarray(values, float), most)
    low, high = _range(y)
    across = scale(x[0], x[-1] if x[-1] > x[0] else x[0] + 1, LEFT, WIDTH - RIGHT)
    up = scale(low, high, HEIGHT - BOTTOM, TOP)
    window = len(y) // 15 if len(y) >= 45 else 1
    lines = Markup("")
    if window > 1:
        lines += _line("raw", across(x), up(y))
    lines += _line("line", across(x), up(_running_mean(y, window)))
    inside = sorted({step for step in alerts if x[0] <= step <= x[-1]})[:MOST_ALERTS]
    said = f"; alerts at {across_is} {', '.join(f'{s:.0f}' for s in inside)}" if inside else ""
    axes = y_axis(low, high, up) + _x_axis(x, across, across_is) + upright_says(unit)
    svg = frame(
        f"{title}: {number(y[0])} at {across_is} {x[0]:.0f}, "
        f"{number(y[-1])} at {across_is} {x[-1]:.0f}{said}",
        axes + _flags([float(across(step)) for step in inside]) + lines + CURSOR,
    )
    note = f"thick: mean of {window} steps" if window > 1 else ""
    if block > 1:
        note = f"each point is the mean of {block} steps"
    rows = zip(x, y, across(x), up(y), strict=True)
    points = tuple(
        (float(s), _short(v), round(float(a), 1), round(float(b), 1)) for s, v, a, b in rows
    )
    return Curve(id, title, explanation, svg, points, note, float(y[-1]))


CURSOR = Markup(
    '<g class="cursor" visibility="hidden"><line y1="{}" y2="{}"/><circle r="3.2"/></g>'
).format(TOP, HEIGHT - BOTTOM)


def histogram(before: Sequence[float], after: Sequence[float], name: str) -> Markup:
    """Before upwards, after downwards, the same 20 bins over 0 to 1 (or the range of the data)."""
    both = np.concatenate([np.asarray(before, float), np.asarray(after, float)])
    edge = (0.0, 1.0) if both.min() >= 0 and both.max() <= 1 else (both.min(), both.max())
    shares = [np.histogram(side, BINS, edge)[0] / max(1, len(side)) for side in (before, after)]
    tallest = max(share.max() for share in shares)
    width, middle, room = 640.0, 120.0, 96.0
    across = scale(edge[0], edge[1], 60.0, width - 16.0)
    body = Markup("")
    for side, share, mean, sign in (
        ("before", shares[0], np.mean(before), -1),
        ("after", shares[1], np.mean(after), 1),
    ):
        for i, part in enumerate(share):
            a, b = across(edge[0] + np.array([i, i + 1]) * (edge[1] - edge[0]) / BINS)
            tall = room * part / tallest
            body += Markup(
                '<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>'
            ).format(side, a + 1, middle - tall if sign < 0 else middle, max(0.0, b - a - 2), tall)
        at = float(across(np.array([mean]))[0])
        end = middle + sign * (room + 8)
        body += Markup('<line class="mean {}" x1="{:.1f}" x2="{:.1f}" y1="{}" y2="{}"/>').format(
            side, at, at, middle, end
        )
        body += Markup('<text class="{}" x="{:.1f}" y="{}">{} mean {}</text>').format(
            side, at + 5, end + (0 if sign < 0 else 6), side, number(float(mean))
        )
        body += Markup('<text class="tick" x="52" y="{}" text-anchor="end">{:.0f} %</text>').format(
            middle + sign * room + 4, 100 * tallest
        )
    body += Markup('<line class="axis" x1="60" x2="{}" y1="{}" y2="{}"/>').format(
        width - 16, middle, middle
    )
    body += Markup('<text class="tick" x="342" y="270" text-anchor="middle">{}</text>').format(name)
    for tick in np.linspace(*edge, 6):
        body += Markup(
            '<text class="tick" x="{:.1f}" y="252" text-anchor="middle">{}</text>'
        ).format(float(across(np.array([tick]))[0]), f"{tick:.2g}")
    label = f"Share of answers by {name}; before above the line, after below it"
    return frame(label, body, width, 274.0)


def interval(
    value: float, low: float, high: float, edges: tuple[float, float], kind: str = "after"
) -> Markup:
    """A dot with its 95 % whisker on a common scale from edges[0] to edges[1]."""
    across = scale(edges[0], max(edges[1], edges[0] + 1e-9), 4.0, 116.0)
    at, a, b = across(np.clip(np.array([value, low, high]), *edges))
    body = Markup(
        '<line class="axis" x1="4" x2="116" y1="8" y2="8"/>'
        '<line class="whisker {}" x1="{:.1f}" x2="{:.1f}" y1="8" y2="8"/>'
        '<circle class="{}" cx="{:.1f}" cy="8" r="3.5"/>'
    ).format(kind, a, b, kind, at)
    if edges[0] < 0 < edges[1]:
        zero = float(across(np.array([0.0]))[0])
        body += Markup('<line class="zero" x1="{0:.1f}" x2="{0:.1f}" y1="1" y2="15"/>').format(zero)
    label = f"{number(value)}, interval {number(low)} to {number(high)}"
    return frame(label, body, 120.0, 16.0)


def bar(share: float) -> Markup:
    """A horizontal bar of `share` (0 to 1) of its width."""
    body = Markup('<rect class="after" x="0" y="2" width="{:.1f}" height="8"/>').format(
        120 * min(1.0, max(0.0, share))
    )
    return frame(f"{100 * share:.0f} %", body, 120.0, 12.0)


def number(value: object) -> str:
    """A number as a reader wants it: three significant digits, a true minus, no exponent if it
    can be helped; a dash for what is not a number."""
    if isinstance(value, np.floating):
        value = float(value)
    if not is_number(value):
        return "–"
    if value == 0 or isinstance(value, int) or abs(value) >= 1000:
        text = f"{value:,.0f}"
    elif abs(value) < 0.001:
        text = f"{value:.5f}" if abs(value) >= 0.00001 else f"{value:.1e}"
    else:
        text = f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"
        text = f"{value:.3f}" if abs(value) < 1 else text
    return text.replace("-", "−")


def _thinned(x: np.ndarray, y: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray, int]:
    """At most `most` points: means over blocks of steps, and the size of a block."""
    block = math.ceil(len(y) / most)
    if block == 1:
        return x, y, 1
    starts = np.arange(0, len(y), block)
    sizes = np.diff(np.append(starts, len(y)))
    return x[starts + sizes - 1], np.add.reduceat(y, starts) / sizes, block


def _running_mean(y: np.ndarray, window: int) -> np.ndarray:
    """Centred mean of `window` points, over those that exist at the ends."""
    if window <= 1:
        return y
    kernel = np.ones(window)
    return np.convolve(y, kernel, "same") / np.convolve(np.ones(len(y)), kernel, "same")


def _range(y: np.ndarray) -> tuple[float, float]:
    low, high = float(y.min()), float(y.max())
    if low > 0 and low < 0.35 * high:
        low = 0.0  # a scale that almost reaches zero should show it
    if high - low <= 1e-12 * max(1.0, abs(high)):
        return low - 0.5 * max(abs(low), 1e-3), high + 0.5 * max(abs(high), 1e-3)
    room = 0.05 * (high - low)
    return (low - room if low else 0.0), high + room


def scale(a: float, b: float, start: float, end: float):
    """A function from values to places: a is at `start`, b at `end`; numbers or arrays."""
    return lambda v: start + (np.asarray(v) - a) * (end - start) / (b - a)


def _line(kind: str, x: np.ndarray, y: np.ndarray) -> Markup:
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    if len(x) == 1:
        return Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="2.5"/>').format(
            "dot", x[0], y[0]
        )
    return Markup('<polyline class="{}" points="{}"/>').format(kind, points)


def y_axis(low: float, high: float, up) -> Markup:
    """Level lines at round values, each with its number at the left edge."""
    marks = Markup("")
    for tick, label in ticks(low, high):
        y = float(up(tick))
        marks += Markup(
            '<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>'
            '<text class="tick" x="{}" y="{:.1f}" text-anchor="end">{}</text>'
        ).format(LEFT, WIDTH - RIGHT, y, y, LEFT - 5, y + 3.5, label)
    return marks


def _x_axis(x: np.ndarray, across, said: str) -> Markup:
    ends = [(x[0], "start"), (x[-1], "end")] if len(x) > 1 else [(x[0], "start")]
    marks = says(said, HEIGHT - 5)
    for step, anchor in ends:
        marks += Markup(
            '<text class="tick" x="{:.1f}" y="{}" text-anchor="{}">{:,.0f}</text>'
        ).format(float(across(step)), HEIGHT - 5, anchor, step)
    return marks


def says(text: str, y: float) -> Markup:
    """The name of the level axis, in its middle."""
    return Markup('<text class="tick" x="{:.0f}" y="{:.0f}" text-anchor="middle">{}</text>').format(
        (LEFT + WIDTH - RIGHT) / 2, y, text
    )


def upright_says(text: str) -> Markup:
    """The name of the upright axis, above it and level, so that nobody turns the head."""
    if not text:
        return Markup("")
    return Markup('<text class="tick unit" x="0" y="9">{}</text>').format(text)


def _flags(places: Sequence[float]) -> Markup:
    """A line with a flag at its top for each alert: told by shape, not only by colour."""
    flag = Markup(
        '<g class="alert"><line x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>'
        '<path d="M{0:.1f} {1}h7l-2.5 3 2.5 3h-7z"/></g>'
    )
    return Markup("").join(flag.format(x, TOP - 6, HEIGHT - BOTTOM) for x in places)


def ticks(low: float, high: float) -> list[tuple[float, str]]:
    """About five round numbers inside low..high, each with its label, all to the same digit."""
    rough = (high - low) / 5
    power = math.floor(math.log10(rough))
    times, digits = next(
        (m, digits)
        for m, digits in ((1, 0), (2, 0), (2.5, 1), (5, 0), (10, -1))
        if m * 10.0**power >= rough * (1 - 1e-9)
    )
    step, digits = times * 10.0**power, max(0, digits - power)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    form = f",.{digits}f" if digits <= 5 else ".1e"
    ticks = [i * step for i in range(first, last + 1)]
    return [(t, "0" if t == 0 else f"{t:{form}}".replace("-", "−")) for t in ticks]


def _short(value: float) -> float:
    return float(f"{value:.5g}")


def frame(label: str, body: Markup, width: float = WIDTH, height: float = HEIGHT) -> Markup:
    """A picture of `body` that a screen reader calls by `label`."""
    return Markup('<svg viewBox="0 0 {:.0f} {:.0f}" role="img" aria-label="{}">{}</svg>').format(
        width, height, label, body
    )
