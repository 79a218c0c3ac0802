"""Before beside after as an exhibit: one row a measure, both with their intervals on one scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from humanalign.evaluate.report.card_charts import Mark, edges_of, shape, strip, strip_axis
from humanalign.evaluate.report.card_exhibits import Exhibit, Line, mark
from humanalign.evaluate.report.charts import frame, number, scale, ticks
from humanalign.evaluate.report.measures import Measure, measure
from humanalign.evaluate.report.results import is_number

MOST_OPEN = 12
COLUMNS = ("Before", "After", "Difference", "p (Holm)", "Finding")


def versus(
    title: str,
    said: str,
    rows: Sequence[Measure | str],
    *,
    line: float | None = None,
    first: str = "Measure",
) -> Exhibit | None:
    """An exhibit of `rows`; a string among them is a heading. None where there is no number.

    `line` is where chance stands, `first` the heading of the names. Without a model before, the
    columns are the value alone. Very many rows are folded.
    """
    shown = [row for row in rows if isinstance(row, Measure)]
    if not shown:
        return None
    both = any(row.before for row in shown)
    edges = edges_of([each for row in shown for each in _marks(row)], *([line] if line else []))
    lines = tuple(
        Line(row)
        if isinstance(row, str)
        else Line(
            row.name,
            _cells(row) if both else (spread(row.after),),
            strip(_marks(row), edges, line=line),
            row.finding.replace(" ", "-"),
        )
        for row in rows
    )
    legend = "Square: before. Dot: after." if both else ""
    columns = COLUMNS if both else ("Value",)
    folded = len(lines) > MOST_OPEN
    axis = strip_axis(edges)
    return Exhibit(title, said, columns, lines, legend, axis, first=first, folded=folded)


def tree(told: Mapping, names: Mapping[str, str] | None = None, better: str = "") -> list[Measure]:
    """The measures of {name: told}: those in `names`, by that name, or all as they are called."""
    keys = names or {str(key): str(key).replace("_", " ") for key in told}
    read = [measure(key, told.get(key), name, better) for key, name in keys.items()]
    return [each for each in read if each]


def picture(measure: Measure) -> Markup | None:
    """The one picture of the first minute: before and after on a scale that starts where it can."""
    if not measure.before:
        return None
    marks = _marks(measure)
    ends = [end for each in marks for end in (each.low, each.high)]
    low, high = min(ends), max(ends)
    low = 0.0 if 0 <= low < high / 2 else low
    room = 0.06 * (high - low)
    across = scale(low - (room if low else 0), high + room, 70.0, 620.0)
    body = Markup("")
    for tick, label in ticks(low, high + room):
        x = float(across(tick))
        body += Markup(
            '<line class="grid" x1="{0:.1f}" x2="{0:.1f}" y1="8" y2="104"/>'
            '<text class="tick" x="{0:.1f}" y="122" text-anchor="middle">{1}</text>'
        ).format(x, label)
    for each, y in zip(marks, (36, 80), strict=True):
        at, a, b = (float(x) for x in across([each.value, each.low, each.high]))
        body += Markup(
            '<text class="{0}" x="0" y="{1}">{2}</text>'
            '<line class="whisker {0}" x1="{3:.1f}" x2="{4:.1f}" y1="{5}" y2="{5}"/>'
        ).format(each.kind, y + 4, each.kind.capitalize(), a, b, y)
        body += shape(each.kind, at, y)
        body += Markup('<text class="{}" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
            each.kind, at, y - 12, number(each.value)
        )
    said = "; ".join(
        f"{m.kind} {number(m.value)}, {number(m.low)} to {number(m.high)}" for m in marks
    )
    return frame(f"{measure.name}: {said}", body, 640.0, 126.0)


def spread(result: Mapping, n: bool = True, unit: str = "") -> str:
    """A value, and on a second line its interval, with n unless it is told elsewhere in the row."""
    low, high = number(result["ci_low"]), number(result["ci_high"])
    counted = f", n\u00a0{number(result.get('n'))}" if n else ""
    return f"{number(result['value'])}{unit}\n{low} to {high}{unit}{counted}"


def chance(p: object) -> str:
    """A p-value as journals print it."""
    if not is_number(p):
        return "–"
    return "< .001" if p < 0.001 else f"{p:.3f}"


def _marks(row: Measure) -> list[Mark]:
    sides = [mark(row.before, "before")] if row.before else []
    return [*sides, mark(row.after)]


def _cells(row: Measure) -> tuple[str, ...]:
    change = spread(row.difference) if row.difference else "–"
    said = "not shown" if row.finding == "no difference shown" else row.finding
    before = spread(row.before, False) if row.before else "–"
    return (
        before,
        spread(row.after, False),
        change,
        chance(row.p),
        f"{row.sign} {said}".strip(),
    )
