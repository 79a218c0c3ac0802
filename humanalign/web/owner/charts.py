"""Small pictures as inline SVG: answers per day, and a value with its interval on a scale.

Colours come from owner.css by class; nothing here carries a style attribute, which the content
policy forbids. Numbers enter through Markup.format, which escapes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from markupsafe import Markup

WIDTH, HEIGHT, FLOOR, LEFT = 640.0, 156.0, 130.0, 54.0
DAYS = 30


def per_day(days: Mapping[str, int], today: date) -> Markup:
    """Answers on each of the last 30 days as bars; `days` maps an ISO date to a count."""
    shown = [today - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    counts = [days.get(day.isoformat(), 0) for day in shown]
    top = _round_up(max(counts))
    step = (WIDTH - LEFT) / DAYS
    body = Markup("")
    for share in (0.0, 0.5, 1.0):
        y = FLOOR - share * (FLOOR - 12)
        body += Markup(
            '<line class="gridline" x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}"/>'
            '<text class="tick" x="{3}" y="{4:.1f}" text-anchor="end">{5:,.0f}</text>'
        ).format(LEFT, WIDTH, y, LEFT - 6, y + 4, share * top)
    for place, (day, n) in enumerate(zip(shown, counts, strict=True)):
        tall = (FLOOR - 12) * n / top
        body += Markup(
            '<rect class="bars" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}">'
            "<title>{}: {:,}</title></rect>"
        ).format(LEFT + place * step + 1, FLOOR - tall, step - 2, tall, day.isoformat(), n)
        if place % 7 == 1:
            body += _date(day, LEFT + (place + 0.5) * step, between=place % 14 == 8)
    label = f"Answers a day over the last 30 days: {sum(counts):,} in all, at most {max(counts):,}"
    return _frame("chart", WIDTH, HEIGHT, label, body)


def whisker(
    value: float | None,
    low: float | None,
    high: float | None,
    *,
    edges: tuple[float, float] = (0.0, 1.0),
    mark: float | None = None,
) -> Markup:
    """A dot with its interval between two edges; `mark` draws a line to compare with."""
    if value is None:
        return Markup("")

    def x(number: float) -> float:
        inside = min(1.0, max(0.0, (number - edges[0]) / (edges[1] - edges[0])))
        return 4 + 112 * inside

    body = Markup('<line class="gridline" x1="4" x2="116" y1="8" y2="8"/>')
    if mark is not None:
        body += Markup('<line class="mark" x1="{0:.1f}" x2="{0:.1f}" y1="1" y2="15"/>').format(
            x(mark)
        )
    if low is not None and high is not None:
        body += Markup('<line class="spread" x1="{:.1f}" x2="{:.1f}" y1="8" y2="8"/>').format(
            x(low), x(high)
        )
    body += Markup('<circle class="dot" cx="{:.1f}" cy="8" r="4"/>').format(x(value))
    return _frame("whisker", 120.0, 16.0, None, body)


def _round_up(number: int) -> int:
    """The next of 4, 6, 8, 10, 20, 40, 60, 80, 100, 200, ...: half of it is whole, too."""
    scale = 1
    while True:
        for top in (4, 6, 8, 10, 20):
            if top * scale >= number:
                return top * scale
        scale *= 10


def _date(day: date, x: float, *, between: bool) -> Markup:
    """A day below its bar, the last one flush with the edge; narrow pages leave some out."""
    edge = x > WIDTH - 20
    return Markup('<text class="{}" x="{:.1f}" y="150" text-anchor="{}">{}</text>').format(
        "tick between" if between else "tick",
        WIDTH if edge else x,
        "end" if edge else "middle",
        day.strftime("%d %b").lstrip("0"),
    )


def _frame(kind: str, width: float, height: float, label: str | None, body: Markup) -> Markup:
    """A picture that reads out `label`, or is silent where the text beside it says the same."""
    said = Markup('role="img" aria-label="{}"').format(label) if label else 'aria-hidden="true"'
    return Markup('<svg class="{}" viewBox="0 0 {:.0f} {:.0f}" {}>{}</svg>').format(
        kind, width, height, Markup(said), body
    )
