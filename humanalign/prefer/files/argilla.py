"""Argilla's records in JSON: `fields`, and `responses` with the values of its questions.

Version 1 lists one response a user with `values`; version 2 one list a question with `user_id`s.
A ranking's value is a list of {"value", "rank"}, or of names, best first. As every option must be
ranked there, an F mark is written as the last rank and named in the question "unusable".
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from humanalign.errors import DataError
from humanalign.prefer.files.cells import structure, text
from humanalign.prefer.files.gathering import Gathering
from humanalign.prefer.files.judgements import Judgement, Record
from humanalign.prefer.files.ranked import BOTH_BAD, FIRST, SECOND, TIED, choice_marks
from humanalign.prefer.ranks import Mark
from humanalign.types import Prompt

PROMPTS = ("prompt", "instruction", "question", "input", "query", "context")
UNUSABLE = "unusable"
NOTE = "note"
THUMBS = {"up": "up", "good": "up", "yes": "up", "down": "down", "bad": "down", "no": "down"}
COLUMNS: dict[str, str] = {
    "fields": "nested",
    "responses": "nested",
    "metadata": "nested",
    "external_id": "text",
}


@dataclass(frozen=True)
class _Asked:
    """What a record asks: its completions' ids go by the names of their fields."""

    prompt: Prompt
    ids: Mapping[str, str]
    criterion: str | None


def read_argilla(row: Mapping, into: Gathering) -> None:
    """One record: rankings and labels over its answers, ratings and thumbs of its one answer."""
    fields = row["fields"]
    if not isinstance(fields, Mapping) or not fields:
        raise DataError("fields: expected an object of texts")
    asked = next((name for name in PROMPTS if name in fields), next(iter(fields)))
    answers = [name for name in fields if name != asked] or [asked]
    prompt = into.prompt(fields[asked])
    metadata = row.get("metadata")
    known = metadata if isinstance(metadata, Mapping) else {}
    models = structure(known, "models")
    texts = [fields[name] for name in answers]
    found = into.completions(prompt, texts, models if isinstance(models, list) else ())
    ids = dict(zip(answers, found, strict=True))
    asked_of = _Asked(prompt, ids, text(known, "criterion") or None)
    raters = structure(known, "raters")
    names = raters if isinstance(raters, Mapping) else {}
    for user, values in _by_user(row.get("responses"), into):
        rater = names.get(user, user)
        _answer(values, asked_of, rater, into)


def _by_user(responses: object, into: Gathering) -> list[tuple[str | None, dict[str, object]]]:
    """(user, question -> value) of both versions; what was not submitted is left out."""
    said: dict[object, dict[str, object]] = {}
    if isinstance(responses, Mapping):
        for question, given in responses.items():
            for number, each in enumerate(given or []):
                user = each.get("user_id") or number
                said.setdefault(user, {})[str(question)] = each.get("value")
        responses = []
    for number, each in enumerate(cast(list[Mapping], responses or [])):
        if each.get("status", "submitted") != "submitted":
            into.leave_out("responses that were never submitted")
            continue
        values = each.get("values") or {}
        said[each.get("user_id") or number] = {
            str(name): value.get("value") if isinstance(value, Mapping) else value
            for name, value in values.items()
        }
    return [(user if isinstance(user, str) else None, values) for user, values in said.items()]


def _answer(
    values: Mapping[str, object], asked: _Asked, rater: str | None, into: Gathering
) -> None:
    ids, prompt, criterion = asked.ids, asked.prompt, asked.criterion
    unusable = values.get(UNUSABLE) or ()
    note = str(values.get(NOTE) or "")
    rated: dict[str, Mark] = {}
    for name, value in values.items():
        if name in (UNUSABLE, NOTE) or value is None:
            continue
        if isinstance(value, list):
            marks = _ranking(value, ids, unusable)
            question = into.ask("ranking", prompt, tuple(marks), criterion)
            into.answer(question, rater, marks, note=note)
        elif isinstance(value, int) and not isinstance(value, bool):
            into.scale = max(into.scale, value)
            rated[_rated(name, ids)] = value
        elif len(ids) == 1 and str(value).lower() in THUMBS:
            [only] = ids.values()
            question = into.ask("thumb", prompt, (only,), criterion)
            into.answer(question, rater, {only: THUMBS[str(value).lower()]}, note=note)
        elif len(ids) == 2 and str(value).lower() in (*FIRST, *SECOND, *TIED, *BOTH_BAD, *ids):
            question = into.ask("pairwise", prompt, tuple(ids.values()), criterion)
            marks = dict(zip(ids.values(), choice_marks(value, *ids), strict=True))
            into.answer(question, rater, marks, note=note)
        else:
            into.leave_out(f"values of the question '{name}', which is no judgement")
    if rated:
        question = into.ask("rating", prompt, tuple(rated), criterion)
        into.answer(question, rater, rated, note=note)


def _ranking(value: list, ids: Mapping[str, str], unusable: object) -> dict[str, Mark]:
    ranks: dict[str, int] = {}
    for place, each in enumerate(value, start=1):
        named = each.get("value") if isinstance(each, Mapping) else each
        rank = each.get("rank") if isinstance(each, Mapping) else place
        if not isinstance(named, str) or named not in ids or not isinstance(rank, int):
            raise DataError(f"responses: expected ranks of {', '.join(ids)}, got {each!r:.60}")
        ranks[named] = rank
    order = sorted(set(ranks.values()))
    bad = unusable if isinstance(unusable, list | tuple) else ()
    return {
        ids[name]: "F" if name in bad else order.index(rank) + 1 for name, rank in ranks.items()
    }


def _rated(question: str, ids: Mapping[str, str]) -> str:
    """The completion that a rating is about: named in the question, else the last field."""
    named = [name for name in ids if question.endswith(name)]
    return ids[named[-1] if named else list(ids)[-1]]


def write_argilla(records: Sequence[Record]) -> dict:
    """The record of one item with a response by each rater, as version 1 reads it."""
    first = records[0]
    names = {
        each: f"response-{number}"
        for number, each in enumerate(first.question.completion_ids, start=1)
    }
    users = {
        r.judgement.rater_id: str(uuid.uuid5(uuid.NAMESPACE_URL, r.judgement.rater_id))
        for r in records
    }
    return {
        "fields": {"prompt": first.prompt.text}
        | {names[each.id]: each.text for each in first.completions},
        "responses": [
            {
                "user_id": users[each.judgement.rater_id],
                "status": "submitted",
                "values": _values(each.judgement, each.question.kind, names),
            }
            for each in records
        ],
        "suggestions": [],
        "metadata": {
            "prompt_id": first.prompt.id,
            "criterion": first.question.criterion,
            "kind": first.question.kind,
            "models": json.dumps([each.sampler.model for each in first.completions]),
            # Argilla knows people by UUID alone.
            "raters": json.dumps({user: rater for rater, user in users.items()}),
        },
        "external_id": first.question.id,
    }


def _values(judgement: Judgement, kind: str, names: Mapping[str, str]) -> dict[str, dict]:
    marks = {names[each]: mark for each, mark in judgement.marks.items()}
    if kind == "rating":
        values = {f"rating-{name}": {"value": mark} for name, mark in marks.items()}
    elif kind == "thumb":
        values = {f"thumb-{name}": {"value": mark} for name, mark in marks.items()}
    else:
        ranks = [int(mark) for mark in marks.values() if mark != "F"]
        last = len(ranks) + 1
        ranked = [
            {"value": name, "rank": last if mark == "F" else int(mark)}
            for name, mark in marks.items()
        ]
        values: dict[str, dict] = {"ranking": {"value": ranked}}
        failed = [name for name, mark in marks.items() if mark == "F"]
        if failed:
            values[UNUSABLE] = {"value": failed}
    return values | ({NOTE: {"value": judgement.note}} if judgement.note else {})
