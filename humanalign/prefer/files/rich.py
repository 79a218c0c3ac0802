"""The rich file: one row an answer with everything that is known of it, read back without loss.

Ranks stand in the order of `completions`; "F" marks an unusable answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import cast

from humanalign.errors import DataError
from humanalign.prefer.files.cells import count, listed, moment, number, present, structure, text
from humanalign.prefer.files.gathering import Gathering, plain
from humanalign.prefer.files.judgements import KINDS, QuestionKind, Record
from humanalign.prefer.files.ranked import kind_of
from humanalign.types import Completion, Prompt, Sampler

COLUMNS: dict[str, str] = {
    "prompt": "text",
    "messages": "nested",
    "prompt_id": "text",
    "group": "text",
    "kind": "text",
    "criterion": "text",
    "completions": "texts",
    "completion_ids": "texts",
    "samplers": "nested",
    "marks": "texts",
    "rejected": "texts",
    "ties": "count",
    "rater": "text",
    "rater_kind": "text",
    "source": "text",
    "weight": "number",
    "margins": "nested",
    "instructions": "text",
    "seconds": "number",
    "note": "text",
    "revision": "count",
    "at": "number",
    "scale": "count",
    "reference": "text",
    "prompt_source": "text",
    "split": "text",
    "fields": "nested",
}


def write_rich(record: Record) -> Iterator[dict]:
    """The row of an answer."""
    question, prompt, judgement = record.question, record.prompt, record.judgement
    marks = [judgement.marks[each] for each in question.completion_ids]
    named = zip(question.completion_ids, marks, strict=True)
    yield {
        "prompt": prompt.text,
        "messages": [list(each) for each in prompt.messages],
        "prompt_id": prompt.id,
        "group": question.id,
        "kind": question.kind,
        "criterion": question.criterion,
        "completions": [each.text for each in record.completions],
        "completion_ids": list(question.completion_ids),
        "samplers": [_sampler_row(each) for each in record.completions],
        # Strings, because a Parquet column holds one type and F is no number.
        "marks": [str(mark) for mark in marks],
        "rejected": [each for each, mark in named if mark == "F"],
        "ties": sum(a == b != "F" for a, b in combinations(marks, 2)),
        "rater": judgement.rater_id,
        "rater_kind": record.rater_kind,
        "source": record.source,
        "weight": record.weight,
        "margins": [[*pair, margin] for pair, margin in record.margins.items()],
        "instructions": judgement.instructions,
        "seconds": judgement.seconds,
        "note": judgement.note,
        "revision": judgement.revision,
        "at": judgement.at,
        "scale": record.scale,
        "reference": prompt.reference,
        "prompt_source": prompt.source,
        "split": prompt.split,
        "fields": dict(prompt.fields),
    }


def _sampler_row(completion: Completion) -> list:
    by = completion.sampler
    return [by.model, by.run, by.temperature, by.seed, completion.finish_reason]


def read_rich(row: Mapping, into: Gathering) -> None:
    """A row of the rich file. DataError: an id that is not of the row's own words."""
    prompt = into.known_prompt(_prompt(row))
    _check_id("prompt_id", row["prompt_id"], prompt.id)
    ids = tuple(into.known_completion(each) for each in _completions(row, prompt))
    for given, found in zip(listed(row, "completion_ids"), ids, strict=True):
        _check_id("completion_ids", given, found)
    kind = row["kind"]
    if kind not in KINDS:
        raise DataError(f"kind: expected one of {', '.join(KINDS)}, got {kind!r:.60}")
    if kind == "rating":
        into.rated_to(count(row, "scale", into.scale))
    question = into.ask(cast(QuestionKind, kind), prompt, ids, row.get("criterion"))
    _check_id("group", row["group"], question.id)
    into.answer(
        question,
        present(row, "rater"),
        dict(zip(ids, _same_length(row, "marks", len(ids)), strict=True)),
        kind=kind_of(row),
        seconds=number(row, "seconds"),
        instructions=text(row, "instructions"),
        note=text(row, "note"),
        at=moment(row, "at"),
        revision=count(row, "revision", 1),
    )


def _prompt(row: Mapping) -> Prompt:
    messages = structure(row, "messages") or []
    fields = structure(row, "fields") or {}
    split = text(row, "split", "train")
    if not isinstance(messages, list) or not isinstance(fields, Mapping):
        raise DataError("messages must be a list and fields an object")
    if split not in ("train", "validation", "test"):
        raise DataError(f"split: expected train, validation or test, got '{split}'")
    reference = present(row, "reference")
    try:
        said = tuple((str(role), str(content)) for role, content in messages)
    except (TypeError, ValueError):
        raise DataError("messages: expected pairs of role and content") from None
    return Prompt(
        text=plain("prompt", row["prompt"]),
        messages=said,
        reference=None if reference is None else plain("reference", reference),
        source=text(row, "prompt_source"),
        split=split,  # type: ignore[arg-type]
        fields={str(key): str(value) for key, value in fields.items()},
    )


def _completions(row: Mapping, prompt: Prompt) -> Iterator[Completion]:
    texts = listed(row, "completions")
    for words, by in zip(texts, _same_length(row, "samplers", len(texts)), strict=True):
        try:
            model, run, temperature, seed, finish = by
            sampler = Sampler(str(model), str(run), float(temperature), int(seed))
        except (TypeError, ValueError):
            raise DataError(
                f"samplers: expected model, run, temperature, seed and finish, got {by!r:.60}"
            ) from None
        finished = "length" if finish == "length" else "stop"
        yield Completion(prompt.id, plain("completion", words), sampler, finished)


def _same_length(row: Mapping, name: str, size: int) -> list:
    found = listed(row, name)
    if len(found) != size:
        raise DataError(f"has {size} completions but {len(found)} {name}")
    return found


def _check_id(name: str, given: object, found: str) -> None:
    if given != found:
        raise DataError(
            f"{name}: '{given}' is not the id of these words; leave the texts as they were"
        )
