"""Runs beside each other: the settings in which they differ, their final numbers with intervals."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from humanalign.evaluate.report.results import is_number, known, with_interval
from humanalign.web.watch.folder import Place, Record, read_record
from humanalign.web.watch.glance import settings_of

MOST_NUMBERS, LONGEST = 150, 200


def differing(places: Sequence[Place]) -> list[dict]:
    """[{key, values}]: the settings that are not the same in all of the runs, one value a run."""
    held = [{key: as_words(value) for key, value in settings_of(p)[0].items()} for p in places]
    keys = list(dict.fromkeys(key for settings in held for key in settings))
    rows = [{"key": key, "values": [settings.get(key) for settings in held]} for key in keys]
    return [row for row in rows if len(set(row["values"])) > 1]


def numbers(places: Sequence[Place]) -> list[dict]:
    """[{key, values}]: every number of the summaries with its interval; None where missing."""
    held = [dict(summary_numbers(read_record(place))) for place in places]
    keys = list(dict.fromkeys(key for summary in held for key in summary))[:MOST_NUMBERS]
    return [{"key": key, "values": [summary.get(key) for summary in held]} for key in keys]


def summary_numbers(record: Record) -> Iterator[tuple[str, str]]:
    """(dotted name, as people read it) of each number and short text in the summary."""
    yield from _numbers(record.summary, "", 6)


def _numbers(tree: Mapping, prefix: str, depth: int) -> Iterator[tuple[str, str]]:
    for name, value in tree.items():
        label = f"{prefix}{name}".replace("_", " ")
        if known(value) or is_number(value):
            yield label, with_interval(value)
        elif isinstance(value, str) and value:
            yield label, value[:LONGEST]
        elif isinstance(value, Mapping) and depth:
            yield from _numbers(value, f"{label}, ", depth - 1)


def as_words(value: object) -> str:
    """A setting in the spelling of the command line."""
    if isinstance(value, str):
        return value if len(value) <= LONGEST else f"{value[:LONGEST]}…"
    try:
        return json.dumps(value, ensure_ascii=False, default=str)[:LONGEST]
    except (TypeError, ValueError, RecursionError):  # a date as a key, 5,000 digits, 5,000 levels
        return "cannot be shown"
