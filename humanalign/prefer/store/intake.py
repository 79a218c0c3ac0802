"""Taking in a file of questions and judgements: prompts, items, raters and answers, in batches.

An answer is left out where this revision of it, or a later one, was taken in before: the same file
again stores nothing twice, an import that was cut off is completed by repeating it, and an older
file does not undo a newer one. Nobody knows in which order the raters of a file saw the
completions, so none is logged.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import Connection, Engine, and_, bindparam, select, update

from humanalign.errors import DataError
from humanalign.prefer.files.judgements import Judgement, Judgements, Question
from humanalign.prefer.marks import RANKED
from humanalign.prefer.store.answers import add_rater
from humanalign.prefer.store.asking import add_items, check_fits
from humanalign.prefer.store.assign import LEASE_SECONDS, REPLACES, insert_slots
from humanalign.prefer.store.audit import append_audit
from humanalign.prefer.store.chain import append_answers, canonical, sha256
from humanalign.prefer.store.database import in_chunks, insert_new, writing
from humanalign.prefer.store.project_settings import settings_of
from humanalign.prefer.store.records import completion_row, prompt_row
from humanalign.prefer.store.schema import (
    account,
    answer,
    assignment,
    completion,
    prompt,
    slot,
)
from humanalign.prefer.store.tasks import read_project
from humanalign.types import Rater

# Questions stored in one transaction: other writers wait for tenths of a second, not for all.
BATCH = 400
# An imported rater id that belongs to an account here is somebody else.
ELSEWHERE = "imported:"
# How the key of an imported answer begins.
IMPORTED = "import-"


@dataclass(frozen=True)
class Taken:
    """What an import stored that was not there before, and how many raters it names."""

    items: int
    answers: int
    raters: int


def take_in(
    engine: Engine,
    clock: Callable[[], float],
    project_id: str,
    found: Judgements,
    *,
    overlap: int,
    by: str,
) -> Taken:
    """Store everything of `found` in a project and ask up to `overlap` raters about each item.

    Answers in the file fill slots; 0 asks nobody further. DataError: a question of another kind,
    criterion or scale than the project's. StoreError: a question that another project asks.
    """
    with engine.connect() as connection:
        check_import(read_project(connection, project_id), found)
    raters = _raters(engine, clock, found)
    texts = {
        prompt: [prompt_row(each) for each in found.prompts],
        completion: [completion_row(each) for each in found.completions],
    }
    for table, rows in texts.items():
        for start in range(0, len(rows), 5 * BATCH):
            with writing(engine) as connection:
                insert_new(connection, table, rows[start : start + 5 * BATCH])
    items = stored = 0
    for questions, given in _batches(found):
        with writing(engine) as connection:
            items += add_items(connection, project_id, questions, overlap).new
            stored += _store(connection, questions, given, raters, clock())
    with writing(engine) as connection:
        detail = {"file": found.name, "layout": found.layout, "items": items, "answers": stored}
        append_audit(connection, clock(), by, "import", f"project:{project_id}", detail)
    return Taken(items, stored, len(raters))


def check_import(place: Mapping, found: Judgements) -> None:
    """DataError: a question or a scale of `found` that does not fit the project's row `place`."""
    for each in found.questions:
        check_fits(place, each, f"{found.name}: a question")
    scale = settings_of(place["settings"]).scale
    if place["kind"] == "rating" and found.judgements and found.scale != scale:
        raise DataError(
            f"{found.name}: rates from 1 to {found.scale}, but project '{place['name']}' from 1 "
            f"to {scale}; make a project with scale {found.scale}"
        )


def _raters(engine: Engine, clock: Callable[[], float], found: Judgements) -> dict[str, str]:
    """The file's rater id -> the id here; whoever has an account here is not who the file means."""
    own = {each.id: each for each in found.raters}
    with writing(engine) as connection:
        taken: set[str] = set()
        for chunk in in_chunks(own):
            rows = select(account.c.rater_id).where(account.c.rater_id.in_(chunk))
            taken.update(connection.execute(rows).scalars())
        names = {each: ELSEWHERE + each if each in taken else each for each in own}
        for each, here in names.items():
            add_rater(connection, Rater(here, own[each].kind), clock())
    return names


def _batches(found: Judgements) -> Iterator[tuple[list[Question], list[Judgement]]]:
    """Questions, a few hundred at a time, with the judgements on them in order of revision."""
    given: dict[str, list[Judgement]] = {}
    for each in sorted(found.judgements, key=lambda j: j.revision):
        given.setdefault(each.question_id, []).append(each)
    for start in range(0, len(found.questions), BATCH):
        questions = list(found.questions[start : start + BATCH])
        yield questions, [j for q in questions for j in given.get(q.id, ())]


def _store(
    connection: Connection,
    questions: Sequence[Question],
    given: Sequence[Judgement],
    raters: Mapping[str, str],
    now: float,
) -> int:
    """Append the judgements that are not there yet; return how many those were."""
    kinds = {each.id: each for each in questions}
    held = _held(connection, list(kinds))
    newest: dict[tuple[str, str, int], Judgement] = {}
    for each in given:
        newest[each.question_id, raters[each.rater_id], each.revision] = each
    rows = [
        _row(each, kinds[item_id], rater_id, now)
        for (item_id, rater_id, revision), each in newest.items()
        if revision > held.imported.get((item_id, rater_id), 0)
    ]
    rows = [row for row in rows if row["key"] not in held.keys]
    slots = _fill(connection, rows, now)
    full = []
    for row in rows:
        pair = (row["item_id"], row["rater_id"])
        held.last[pair] = held.last.get(pair, 0) + 1
        full.append({**row, "revision": held.last[pair], "slot": slots[pair]})
    append_answers(connection, full)
    return len(full)


def _row(judgement: Judgement, question: Question, rater_id: str, now: float) -> dict:
    key = [judgement.question_id, rater_id, judgement.revision, sorted(judgement.marks.items())]
    return {
        "item_id": judgement.question_id,
        "rater_id": rater_id,
        "key": IMPORTED + sha256(canonical({"answer": key}))[:40],
        "body": canonical(_body(judgement, question)),
        "entered": canonical({"imported": judgement.revision}),
        "instructions": judgement.instructions,
        "seconds": float(judgement.seconds),
        "at": judgement.at if judgement.at is not None else now,
        "note": judgement.note,
        "timing": None,
    }


def _body(judgement: Judgement, question: Question) -> dict:
    if question.kind in RANKED:
        ranking = judgement.ranking()
        return {"tiers": ranking.tiers, "rejected": ranking.rejected}
    if question.kind == "thumb":
        return {"up": all(mark == "up" for mark in judgement.marks.values())}
    return {"ratings": dict(judgement.marks)}


@dataclass(frozen=True)
class _Held:
    """What is there: the last revision of each (item, rater), that of an imported answer in its
    file, and the imported answers' keys."""

    last: dict[tuple[str, str], int]
    imported: dict[tuple[str, str], int]
    keys: set[str]


def _held(connection: Connection, item_ids: Sequence[str]) -> _Held:
    held = _Held({}, {}, set())
    columns = (answer.c.item_id, answer.c.rater_id, answer.c.revision, answer.c.key)
    for chunk in in_chunks(item_ids):
        rows = select(*columns, answer.c.entered).where(answer.c.item_id.in_(chunk))
        for row in connection.execute(rows):
            pair = (row.item_id, row.rater_id)
            held.last[pair] = max(row.revision, held.last.get(pair, 0))
            if row.key.startswith(IMPORTED):
                # Imports of older versions did not note the file's revision.
                told = json.loads(row.entered)["imported"] if row.entered else row.revision
                held.imported[pair] = max(told, held.imported.get(pair, 0))
                held.keys.add(row.key)
    return held


def _fill(connection: Connection, rows: Sequence[Mapping], now: float) -> dict:
    """(item id, rater id) -> the slot its answers take: the one held, a free one, or a new one."""
    pairs = list(dict.fromkeys((row["item_id"], row["rater_id"]) for row in rows))
    held, free, last = _slots(connection, [item_id for item_id, _ in pairs])
    new, wanted = [], []
    for item_id, mine in groupby(sorted(pairs), key=lambda pair: pair[0]):
        for pair in mine:
            if pair in held:
                continue
            if free.get(item_id):
                number = free[item_id].pop(0)
            else:
                number = last[item_id] = last.get(item_id, -1) + 1
                wanted.append((item_id, number))
            held[pair] = number
            new.append({"item_id": item_id, "slot": number, "rater_id": pair[1]})
    insert_slots(connection, wanted)
    if new:
        leased = {"lease_until": now + LEASE_SECONDS, "answered_at": now}
        connection.execute(assignment.insert(), [{**each, **leased} for each in new])
        here = and_(slot.c.item_id == bindparam("of"), slot.c.number == bindparam("at_number"))
        taken = [{"of": each["item_id"], "at_number": each["slot"]} for each in new]
        connection.execute(update(slot).where(here).values(taken=True), taken)
    return held


def _slots(connection: Connection, item_ids: Sequence[str]) -> tuple[dict, dict, dict]:
    """((item, rater) -> slot held, item -> free slots in order, item -> highest slot)."""
    held: dict[tuple[str, str], int] = {}
    free: dict[str, list[int]] = {}
    last: dict[str, int] = {}
    for chunk in in_chunks(dict.fromkeys(item_ids)):
        rows = select(assignment.c.item_id, assignment.c.rater_id, assignment.c.slot)
        for row in connection.execute(rows.where(assignment.c.item_id.in_(chunk))):
            held[row.item_id, row.rater_id] = row.slot
        rows = select(slot.c.item_id, slot.c.number, slot.c.taken).order_by(slot.c.number)
        for row in connection.execute(rows.where(slot.c.item_id.in_(chunk))):
            if row.number < REPLACES:
                last[row.item_id] = row.number
            if not row.taken:
                free.setdefault(row.item_id, []).append(row.number)
    return held, free, last
