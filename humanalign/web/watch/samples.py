"""What the model said, newest last: rollouts.jsonl while it trains, samples.jsonl at the end.

Texts are cut where they are long; the page sets them as text, never as HTML.
"""

from __future__ import annotations

from collections.abc import Mapping

from humanalign.evaluate.report.results import is_number
from humanalign.web.watch.lines import Rows

FILES = ("rollouts.jsonl", "samples.jsonl")
LONGEST, MOST_TEXTS, MOST_NUMBERS = 4000, 9, 24
# A row's texts in reading order; every other text of a row comes after them.
ORDER = ("prompt", "attack", "reference", "before", "after", "completion", "completions")


def shown(rows: Rows) -> dict:
    """The rows as the page takes them: {rows: [{step, texts, numbers}], offset, edition, ...}."""
    return {
        "rows": [sample(row) for row in rows.rows],
        "offset": rows.offset,
        "edition": rows.edition,
        "broken": rows.broken,
        "fresh": rows.fresh,
    }


def sample(row: Mapping) -> dict:
    """{step, texts: [[name, text]], numbers: [[name, value]]} of a row of any shape."""
    step = row.get("step")
    texts = [[name, text] for name in _in_order(row) for text in _texts(row[name])]
    numbers = [
        [str(name)[:60].replace("_", " "), float(value)]
        for name, value in row.items()
        if name != "step" and is_number(value)
    ]
    return {
        "step": step if is_number(step) else None,
        "texts": texts[: len(ORDER) + MOST_TEXTS],
        "numbers": numbers[:MOST_NUMBERS],
    }


def text_of(row: Mapping, name: str) -> str:
    """One text of a row, "" where it is none."""
    value = row.get(name)
    return _cut(value) if isinstance(value, str) else ""


def _in_order(row: Mapping) -> list[str]:
    rank = {name: place for place, name in enumerate(ORDER)}
    return sorted(row, key=lambda name: rank.get(name, len(rank)))


def _texts(value: object) -> list[str]:
    """The texts in a value: itself, the members of a list, the turns of a conversation."""
    if isinstance(value, str):
        return [_cut(value)]
    found = []
    for part in value[:MOST_TEXTS] if isinstance(value, list) else ():
        if isinstance(part, Mapping) and isinstance(part.get("content"), str):
            part = f"{part.get('role', '')}: {part['content']}"
        if isinstance(part, str):
            found.append(_cut(part))
    return found


def _cut(text: str) -> str:
    # A lone half of a surrogate pair, which JSON may spell, cannot be sent as UTF-8.
    text = text.encode("utf-8", "replace").decode()
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}… ({len(text) - LONGEST:,} more characters)"
