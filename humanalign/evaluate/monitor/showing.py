"""Which answers show what a rule has found: an alert without samples is only a number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from humanalign.evaluate.monitor.rules import Shows
from humanalign.evaluate.monitor.signs import repeated
from humanalign.evaluate.quality import ngrams

Row = dict[str, object]


def rows_of(
    prompts: Sequence[str],
    texts: Sequence[str],
    rewards: Sequence[float],
    golds: Sequence[float] | None = None,
) -> list[Row]:
    """The answers as rows of samples."""
    rows: list[Row] = [
        {"prompt": p, "completion": c, "reward": r}
        for p, c, r in zip(prompts, texts, rewards, strict=True)
    ]
    if golds is not None:
        for row, gold in zip(rows, golds, strict=True):
            row["gold"] = gold
    return rows


def samples_of(
    rows: Sequence[Row],
    finished: Sequence[bool],
    how: Shows,
    *,
    phrase: str = "",
    count: int = 4,
) -> list[Row]:
    """The answers that show it most, the one with the highest reward first of those alike."""
    texts = [str(row["completion"]) for row in rows]
    alike: dict[str, int] = {}
    for text in texts:
        alike[text] = alike.get(text, 0) + 1
    keys: Mapping[Shows, Callable[[int], float]] = {
        "reward": lambda _: 0.0,
        "repeats": lambda i: repeated(texts[i]),
        "long": lambda i: len(texts[i].split()),
        "short": lambda i: -len(texts[i].split()),
        "unfinished": lambda i: not finished[i],
        "same": lambda i: alike[texts[i]],
        "phrase": lambda i: _times(texts[i], phrase),
        "gold": lambda i: -_number(rows[i], "gold"),
    }
    key = keys[how]
    order = sorted(range(len(rows)), key=lambda i: (-key(i), -_number(rows[i], "reward"), i))
    return [rows[i] for i in order[:count]]


def _times(text: str, phrase: str) -> int:
    gram = tuple(phrase.split())
    return sum(each == gram for each in ngrams(text, len(gram)))


def _number(row: Row, name: str) -> float:
    value = row.get(name, 0.0)
    return float(value) if isinstance(value, int | float) else 0.0
