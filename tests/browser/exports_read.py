"""Each export read back by hand, from its bytes alone: what it says of every ranking."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable

from humanalign.prefer.files.exports import EXPORTS, export_chunks
from humanalign.prefer.store import FeedbackStore

Marks = dict[str, dict[str, str]]
Pairs = Counter[tuple[str, str]]


def marks_in_rich(rows: list[dict]) -> Marks:
    return {row["group"]: dict(zip(row["completions"], row["marks"], strict=True)) for row in rows}


def marks_in_groups(rows: list[dict]) -> Marks:
    named = "comparison_id"
    return {row[named]: dict(zip(row["completions"], row["ranks"], strict=True)) for row in rows}


def marks_in_argilla(rows: list[dict]) -> Marks:
    found = {}
    for row in rows:
        (answer,) = row["responses"]
        given, fields = answer["values"], row["fields"]
        marks = {fields[each["value"]]: str(each["rank"]) for each in given["ranking"]["value"]}
        unusable = given.get("unusable", {"value": []})["value"]
        found[row["external_id"]] = marks | {fields[each]: "F" for each in unusable}
    return found


def marks_in_label_studio(rows: list[dict]) -> Marks:
    found = {}
    for row in rows:
        body = {each["id"]: each["body"] for each in row["data"]["items"]}
        (annotation,) = row["annotations"]
        buckets = annotation["result"][0]["value"]["ranker"]
        marks = {body[each]: mark for mark, ids in buckets.items() for each in ids}
        found[row["meta"]["item"]] = marks
    return found


def last_words(said: object) -> str:
    """The answer at the end of a text, a transcript or a conversation."""
    text = said[-1]["content"] if isinstance(said, list) else str(said)
    return text[text.index("answer ") :]


def pairs_in(rows: list[dict]) -> Pairs:
    return Counter((last_words(row["chosen"]), last_words(row["rejected"])) for row in rows)


def labels_in(rows: list[dict]) -> Counter[tuple[str, bool]]:
    return Counter((last_words(row["completion"]), row["label"]) for row in rows)


MARKS: dict[str, Callable[[list[dict]], Marks]] = {
    "rich": marks_in_rich,
    "groups": marks_in_groups,
    "argilla": marks_in_argilla,
    "label-studio": marks_in_label_studio,
}
LABELS = ("unpaired", "unpaired-conversation")


def differences(store: FeedbackStore, project_id: str, shown: Marks) -> list[str]:
    """The exports that say anything else than what was shown; every export is read."""
    pairs = Counter(pair for marks in shown.values() for pair in better_pairs(marks))
    labels = Counter((text, n == 0) for pair in pairs.elements() for n, text in enumerate(pair))
    wrong = []
    for name, export in EXPORTS.items():
        if "ranking" not in export.kinds:
            continue
        rows = rows_of(export_chunks(name, store.records(project_id), ".jsonl"))
        if name in MARKS:
            same = MARKS[name](rows) == shown
        else:
            same = labels_in(rows) == labels if name in LABELS else pairs_in(rows) == pairs
        wrong += [] if same else [name]
    return wrong


def better_pairs(marks: dict[str, str]) -> set[tuple[str, str]]:
    """(better, worse) among what is not F."""
    ranked = {text: int(mark) for text, mark in marks.items() if mark != "F"}
    return {(a, b) for a in ranked for b in ranked if ranked[a] < ranked[b]}


def rows_of(pieces: Iterable[bytes]) -> list[dict]:
    return [json.loads(line) for line in b"".join(pieces).decode().splitlines()]
