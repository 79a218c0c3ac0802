"""A labeler's work: the next item, its answer, a draft, a skip, and the way back to the last one.

A page shows letters; the order in which this rater saw the completions is logged, and turns the
letters back into completions. Every write is one transaction, and a client's key makes a repeated
request harmless.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, RowMapping, and_, delete, func, select

from humanalign.errors import DataError, StoreError
from humanalign.prefer.marks import body_of, letters_of
from humanalign.prefer.ranks import Mark
from humanalign.prefer.store import answers, assign
from humanalign.prefer.store.chain import canonical
from humanalign.prefer.store.database import put, writing
from humanalign.prefer.store.records import prompt_of
from humanalign.prefer.store.schema import (
    answer,
    assignment,
    completion,
    draft,
    flag,
    item,
    project,
    prompt,
    shown,
    slot,
)
from humanalign.types import Prompt

REASONS = ("unclear", "not my language", "upsetting", "technical", "other")
NOTE_LIMIT = 4_000
KEY_LIMIT = 128


@dataclass(frozen=True)
class Card:
    """One completion as a rater sees it; who wrote it never leaves the store."""

    letter: str
    completion_id: str
    text: str


@dataclass(frozen=True)
class Task:
    """An item as this rater sees it; `revision` counts their answers, `marks` is the latest.

    marks: ranking and pairwise {"A": 1, "B": "F"}, thumb {"A": "up"}, rating {"A": 3}.
    """

    item_id: str
    project_id: str
    kind: str
    prompt: Prompt
    cards: tuple[Card, ...]
    marks: Mapping[str, Mark] = field(default_factory=dict)
    draft: Mapping | None = None
    note: str = ""
    revision: int = 0
    lease_until: float | None = None


@dataclass(frozen=True)
class Submission:
    """An answer as it comes from a client; `revision` is the one it saw, 0 for a first answer.

    `key` is any text that is the client's own for this answer; `timing` holds "active" seconds,
    "dwell" seconds by letter and the number of "changes".
    """

    item_id: str
    rater_id: str
    marks: Mapping[str, Mark]
    key: str
    revision: int = 0
    instructions: str = ""
    note: str = ""
    timing: Mapping = field(default_factory=dict)


@dataclass(frozen=True)
class Receipt:
    """What was stored: `replayed` when the key was known, `extra` when every slot was taken."""

    item_id: str
    revision: int
    replayed: bool
    extra: bool
    at: float


@dataclass(frozen=True)
class Standing:
    """How far a rater is in a project: items answered, left for this rater, and skipped."""

    done: int
    open: int
    skipped: int


class Conflict(StoreError):
    """The answer was changed elsewhere in the meantime; `held` is the item as it stands."""

    def __init__(self, held: Task, seen: int) -> None:
        super().__init__(
            f"this item was answered again elsewhere (revision {held.revision}, yours was "
            f"{seen}); choose which answer to keep"
        )
        self.held = held


class Queue:
    """The work of the labelers, over one store."""

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._clock = clock

    def next(self, project_id: str, rater_id: str) -> Task | None:
        """What this rater should judge now, held for half an hour; None when nothing is left.

        An item that is held already comes again. A paused project gives nothing.
        """
        now = self._clock()
        with writing(self._engine) as connection:
            row = _project(connection, project_id)
            if row["status"] != "open":
                return None
            item_id = _gold_turn(connection, row, rater_id, now)
            item_id = item_id or assign.next_item(connection, rater_id, project_id, now)
            return None if item_id is None else _task(connection, item_id, rater_id)

    def task(self, item_id: str, rater_id: str) -> Task:
        """An item that this rater was shown. StoreError: it never was."""
        with self._engine.connect() as connection:
            return _task(connection, item_id, rater_id)

    def submit(self, sent: Submission) -> Receipt:
        """Store an answer, or return the one already stored under its key.

        DataError: a card without a mark, or a mark that is none. KeyReused: the key came with
        another answer. Conflict: `revision` is not the latest. StoreError: the item was never
        shown to this rater.
        """
        now = self._clock()
        with writing(self._engine) as connection:
            seen = _seen(connection, sent.item_id, sent.rater_id)
            row = _answer_row(sent, seen, now)
            held = answers.replayed(connection, row)
            if held is not None:
                return _receipt(held, replayed=True)
            if answers.last_revision(connection, sent.item_id, sent.rater_id) != sent.revision:
                raise Conflict(_task(connection, sent.item_id, sent.rater_id), sent.revision)
            stored = answers.append(connection, row, now)
            _drop_draft(connection, sent.item_id, sent.rater_id)
            return _receipt(stored, replayed=False)

    def save_draft(self, item_id: str, rater_id: str, body: Mapping) -> None:
        """Keep what is on the page, unchecked, until it is sent; never an answer by itself."""
        text = canonical(body)
        if len(text) > 8 * NOTE_LIMIT:
            raise DataError(f"the draft holds {len(text)} characters; shorten the note")
        with writing(self._engine) as connection:
            _seen(connection, item_id, rater_id)
            row = {"item_id": item_id, "rater_id": rater_id, "body": text, "at": self._clock()}
            put(connection, draft, row)

    def heartbeat(self, item_id: str, rater_id: str) -> float:
        """Hold the item for another half hour; return until when (seconds since 1970)."""
        with writing(self._engine) as connection:
            return assign.renew(connection, item_id, rater_id, self._clock())

    def skip(self, item_id: str, rater_id: str, reason: str, note: str = "") -> None:
        """Give the item back and never see it again. StoreError: it was answered already."""
        if reason not in REASONS:
            raise DataError(f"reason: expected one of {', '.join(REASONS)}, got '{reason}'")
        with writing(self._engine) as connection:
            _seen(connection, item_id, rater_id)
            if answers.last_revision(connection, item_id, rater_id):
                raise StoreError(f"item '{item_id}' was answered already; change the answer")
            assign.release(connection, item_id, rater_id)
            _drop_draft(connection, item_id, rater_id)
            row = {"item_id": item_id, "rater_id": rater_id, "kind": assign.SKIP}
            row |= {"reason": reason, "note": note[:NOTE_LIMIT], "at": self._clock()}
            connection.execute(flag.insert(), row)

    def before(self, project_id: str, rater_id: str, item_id: str | None = None) -> str | None:
        """The item this rater answered before `item_id` (or last of all), to go back to."""
        first = and_(answer.c.rater_id == rater_id, answer.c.revision == 1)
        mine = (
            select(answer.c.item_id)
            .join(item, item.c.id == answer.c.item_id)
            .where(first, item.c.project_id == project_id)
            .order_by(answer.c.id.desc())
            .limit(1)
        )
        with self._engine.connect() as connection:
            if item_id is not None:
                here = select(answer.c.id).where(first, answer.c.item_id == item_id)
                place = connection.execute(here).scalar()
                mine = mine if place is None else mine.where(answer.c.id < place)
            return connection.execute(mine).scalar()

    def standing(self, project_id: str, rater_id: str) -> Standing:
        """How many items this rater has answered, can still answer, and skipped."""
        here = item.c.project_id == project_id
        done = _count(answer, here, answer.c.rater_id == rater_id, answer.c.revision == 1)
        skipped = _count(flag, here, flag.c.rater_id == rater_id, flag.c.kind == assign.SKIP)
        held = _count(
            assignment, here, assignment.c.rater_id == rater_id, assignment.c.answered_at.is_(None)
        )
        free = select(func.count()).where(slot.c.project_id == project_id, slot.c.taken.is_(False))
        total = select(func.count()).where(item.c.project_id == project_id)
        columns = [each.scalar_subquery() for each in (done, skipped, held, free, total)]
        with self._engine.connect() as connection:
            answered, left_out, holding, unclaimed, total_items = tuple(
                connection.execute(select(*columns)).one()
            )
        left = min(holding + unclaimed, total_items - answered - left_out)
        return Standing(answered, max(0, left), left_out)


def _project(connection: Connection, project_id: str) -> RowMapping:
    row = connection.execute(select(project).where(project.c.id == project_id)).mappings().first()
    if row is None:
        raise StoreError(f"the store holds no project '{project_id}'; check its id")
    return row


def _gold_turn(connection: Connection, row: RowMapping, rater_id: str, now: float) -> str | None:
    """A gold item after every `gold_every` answers, where the project wants them."""
    every = json.loads(row["settings"]).get("gold_every", 0)
    if not every:
        return None
    here = item.c.project_id == row["id"]
    done = _count(answer, here, answer.c.rater_id == rater_id, answer.c.revision == 1)
    if connection.execute(done).scalar_one() % (every + 1) != every:
        return None
    return assign.gold_item(connection, rater_id, row["id"], now)


def _count(table, *conditions):
    joined = table.join(item, item.c.id == table.c.item_id)
    return select(func.count()).select_from(joined).where(*conditions)


def _seen(connection: Connection, item_id: str, rater_id: str) -> RowMapping:
    """The item with the order in which the rater saw it."""
    row = (
        connection.execute(
            select(item, shown.c.display, shown.c.at, project.c.settings)
            .join(shown, shown.c.item_id == item.c.id)
            .join(project, project.c.id == item.c.project_id)
            .where(item.c.id == item_id, shown.c.rater_id == rater_id)
        )
        .mappings()
        .first()
    )
    if row is None:
        raise StoreError(f"the store holds no item '{item_id}' for you; ask for the next one")
    return row


def _answer_row(sent: Submission, seen: RowMapping, now: float) -> dict:
    """The row of `answer`: the completions' order, and beside it what was typed."""
    if not 0 < len(sent.key) <= KEY_LIMIT:
        raise DataError(f"key: expected 1 to {KEY_LIMIT} characters, got {len(sent.key)}")
    if len(sent.note) > NOTE_LIMIT:
        raise DataError(f"the note holds {len(sent.note)} characters; the limit is {NOTE_LIMIT}")
    display = json.loads(seen["display"])
    scale = json.loads(seen["settings"]).get("scale", 3)
    body = body_of(seen["kind"], sent.marks, display, scale)
    # Beside the marks as typed, the competition ranks (1, 2, 2, 4) that they mean.
    typed = {"marks": dict(sent.marks), "ranks": letters_of(seen["kind"], body, display)}
    return {
        "item_id": sent.item_id,
        "rater_id": sent.rater_id,
        "key": sent.key,
        "body": canonical(body),
        "entered": canonical({**typed, "display": display}),
        "instructions": sent.instructions,
        "seconds": max(0.0, now - seen["at"]) if sent.revision == 0 else 0.0,
        "note": sent.note,
        "timing": canonical(sent.timing),
    }


def _receipt(row: Mapping, *, replayed: bool) -> Receipt:
    return Receipt(row["item_id"], row["revision"], replayed, row["slot"] is None, row["at"])


def _drop_draft(connection: Connection, item_id: str, rater_id: str) -> None:
    here = and_(draft.c.item_id == item_id, draft.c.rater_id == rater_id)
    connection.execute(delete(draft).where(here))


def _task(connection: Connection, item_id: str, rater_id: str) -> Task:
    seen = _seen(connection, item_id, rater_id)
    display = json.loads(seen["display"])
    words = select(completion.c.id, completion.c.text).where(completion.c.id.in_(display))
    texts = {row.id: row.text for row in connection.execute(words)}
    asked = select(prompt).where(prompt.c.id == seen["prompt_id"])
    mine = and_(answer.c.item_id == item_id, answer.c.rater_id == rater_id)
    newest = select(answer).where(mine).order_by(answer.c.revision.desc()).limit(1)
    held = connection.execute(newest).mappings().first()
    here = and_(draft.c.item_id == item_id, draft.c.rater_id == rater_id)
    kept = connection.execute(select(draft.c.body).where(here)).scalar()
    lease = select(assignment.c.lease_until).where(
        assignment.c.item_id == item_id,
        assignment.c.rater_id == rater_id,
        assignment.c.answered_at.is_(None),
    )
    return Task(
        item_id=item_id,
        project_id=seen["project_id"],
        kind=seen["kind"],
        prompt=prompt_of(connection.execute(asked).mappings().one()),
        cards=tuple(Card("ABCDEFGHI"[n], each, texts[each]) for n, each in enumerate(display)),
        marks=letters_of(seen["kind"], json.loads(held["body"]), display) if held else {},
        draft=json.loads(kept) if kept else None,
        note=(held["note"] or "") if held else "",
        revision=held["revision"] if held else 0,
        lease_until=connection.execute(lease).scalar(),
    )
