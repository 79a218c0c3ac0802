"""Texts with class labels from a file: hard labels, columns of vote counts, coded annotators.

    text,is_toxic                                   label="is_toxic"
    tweet,hate_speech,offensive_language,neither    votes={"hate": "hate_speech", ...}
    user,Annotator1_is_abuse.-1,...                 label="is_abuse", its codes are the labels

`merge={"toxic": ["hate", "offensive"]}` adds up the votes of several labels under a new name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from string import Formatter
from typing import Literal

from humanalign.errors import ConfigError, DataError, did_you_mean
from humanalign.prefer.files import annotated, cells
from humanalign.rows import columns, read_rows
from humanalign.types import LabelledText

# The column of a hard label where none is named.
LABEL = "label"
Counts = dict[str, float]


def read_labelled(
    source: Path | str,
    *,
    text: str = "text",
    label: str | None = None,
    votes: Mapping[str, str] | None = None,
    merge: Mapping[str, Sequence[object]] | None = None,
    template: str | None = None,
    weigh: Literal["rows", "votes"] = "rows",
    empty: Literal["error", "skip"] = "error",
) -> list[LabelledText]:
    """The labelled texts of a file, in its order; `template` makes prompts of other columns.

    Every row weighs 1, or with weigh="votes" as much as it has votes. ConfigError: both label and
    votes, a merge of what is no label. DataError: what `read_rows` raises, a column that is
    missing, a count that is no number, a row without a vote, an empty text (empty="skip" leaves
    it out), or a file whose texts all have one label; rows are named by number.
    """
    if label is not None and votes:
        raise ConfigError("label and votes are both given; give the column of one label, or votes")
    rows = read_rows(source)
    columns(rows, [text, *(votes or {}).values(), *_fields(template)], source)
    count = _counting(rows, label, votes or {}, source)
    found: dict[int, Counts] = {}
    for place, row in enumerate(rows):
        filled = bool(cells.text(row, text).strip())
        if filled or empty == "error":
            found[place] = _counted(row, count, filled, text, f"{source}: row {place + 1}")
    renamed = _renaming(merge or {}, {name for counts in found.values() for name in counts})
    texts = []
    for place, counts in found.items():
        target, total = _shares(counts, renamed)
        asked = template.format(**rows[place]) if template else ""
        weight = total if weigh == "votes" else 1.0
        words = cells.text(rows[place], text)
        texts.append(LabelledText(words, target, weight, asked, f"row-{place + 1}"))
    _require_two(texts, source)
    return texts


def _fields(template: str | None) -> list[str]:
    """The columns that a template names. ConfigError: one brace too many, or no plain name."""
    try:
        parts = [part for part in Formatter().parse(template or "") if part[1] is not None]
    except ValueError as error:
        raise ConfigError(f"template: {error} in {template!r:.60}; write {{column}}") from None
    if any(not name or how or kind for _, name, how, kind in parts):
        raise ConfigError(
            f"template: braces hold a column's name and nothing else, got {template!r:.60}; "
            "write {column}"
        )
    return [str(name) for _, name, _, _ in parts]


def _counting(
    rows: Sequence[Mapping], label: str | None, votes: Mapping[str, str], source: Path | str
) -> Callable[[Mapping], Counts]:
    """What counts the votes of a row: by columns of counts, by coded annotators, by one label."""
    if votes:
        return lambda row: {name: _votes(row, column) for name, column in votes.items()}
    name = LABEL if label is None else label
    coded = annotated.coded_columns(tuple(rows[0]), name)
    if coded and name not in rows[0]:
        return lambda row: _codes(row, coded)
    columns(rows, [name], source)
    return lambda row: {_named(row, name): 1.0}


def _counted(
    row: Mapping, count: Callable[[Mapping], Counts], filled: bool, text: str, where: str
) -> Counts:
    """The votes of a row, at least one. DataError names the row."""
    if not filled:
        raise DataError(f"{where}: {text} is empty; fill it, or leave such rows out (empty=skip)")
    try:
        counts = {name: votes for name, votes in count(row).items() if votes}
    except DataError as error:
        raise DataError(f"{where}: {error}") from None
    if not counts:
        raise DataError(f"{where}: has no vote for any label; leave the row out")
    return counts


def _votes(row: Mapping, column: str) -> float:
    found = cells.number(row, column)
    if found < 0:
        raise DataError(f"{column}: expected a count of votes, got {row[column]!r:.60}")
    return found


def _codes(row: Mapping, coded: Mapping[str, Sequence[str]]) -> Counts:
    """How many annotators chose each code, by what each of them said last."""
    counts: Counts = {}
    for rater, names in coded.items():
        turns = annotated.turns(row, rater, names)
        if turns:
            code = names[turns[-1]].rpartition(".")[2]
            counts[code] = counts.get(code, 0.0) + 1.0
    return counts


def _named(row: Mapping, column: str) -> str:
    value = cells.present(row, column)
    if value is None:
        raise DataError(f"{column}: is empty; give every row a label")
    return _spelled(value)


def _spelled(label: object) -> str:
    """A label as text: JSON's true is 'true' and a whole number has no point."""
    if isinstance(label, bool):
        return str(label).lower()
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(label).strip()


def _renaming(merge: Mapping[str, Sequence[object]], labels: set[str]) -> dict[str, str]:
    """old label -> new label. ConfigError: one that is not there, or is merged twice."""
    renamed: dict[str, str] = {}
    for new, olds in merge.items():
        for old in map(_spelled, olds):
            if old not in labels:
                known = sorted(labels)
                raise ConfigError(
                    f"merge: no text has the label '{old}'; the labels are: "
                    f"{', '.join(known):.300}{did_you_mean(old, known)}"
                )
            if old in renamed:
                raise ConfigError(
                    f"merge: '{old}' is in both '{renamed[old]}' and '{new}'; put it into one"
                )
            renamed[old] = new
    return renamed


def _shares(counts: Counts, renamed: Mapping[str, str]) -> tuple[dict[str, float], float]:
    """The shares of the merged labels, in alphabetical order, and how many votes there were."""
    total = sum(counts.values())
    shares: dict[str, float] = {}
    for label, votes in counts.items():
        name = renamed.get(label, label)
        shares[name] = shares.get(name, 0.0) + votes / total
    return dict(sorted(shares.items())), total


def _require_two(texts: Sequence[LabelledText], source: Path | str) -> None:
    labels = sorted({label for each in texts for label in each.target})
    if len(labels) < 2:
        said = f"all {len(texts)} texts have the label '{labels[0]}'" if labels else "no text left"
        raise DataError(f"{source}: {said}; a classifier needs texts of two labels or more")
