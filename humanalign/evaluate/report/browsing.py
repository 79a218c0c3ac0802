"""All samples of a run packed for the page's browser, as many as fit into so many bytes.

The page's script reads: `scores` [[key, name, better]], `sides`, `total`, `texts` (what the model
read, each once), `rows`. A row: text (its place in `texts`), reference, tag, {side: answer}, the
scores as {side: [...]}, the sides that were cut off, and {side: unsupported spans}. Spans count
UTF-16 units, as the script's strings do.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from humanalign.evaluate.report.answers import cut, kind_of, score, spread
from humanalign.evaluate.report.marked import whole_spans
from humanalign.evaluate.report.measures import direction, named

SIDES = ("before", "after")
FLAGS = ("finished", "unsupported")


def packed(
    samples: Sequence[Mapping], key: str, budget: int, most: int
) -> tuple[Markup | None, int]:
    """(script data, rows in it) of at most `budget` bytes; texts are cut after `most` characters.

    Where not all fit, the rows kept are spread evenly over the change in `key`. None where not
    even a row fits.
    """
    rows = [row for row in samples if "after" in row]
    low, high = 0, len(rows)
    data = _pack(rows, rows, key, most)
    if len(data.encode()) <= budget:
        return Markup(data), high
    while high - low > 1:  # low rows fit, high rows do not
        middle = max(low + 1, min(high - 1, (low + high) // 2))
        data = _pack(spread(rows, key, middle), rows, key, most)
        low, high = (middle, high) if len(data.encode()) <= budget else (low, middle)
    if not low:
        return None, 0
    return Markup(_pack(spread(rows, key, low), rows, key, most)), low


def script_data(data: object) -> str:
    """JSON that cannot leave its script element whatever the strings in it say."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text.encode("utf-8", "replace").decode()


def _pack(kept: Sequence[Mapping], rows: Sequence[Mapping], key: str, most: int) -> str:
    names = _names(rows, key)
    texts: dict[str, int] = {}
    told = [_row(row, names, texts, most) for row in kept]
    return script_data(
        {
            "scores": [[name, named(name), direction(name)] for name in names],
            "sides": [side for side in SIDES if any(side in row for row in rows)],
            "total": len(rows),
            "texts": list(texts),
            "rows": told,
        }
    )


def _names(rows: Sequence[Mapping], key: str) -> list[str]:
    """The scores that any row has, the main one first."""
    found = dict.fromkeys(
        str(name).removesuffix("_after")
        for row in rows[:50]
        for name in row
        if str(name).endswith("_after") and score(row, name) is not None
    )
    names = [name for name in found if name not in FLAGS]
    return sorted(names, key=lambda name: name != key)


def _row(row: Mapping, names: Sequence[str], texts: dict[str, int], most: int) -> list:
    text = cut(row.get("attack") or row.get("prompt") or "", most)
    sides = [side for side in SIDES if side in row]
    answers = {side: cut(row[side], most) for side in sides}
    spans = {side: _spans(row.get(f"unsupported_{side}"), answers[side]) for side in sides}
    tag = kind_of(row)
    return [
        texts.setdefault(text, len(texts)),
        cut(row.get("reference") or "", most),
        tag,
        answers,
        {side: [_short(score(row, f"{name}_{side}")) for name in names] for side in sides},
        [side for side in sides if row.get(f"finished_{side}") is False],
        {side: found for side, found in spans.items() if found},
    ]


def _spans(spans: object, text: str) -> list[tuple[int, int, str]]:
    return [
        (_units(text[:start]), _units(text[:end]), kind)
        for start, end, kind in whole_spans(spans, len(text))
    ]


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _short(value: float | None) -> float | None:
    if value is None or value == 0 or not math.isfinite(value):
        return value
    short = float(f"{value:.4g}")
    return int(short) if short.is_integer() else short
