"""A labeler's work: the next item, its answer, a draft, a skip, and the way back to the last one.

A page shows letters; the order in which this rater saw the completions is logged, and turns the
letters back into completions. Every write is one transaction, and a client's key makes a repeated
request harmless.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import (
    Connection,
    Engine,
    RowMapping,
    and_,
    bindparam,
    delete,
    func,
    select,
    update,
)

from humanalign.errors import DataError, StoreError
from humanalign.prefer.claimed_times import clean_timing
from humanalign.prefer.files.judgements import Question, check_marks
from humanalign.prefer.marks import body_of, letters_of
from humanalign.prefer.ranks import Mark
from humanalign.prefer.store import answers, assign
from humanalign.prefer.store.adaptive import widen
from humanalign.prefer.store.ahead import SKIP, Standing, count_done, read_standing
from humanalign.prefer.store.asking import add_items, audit_items
from humanalign.prefer.store.audit import append_audit
from humanalign.prefer.store.chain import canonical
from humanalign.prefer.store.database import insert_new, put, reading, writing
from humanalign.prefer.store.records import (
    completion_ids_of,
    completion_row,
    prompt_row,
    require_ids,
)
from humanalign.prefer.store.schema import (
    answer,
    completion,
    draft,
    flag,
    item,
    prompt,
    shown,
    slot,
)
from humanalign.prefer.store.spelling import clean_text, storable
from humanalign.prefer.store.tasks import (
    Task,
    read_project,
    read_shown,
    read_task,
)
from humanalign.types import Completion, Prompt

REASONS = ("unclear", "not my language", "upsetting", "technical", "other")
# What is wrong with an item, for its owner to look at.
REPORT = "report"
REPORTS = ("broken", "unsafe", "wrong instructions", "other")
NOTE_LIMIT = 4_000
KEY_LIMIT = 128

# Where an answer stands among all, and the item answered on a page before a place.
LAST = 1 << 30
FIRST = and_(answer.c.rater_id == bindparam("who"), answer.c.revision == 1)
PLACE = select(answer.c.id).where(FIRST, answer.c.item_id == bindparam("what"))
BEFORE = (
    select(answer.c.item_id)
    .join(item, item.c.id == answer.c.item_id)
    .join(shown, and_(shown.c.item_id == item.c.id, shown.c.rater_id == answer.c.rater_id))
    .where(FIRST, item.c.project_id == bindparam("project"), answer.c.id < bindparam("place"))
    .order_by(answer.c.id.desc())
    .limit(1)
)
NO_DRAFT = delete(draft).where(
    draft.c.item_id == bindparam("what"), draft.c.rater_id == bindparam("who")
)


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
    # Where the client says so, the item must be of this project.
    project_id: str = ""


@dataclass(frozen=True)
class Receipt:
    """What was stored: `replayed` when the key was known, `extra` when every slot was taken."""

    item_id: str
    revision: int
    replayed: bool
    extra: bool
    at: float


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

    def add(
        self,
        project_id: str,
        prompts: Iterable[Prompt],
        completions: Iterable[Completion],
        items: Iterable[Question],
        *,
        overlap: int,
        by: str = "",
    ) -> list[str]:
        """Put items to `overlap` raters each, with their prompts and completions; return their ids.

        Asking again can only raise the overlap and change the gold. StoreError: another project
        asks one already. DataError: one of another kind or criterion than the project's, or gold
        that no rater could give.
        """
        prompt_rows = [prompt_row(each) for each in prompts]
        completion_rows = [completion_row(each) for each in completions]
        with writing(self._engine) as connection:
            read_project(connection, project_id)
            insert_new(connection, prompt, prompt_rows)
            require_ids(connection, prompt, [row["prompt_id"] for row in completion_rows])
            insert_new(connection, completion, completion_rows)
            asked = add_items(connection, project_id, items, overlap)
            audit_items(connection, project_id, asked, overlap, now=self._clock(), by=by)
            return asked.ids

    def raise_overlap(self, item_ids: Iterable[str], overlap: int, by: str) -> int:
        """Ask up to `overlap` raters about these items; return how many slots that opened."""
        ids = list(dict.fromkeys(item_ids))
        with writing(self._engine) as connection:
            require_ids(connection, item, ids)
            before = connection.execute(select(func.count()).select_from(slot)).scalar_one()
            assign.add_slots(connection, [(each, n) for each in ids for n in range(overlap)])
            opened = connection.execute(select(func.count()).select_from(slot)).scalar_one()
            detail = {"items": len(ids), "overlap": overlap, "opened": opened - before}
            append_audit(connection, self._clock(), by, "raise overlap", "items", detail)
            return opened - before

    def set_gold(self, item_id: str, marks: Mapping[str, Mark] | None, by: str) -> None:
        """Say which marks an item should get, by completion id; None makes it ordinary again.

        DataError: a completion without a mark, or a mark that is none.
        """
        with writing(self._engine) as connection:
            require_ids(connection, item, [item_id])
            row = connection.execute(select(item).where(item.c.id == item_id)).mappings().one()
            scale = json.loads(read_project(connection, row["project_id"])["settings"])
            ids = completion_ids_of(connection, item_id)
            kept = marks and canonical(check_marks(row["kind"], marks, ids, scale.get("scale", 3)))
            connection.execute(update(item).where(item.c.id == item_id).values(gold=kept or None))
            detail = {"gold": bool(kept)}
            append_audit(connection, self._clock(), by, "gold", f"item:{item_id}", detail)

    def next(self, project_id: str, rater_id: str) -> Task | None:
        """What this rater should judge now, held for half an hour; None when nothing is left.

        An item that is held already comes again. A paused project gives nothing.
        """
        now = self._clock()
        with writing(self._engine) as connection:
            row = read_project(connection, project_id)
            if row["status"] != "open":
                return None
            item_id = (
                assign.held_item(connection, rater_id, project_id, now)
                or _gold_turn(connection, row, rater_id, now)
                or assign.next_item(connection, rater_id, project_id, now)
            )
        # Read after the lock is given back: others wait for it.
        return None if item_id is None else self.task(item_id, rater_id)

    def task(self, item_id: str, rater_id: str) -> Task:
        """An item that this rater was shown. StoreError: it never was."""
        with self._engine.connect() as connection:
            return read_task(connection, item_id, rater_id)

    def submit(self, sent: Submission) -> Receipt:
        """Store an answer, or return the one already stored under its key.

        DataError: a card without a mark, or a mark that is none. KeyReused: the key came with
        another answer. Conflict: `revision` is not the latest. StoreError: the item was never
        shown to this rater.
        """
        now = self._clock()
        with writing(self._engine) as connection:
            seen = read_shown(connection, sent.item_id, sent.rater_id)
            if sent.project_id not in ("", seen["project_id"]):
                raise StoreError(f"the project holds no item '{sent.item_id}'; ask for the next")
            row = _answer_row(sent, seen, now)
            held = answers.replayed(connection, row)
            if held is not None:
                return _receipt(held, replayed=True)
            revision = answers.last_revision(connection, sent.item_id, sent.rater_id)
            if revision != sent.revision:
                raise Conflict(read_task(connection, sent.item_id, sent.rater_id), sent.revision)
            stored = answers.append_next(connection, row, revision, now)
            if revision == 0:
                widen(connection, sent.item_id, now)
            _drop_draft(connection, sent.item_id, sent.rater_id)
            return _receipt(stored, replayed=False)

    def save_draft(self, item_id: str, rater_id: str, body: Mapping) -> None:
        """Keep what is on the page, unchecked, until it is sent; never an answer by itself."""
        text = clean_text("draft", canonical(body), 8 * NOTE_LIMIT)
        with writing(self._engine) as connection:
            read_shown(connection, item_id, rater_id)
            row = {"item_id": item_id, "rater_id": rater_id, "body": text, "at": self._clock()}
            put(connection, draft, row)

    def heartbeat(self, item_id: str, rater_id: str) -> float:
        """Hold the item for another half hour; return until when (seconds since 1970)."""
        with writing(self._engine) as connection:
            return assign.renew(connection, item_id, rater_id, self._clock())

    def skip(self, item_id: str, rater_id: str, reason: str, note: str = "") -> None:
        """Give the item back and never see it again; skipping it twice is skipping it once.

        StoreError: it was answered already.
        """
        if reason not in REASONS:
            raise DataError(f"reason: expected one of {', '.join(REASONS)}, got '{reason}'")
        with writing(self._engine) as connection:
            read_shown(connection, item_id, rater_id)
            if answers.last_revision(connection, item_id, rater_id):
                raise StoreError(f"item '{item_id}' was answered already; change the answer")
            if assign.skipped(connection, item_id, rater_id):
                return
            assign.release(connection, item_id, rater_id)
            _drop_draft(connection, item_id, rater_id)
            row = {"item_id": item_id, "rater_id": rater_id, "kind": SKIP, "reason": reason}
            _raise_flag(connection, row, note, self._clock())

    def report(self, item_id: str, rater_id: str, reason: str, note: str = "") -> None:
        """Tell the owner that something is wrong with an item, which stays with its labeler.

        The same reason twice is one report. DataError: an unknown reason. StoreError: the item
        was never shown to this rater.
        """
        if reason not in REPORTS:
            raise DataError(f"reason: expected one of {', '.join(REPORTS)}, got '{reason}'")
        row = {"item_id": item_id, "rater_id": rater_id, "kind": REPORT, "reason": reason}
        with writing(self._engine) as connection:
            read_shown(connection, item_id, rater_id)
            same = [flag.c[name] == value for name, value in row.items()]
            if connection.execute(select(flag.c.id).where(*same).limit(1)).first() is None:
                _raise_flag(connection, row, note, self._clock())

    def before(self, project_id: str, rater_id: str, item_id: str | None = None) -> str | None:
        """The item this rater answered before `item_id` (or last of all), to go back to."""
        mine = {"project": project_id, "who": rater_id, "what": item_id}
        with self._engine.connect() as connection:
            asked = item_id is not None and storable(item_id)
            known = asked and connection.execute(PLACE, mine).scalar()
            return connection.execute(BEFORE, {**mine, "place": known or LAST}).scalar()

    def standing(self, project_id: str, rater_id: str) -> Standing:
        """How many items this rater has answered, can still answer, and skipped."""
        with reading(self._engine) as connection:
            return read_standing(connection, project_id, rater_id, self._clock())


def _gold_turn(connection: Connection, row: RowMapping, rater_id: str, now: float) -> str | None:
    """A gold item after every `gold_every` answers, where the project wants them."""
    every = json.loads(row["settings"]).get("gold_every", 0)
    if not every:
        return None
    if count_done(connection, row["id"], rater_id) % (every + 1) != every:
        return None
    return assign.gold_item(connection, rater_id, row["id"], now)


def _answer_row(sent: Submission, seen: RowMapping, now: float) -> dict:
    """The row of `answer`: the completions' order, and beside it what was typed."""
    if not sent.key or not storable(sent.instructions):
        raise DataError("key: is empty; send any text that is this answer's own")
    display = json.loads(seen["display"])
    scale = json.loads(seen["settings"]).get("scale", 3)
    body = body_of(seen["kind"], sent.marks, display, scale)
    # Beside the marks as typed, the competition ranks (1, 2, 2, 4) that they mean.
    typed = {"marks": dict(sent.marks), "ranks": letters_of(seen["kind"], body, display)}
    return {
        "item_id": sent.item_id,
        "rater_id": sent.rater_id,
        "key": clean_text("key", sent.key, KEY_LIMIT),
        "body": canonical(body),
        "entered": canonical({**typed, "display": display}),
        "instructions": sent.instructions,
        "seconds": round(max(0.0, now - seen["at"]), 3) if sent.revision == 0 else 0.0,
        "note": clean_text("note", sent.note, NOTE_LIMIT),
        "timing": canonical(clean_timing(sent.timing)),
    }


def _receipt(row: Mapping, *, replayed: bool) -> Receipt:
    return Receipt(row["item_id"], row["revision"], replayed, row["slot"] is None, row["at"])


def _raise_flag(connection: Connection, row: Mapping, note: str, now: float) -> None:
    note = clean_text("note", note, NOTE_LIMIT)
    connection.execute(flag.insert(), {**row, "note": note, "at": now})


def _drop_draft(connection: Connection, item_id: str, rater_id: str) -> None:
    connection.execute(NO_DRAFT, {"what": item_id, "who": rater_id})
