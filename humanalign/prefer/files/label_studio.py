"""Label Studio's tasks in JSON: `data`, and `annotations` with the results of its controls.

Read are Pairwise, Ranker (with buckets or without), Rating and Choices. Written is a Ranker with
one bucket a rank, "1", "2" ..., and the bucket "F"; ratings and thumbs name their text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from humanalign.errors import DataError
from humanalign.prefer.files.cells import iso, listed, moment, number, structure, text
from humanalign.prefer.files.gathering import Gathering
from humanalign.prefer.files.judgements import QuestionKind, Record
from humanalign.prefer.files.ranked import BOTH_BAD, FIRST, SECOND, TIED, choice_marks
from humanalign.prefer.ranks import Mark
from humanalign.types import Prompt

PROMPTS = ("prompt", "instruction", "question", "input", "query", "context")
ITEMS = "items"
THUMBS = {"up": "up", "good": "up", "yes": "up", "down": "down", "bad": "down", "no": "down"}
# Label Studio keeps what was moved to no bucket under this name.
UNSORTED = "_"


def read_label_studio(row: Mapping, into: Gathering) -> None:
    """One task with its annotations; those that were cancelled are left out."""
    data = row["data"]
    if not isinstance(data, Mapping):
        raise DataError("data: expected an object")
    prompt = into.prompt(next((data[name] for name in PROMPTS if name in data), None))
    meta = row["meta"] if isinstance(row.get("meta"), Mapping) else {}
    ids = _completions(data, prompt, into, structure(meta, "models"))
    criterion = text(meta, "criterion")
    for annotation in listed(row, "annotations"):
        if annotation.get("was_cancelled"):
            into.leave_out("annotations that were cancelled")
            continue
        for kind, marks in _marks(annotation, ids, into):
            question = into.ask(kind, prompt, tuple(marks), criterion or None)
            into.answer(
                question,
                _annotator(annotation.get("completed_by")),
                marks,
                seconds=number(annotation, "lead_time"),
                note=_note(annotation),
                at=moment(annotation, "created_at"),
            )


def _completions(data: Mapping, prompt: Prompt, into: Gathering, models: object) -> dict[str, str]:
    """The completion of every name that a result can use: an item's id or a column of `data`."""
    items = data.get(ITEMS)
    by = models if isinstance(models, list) else ()
    if isinstance(items, list):
        names = [str(each.get("id")) for each in items]
        texts = [
            next((each[k] for k in ("body", "html", "title") if each.get(k)), None)
            for each in items
        ]
    else:
        names = [name for name in data if name not in PROMPTS and isinstance(data[name], str)]
        texts = [data[name] for name in names]
    return dict(zip(names, into.completions(prompt, texts, by), strict=True))


def _marks(
    annotation: Mapping, ids: Mapping[str, str], into: Gathering
) -> Iterator[tuple[QuestionKind, dict[str, Mark]]]:
    """(kind, marks) of each question that an annotation answers."""
    rated: dict[str, Mark] = {}
    for result in listed(annotation, "result"):
        kind, value = result.get("type"), result.get("value") or {}
        named = _named(result, ids)
        if kind == "ranker":
            yield "ranking", _buckets(value.get("ranker"), ids)
        elif kind == "pairwise":
            yield "pairwise", _pair(value.get("selected") or "tie", ids)
        elif kind == "rating":
            mark = number(value, "rating")
            into.scale = max(into.scale, int(mark))
            rated[named] = int(mark)
        elif kind == "choices":
            word = str(next(iter(value.get("choices") or ()), "")).lower()
            if word in THUMBS:
                yield "thumb", {named: THUMBS[word]}
            elif len(ids) == 2 and word in (
                *FIRST,
                *SECOND,
                *TIED,
                *BOTH_BAD,
                *map(str.lower, ids),
            ):
                yield "pairwise", _pair(word, ids)
            else:
                into.leave_out(f"the choice '{word}', which is no judgement")
        elif kind != "textarea":
            into.leave_out(f"results of type '{kind}'")
    if rated:
        yield "rating", rated


def _named(result: Mapping, ids: Mapping[str, str]) -> str:
    """The completion that a result is about: `to_name` where it names one, else the last."""
    name = str(result.get("to_name"))
    if not ids:
        raise DataError("data: holds no text to judge beside the prompt")
    return ids[name] if name in ids else list(ids.values())[-1]


def _pair(word: str, ids: Mapping[str, str]) -> dict[str, Mark]:
    if len(ids) != 2:
        raise DataError(f"a pairwise result needs 2 texts in data, got {len(ids)}")
    return dict(zip(ids.values(), choice_marks(word, *ids), strict=True))


def _buckets(value: object, ids: Mapping[str, str]) -> dict[str, Mark]:
    """Marks of a Ranker: one list best first, or buckets named by rank and "F"."""
    if not isinstance(value, Mapping):
        raise DataError(f"ranker: expected lists of item ids, got {value!r:.60}")
    buckets = {str(name): found for name, found in value.items() if found}
    left = [each for each in ids if not any(each in map(str, found) for found in buckets.values())]
    if left or (UNSORTED in buckets and len(buckets) > 1):
        raise DataError(f"ranker: items without a place: {', '.join(left or buckets[UNSORTED])}")
    ranks = sorted({int(name) for name in buckets if name.isdecimal()})
    if len(buckets) == 1 and not ranks and "F" not in buckets:
        [order] = buckets.values()
        return {ids[str(each)]: place for place, each in enumerate(order, start=1)}
    strange = [name for name in buckets if not name.isdecimal() and name != "F"]
    if strange:
        raise DataError(f"ranker: expected buckets named 1, 2, ... and F, got '{strange[0]}'")
    marks: dict[str, Mark] = {}
    for name, found in buckets.items():
        mark = "F" if name == "F" else ranks.index(int(name)) + 1
        marks |= {ids[str(each)]: mark for each in found}
    return marks


def _annotator(value: object) -> str | None:
    """A person's email or name where the export holds it, else the number."""
    if isinstance(value, Mapping):
        value = value.get("email") or value.get("username") or value.get("id")
    return None if value is None else str(value)


def _note(annotation: Mapping) -> str:
    for result in listed(annotation, "result"):
        if result.get("type") == "textarea":
            written = (result.get("value") or {}).get("text") or ()
            return "\n".join(map(str, [written] if isinstance(written, str) else written))
    return ""


def write_label_studio(records: Sequence[Record]) -> dict:
    """The task of one item with an annotation by each rater."""
    first = records[0]
    items = [
        {"id": each.id, "title": str(n), "body": each.text}
        for n, each in enumerate(first.completions, start=1)
    ]
    return {
        "data": {"prompt": first.prompt.text, ITEMS: items},
        "meta": {
            "prompt_id": first.prompt.id,
            "criterion": first.question.criterion,
            "kind": first.question.kind,
            "models": [each.sampler.model for each in first.completions],
            "item": first.question.id,
        },
        "annotations": [_annotation(each) for each in records],
    }


def _annotation(record: Record) -> dict:
    judgement = record.judgement
    results = _results(record)
    if judgement.note:
        results.append(_result("note", ITEMS, "textarea", {"text": [judgement.note]}))
    return {
        "completed_by": {"email": judgement.rater_id},
        "lead_time": judgement.seconds,
        "created_at": iso(judgement.at),
        "was_cancelled": False,
        "result": results,
    }


def _results(record: Record) -> list[dict]:
    marks = record.judgement.marks
    if record.question.kind == "rating":
        return [_result("rating", c, "rating", {"rating": mark}) for c, mark in marks.items()]
    if record.question.kind == "thumb":
        return [_result("thumb", c, "choices", {"choices": [mark]}) for c, mark in marks.items()]
    buckets: dict[str, list[str]] = {}
    for each, mark in marks.items():
        buckets.setdefault(str(mark), []).append(each)
    return [_result("rank", ITEMS, "ranker", {"ranker": buckets})]


def _result(name: str, to: str, kind: str, value: dict) -> dict:
    return {"from_name": name, "to_name": to, "type": kind, "value": value}
