"""A measured result as people read it: {value, ci_low, ci_high, n}, any part of it missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeGuard

from humanalign.evaluate.report.charts import number
from humanalign.intervals import is_number


def within(tree: object, *keys: str) -> Mapping:
    """The mapping at `keys`, an empty one where there is none."""
    for key in keys:
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tree if isinstance(tree, Mapping) else {}


def rows_of(found: object) -> Iterator[Mapping]:
    """The mappings of a list that may be missing."""
    yield from (
        row for row in (found if isinstance(found, list) else ()) if isinstance(row, Mapping)
    )


def known(result: object) -> TypeGuard[Mapping]:
    """True for a result that has a value."""
    return isinstance(result, Mapping) and is_number(result.get("value"))


def whole(result: object) -> TypeGuard[Mapping]:
    """True for a result that has a value and its interval."""
    return known(result) and all(is_number(result.get(k)) for k in ("ci_low", "ci_high"))


def with_interval(result: object) -> str:
    """ "0.712 [0.690, 0.731], n 500" from {value, ci_low, ci_high, n}; a plain number as it is."""
    if not isinstance(result, Mapping):
        return number(result)
    if result.get("value") is None:
        return f"undefined: {result.get('reason', 'no reason given')}"
    if result.get("ci_low") is None:
        return number(result["value"])
    low, high = number(result["ci_low"]), number(result.get("ci_high"))
    # No line breaks inside "n 500" or inside the brackets.
    return f"{number(result['value'])} [{low},\u00a0{high}], n\u00a0{number(result.get('n'))}"


def percent(result: Mapping) -> str:
    """ "66.2 % of the time (62.1 to 70.3 %)"."""
    said = f"{100 * result['value']:.1f}\u00a0% of the time"
    if not whole(result):
        return said
    return f"{said} ({100 * result['ci_low']:.1f} to {100 * result['ci_high']:.1f}\u00a0%)"


def points(result: Mapping) -> str:
    """ "+11.2 points, 6.1 to 16.0": a difference of two shares with its interval."""
    value, low, high = (100 * result[key] for key in ("value", "ci_low", "ci_high"))
    return f"{value:+.1f} points, {low:.1f} to {high:.1f}".replace("-", "−")


__all__ = [
    "is_number",
    "known",
    "percent",
    "points",
    "rows_of",
    "whole",
    "with_interval",
    "within",
]
