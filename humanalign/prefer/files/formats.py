"""Pairs in files: what the public data sets use, read by the columns that are there.

| layout | columns |
|-|-|
| preference | prompt, chosen, rejected; the other fields of PreferencePair if present |
| conversation | the same, each a list of {"role", "content"}; the prompt may be left implicit |
| hh | chosen, rejected: whole transcripts, split at the last common "\\n\\nAssistant:" |
| unpaired | prompt, completion, label (true = good) |
| groups | prompt, completions, ranks (1 = best, ties allowed, "F" = unusable) |

The container is told by the suffix: `.jsonl`, `.csv`, `.parquet`, each optionally `.gz`.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

from humanalign.conversations import Messages, as_messages, as_transcript, is_transcript
from humanalign.errors import DataError, did_you_mean
from humanalign.prefer.files.transcripts import messages_of, pair_of_messages, split_transcripts
from humanalign.prefer.pairs import Texts
from humanalign.prefer.ranks import competition_marks, parse_marks
from humanalign.prefer.statistics.votes import levels
from humanalign.rows import read_rows, suffix, write_bytes
from humanalign.types import PreferencePair, Ranking

# What a yes or no is written as in files; another word is a column of somebody else's.
YES_NO = {"true": True, "1": True, "false": False, "0": False}
EXTRAS: dict[str, Callable] = {
    "weight": float,
    "margin": float,
    "rater": str,
    "prompt_id": str,
    "source": str,
    "criterion": str,
    "first": lambda said: YES_NO.get(str(said).strip().lower()),
}


def read_pairs(path: Path | str) -> list[PreferencePair]:
    """The pairs of a file in any layout of the module's table.

    Unpaired rows give every good answer against every bad one to the same prompt; ranked groups
    every pair that the ranks order, F removed. DataError: what `read_rows` raises, columns that
    fit no layout (names those present), a value of the wrong type (names the row).
    """
    rows = read_rows(path)
    read = _reader(rows[0], path)
    if read is _unpaired:
        return _unpaired(rows, path)
    return [pair for number, row in enumerate(rows, 1) for pair in _read(read, row, path, number)]


def write_pairs(
    pairs: Sequence[PreferencePair], path: Path | str, format: str = "preference"
) -> Path:
    """Write pairs in a layout: "preference" (every field, read back equal), conversation, hh,
    unpaired.

    Written atomically. DataError: unknown layout or suffix, or conversations in a CSV file.
    """
    if format not in WRITERS:
        hint = did_you_mean(format, WRITERS)
        raise DataError(f"format: expected one of {', '.join(WRITERS)}, got '{format}'{hint}")
    return _write_table([row for pair in pairs for row in WRITERS[format](pair)], path)


def write_groups(rankings: Sequence[Ranking], texts: Texts, path: Path | str) -> Path:
    """Write one row per ranking: the prompt, its completions as text and their competition ranks.

    Also prompt_id, completion_ids, comparison_id, rater and instructions; lossless.
    """
    rows = []
    for ranking in rankings:
        ids = sorted(ranking.completion_ids())
        marks = competition_marks(ranking.tiers, ranking.rejected)
        prompt = texts.prompts[ranking.comparison_id]
        rows.append(
            {
                "prompt": prompt.text,
                "completions": [texts.answers[each] for each in ids],
                # Strings, because a Parquet column holds one type and F is no number.
                "ranks": [str(marks[each]) for each in ids],
                "prompt_id": prompt.id,
                "completion_ids": ids,
                "comparison_id": ranking.comparison_id,
                "rater": ranking.rater_id,
                "instructions": ranking.instructions,
            }
        )
    return _write_table(rows, path)


def _reader(row: Mapping, path: Path | str) -> Callable:
    """The reader of the layout that the first row's columns show."""
    if {"chosen", "rejected"} <= row.keys():
        return pairs_of_row
    if {"prompt", "completion", "label"} <= row.keys():
        return _unpaired
    if {"prompt", "completions", "ranks"} <= row.keys():
        return _group
    present = ", ".join(str(key) for key in row)
    raise DataError(
        f"{path}: these columns are no pairs: {present}; expected chosen and rejected (and "
        "prompt), or prompt, completion and label, or prompt, completions and ranks"
    )


def _read(read: Callable, row: Mapping, path: Path | str, number: int) -> Iterator:
    try:
        yield from read(row)
    except DataError as error:
        raise DataError(f"{path}: row {number}: {error}") from None


def pairs_of_row(row: Mapping) -> Iterator[PreferencePair]:
    """The pair of a row of `chosen` and `rejected`, with the prompt apart or inside.

    DataError: a column that is empty or of another type, transcripts that share no turn.
    """
    for name in ("chosen", "rejected"):
        if row.get(name) is None:
            raise DataError(f"has no '{name}'; fill it in")
    chosen, rejected, prompt = row["chosen"], row["rejected"], row.get("prompt")
    if isinstance(chosen, str) and isinstance(rejected, str) and isinstance(prompt, str | None):
        if prompt is None:
            prompt, chosen, rejected = split_transcripts(chosen, rejected)
    else:
        opening = _opening(prompt)
        prompt, chosen, rejected = pair_of_messages(
            opening, messages_of(chosen, "chosen"), messages_of(rejected, "rejected")
        )
    yield PreferencePair(prompt, chosen, rejected, **_extras(row))


def _opening(prompt: object) -> Messages | None:
    """The prompt's messages; a prompt in plain text is one message of the user."""
    if prompt is None:
        return None
    return [("user", prompt)] if isinstance(prompt, str) else messages_of(prompt, "prompt")


def _extras(row: Mapping) -> dict:
    found = {}
    for name, convert in EXTRAS.items():
        if row.get(name) not in (None, ""):
            try:
                found[name] = convert(row[name])
            except (TypeError, ValueError):
                raise DataError(f"{name}: expected a number, got {row[name]!r}") from None
    if found.get("source", "human") not in ("human", "ai"):
        # Other data sets use the column for the name of their origin.
        del found["source"]
    return found


def _unpaired(rows: Sequence[Mapping], path: Path | str) -> list[PreferencePair]:
    good: dict[str, list[str]] = {}
    bad: dict[str, list[str]] = {}
    for number, row in enumerate(rows, start=1):
        label = LABELS.get(str(row.get("label")).strip().lower())
        if label is None:
            raise DataError(
                f"{path}: row {number}: label: expected true or false, got {row.get('label')!r}"
            )
        prompt, completion = row.get("prompt"), row.get("completion")
        if not isinstance(prompt, str) or not isinstance(completion, str):
            raise DataError(f"{path}: row {number}: prompt and completion must be text")
        (good if label else bad).setdefault(prompt, []).append(completion)
    return [
        PreferencePair(prompt, chosen, rejected)
        for prompt in good
        for chosen, rejected in product(good[prompt], bad.get(prompt, ()))
        if chosen != rejected
    ]


LABELS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}


def _group(row: Mapping) -> Iterator[PreferencePair]:
    completions, ranks = row["completions"], row["ranks"]
    if not isinstance(completions, list) or not isinstance(ranks, list):
        raise DataError("completions and ranks must be lists")
    if len(completions) != len(ranks):
        raise DataError(f"has {len(completions)} completions but {len(ranks)} ranks")
    cards = [str(number) for number in range(1, len(ranks) + 1)]
    tiers, rejected = parse_marks(dict(zip(cards, ranks, strict=True)), cards)
    text = dict(zip(cards, completions, strict=True))
    mark = levels(Ranking("", "", tiers, rejected))
    ordered = [card for tier in tiers for card in tier]
    for place, better in enumerate(ordered):
        for worse in ordered[place + 1 :]:
            if mark[better] < mark[worse]:
                yield PreferencePair(row["prompt"], text[better], text[worse], **_extras(row))


def _pair_row(pair: PreferencePair) -> list[dict]:
    return [pair.as_row()]


def _conversation_row(pair: PreferencePair) -> list[dict]:
    answers = {
        name: [{"role": "assistant", "content": getattr(pair, name).strip()}]
        for name in ("chosen", "rejected")
    }
    return [pair.as_row() | {"prompt": as_messages(pair.prompt)} | answers]


def _hh_row(pair: PreferencePair) -> list[dict]:
    if is_transcript(pair.prompt):
        opening, gap = pair.prompt, ""
    else:
        opening, gap = as_transcript([("user", pair.prompt)]), " "
    return [{name: opening + gap + getattr(pair, name) for name in ("chosen", "rejected")}]


def _unpaired_rows(pair: PreferencePair) -> list[dict]:
    return [
        {"prompt": pair.prompt, "completion": text, "label": label, "weight": pair.weight}
        for text, label in ((pair.chosen, True), (pair.rejected, False))
    ]


WRITERS: dict[str, Callable[[PreferencePair], list[dict]]] = {
    "preference": _pair_row,
    "conversation": _conversation_row,
    "hh": _hh_row,
    "unpaired": _unpaired_rows,
}


def _write_table(rows: Sequence[Mapping], path: Path | str) -> Path:
    write = TABLES.get(suffix(path))
    if write is None:
        raise DataError(f"{path}: unknown file type; use one of {' '.join(TABLES)} (or .gz)")
    return write_bytes(path, write(rows, path))


def _jsonl(rows: Sequence[Mapping], _path: Path | str) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _csv(rows: Sequence[Mapping], path: Path | str) -> bytes:
    if any(isinstance(value, list) for row in rows for value in row.values()):
        raise DataError(f"{path}: a CSV file holds no lists; write .jsonl or .parquet")
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, _columns(rows) or ["prompt", "chosen", "rejected"])
    writer.writeheader()
    writer.writerows(rows)
    return table.getvalue().encode()


def _columns(rows: Sequence[Mapping]) -> list[str]:
    """Every column that some row has, in the order met."""
    return list(dict.fromkeys(name for row in rows for name in row))


def _parquet(rows: Sequence[Mapping], _path: Path | str) -> bytes:
    # Only a Parquet file pays for importing pyarrow.
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    columns = _columns(rows)
    pq.write_table(pa.table({c: [row.get(c) for row in rows] for c in columns}), buffer)
    return buffer.getvalue()


TABLES: dict[str, Callable[[Sequence[Mapping], Path | str], bytes]] = {
    ".jsonl": _jsonl,
    ".csv": _csv,
    ".parquet": _parquet,
}
