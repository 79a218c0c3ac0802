"""Cells of a row as the values they mean: lists that CSV holds as JSON text, numbers, times."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from humanalign.errors import DataError

YEAR_10_000 = 253_402_300_800.0


def present(row: Mapping, name: str) -> object:
    """The cell, or None where it is missing or empty."""
    value = row.get(name)
    return None if value is None or value == "" else value


def structure(row: Mapping, name: str) -> object:
    """A cell that holds a list or an object, as itself or as JSON text; None where it is empty."""
    value = present(row, name)
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise DataError(f"{name}: expected a list in JSON, got {value!r:.60}") from None


def listed(row: Mapping, name: str) -> list:
    """A cell that must hold a list. DataError: it holds none."""
    value = structure(row, name)
    if not isinstance(value, list):
        raise DataError(f"{name}: expected a list, got {value!r:.60}")
    return value


def number(row: Mapping, name: str, default: float = 0.0) -> float:
    """A cell that holds a number, or `default`. DataError: it holds something else."""
    value = present(row, name)
    if value is None:
        return default
    try:
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise DataError(f"{name}: expected a number, got {value!r:.60}") from None
    if not abs(found) < float("inf"):
        raise DataError(f"{name}: expected a finite number, got {value!r:.60}")
    return found


def count(row: Mapping, name: str, default: int = 0) -> int:
    """A cell that holds a whole number, 0 or more. DataError: it holds something else."""
    found = number(row, name, float(default))
    if found < 0 or found != int(found):
        raise DataError(f"{name}: expected a whole number, got {row[name]!r:.60}")
    return int(found)


def text(row: Mapping, name: str, default: str = "") -> str:
    """A cell as text, or `default`."""
    value = present(row, name)
    return default if value is None else str(value)


def moment(row: Mapping, name: str) -> float | None:
    """A time as seconds since 1970: a number, or ISO 8601 (UTC where it names no zone).

    DataError: it is neither, or no time that a calendar of ours can show.
    """
    value = present(row, name)
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None:
        at = number(row, name)
    else:
        at = (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    if not 0 <= at < YEAR_10_000:
        raise DataError(f"{name}: expected a time between 1970 and 9999, got {value!r:.60}")
    return at


def iso(at: float | None) -> str | None:
    """Seconds since 1970 as ISO 8601 in UTC."""
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat()
