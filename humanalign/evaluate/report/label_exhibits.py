"""The exhibits of a reward that was fitted on texts with labels: which it tells apart, and how."""

from __future__ import annotations

from collections.abc import Mapping

from humanalign.evaluate.report.card_charts import edges_of, strip, strip_axis
from humanalign.evaluate.report.card_exhibits import Exhibit, Line, calibration, mark
from humanalign.evaluate.report.charts import number
from humanalign.evaluate.report.results import is_number, whole, with_interval, within

MOST_PICTURES = 6


def labels(summary: Mapping) -> Exhibit | None:
    """AUROC of each label, then accuracy and macro F1 over all of them."""
    found = [(str(name), told) for name, told in within(summary, "auroc").items() if whole(told)]
    overall = (("Accuracy", "accuracy"), ("Macro F1", "macro_f1"))
    rows = [(name, summary[key]) for name, key in overall if whole(summary.get(key))]
    lines = [("AUROC by label", None), *found] if found else []
    lines += [("All labels together", None), *rows] if rows else []
    if not lines:
        return None
    edges = edges_of([mark(told) for _, told in lines if told], 0.5)
    return Exhibit(
        "Which labels it tells apart",
        "AUROC is the chance that a text with the label scores above one without it. Macro F1 "
        "counts every label the same, however rare. Intervals are 95 %, from resampling texts (n).",
        ("Value, 95 % interval",),
        tuple(
            Line(name, (with_interval(told),), strip([mark(told)], edges, line=0.5))
            if told
            else Line(name)
            for name, told in lines
        ),
        "The upright line is .5.",
        strip_axis(edges),
    )


def confusion(summary: Mapping) -> Exhibit | None:
    """How many texts of each label were given which."""
    table = {str(true): row for true, row in within(summary, "confusion").items()}
    said = [str(name) for row in table.values() for name in within(row)]
    columns = tuple(dict.fromkeys(said))
    if not columns:
        return None
    lines = tuple(
        Line(true, tuple(number(within(row).get(name)) for name in columns))
        for true, row in table.items()
    )
    return Exhibit("What it takes for what", "", tuple(f"Said {name}" for name in columns), lines)


def reliabilities(summary: Mapping) -> tuple[Exhibit, ...]:
    """The reliability diagram of each label; of two labels one, as the other is its mirror."""
    parts = within(summary, "calibration")
    names = [name for name in parts if within(parts, name)]
    told = [
        calibration({"calibration": parts[name]}, f" of {name}") for name in names[:MOST_PICTURES]
    ]
    return tuple(shown for shown in (told[:1] if len(names) == 2 else told) if shown)


def commonest(summary: Mapping) -> tuple[str, float]:
    """(the label that most held-out texts have, its share), ("", 0) where that is not known."""
    sizes = {
        str(true): sum(count for count in within(row).values() if is_number(count))
        for true, row in within(summary, "confusion").items()
    }
    total = sum(sizes.values())
    if not total:
        return "", 0.0
    name = max(sizes, key=lambda true: sizes[true])
    return name, sizes[name] / total
