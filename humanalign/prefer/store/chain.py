"""The append-only log of answers: each event's hash covers its body and the event before it.

Changing, removing or reordering a stored answer or event breaks the chain at that row, and
`verify_chain` names it. The log proves that nothing was altered afterwards; it does not stop
someone who rewrites the whole chain, which is why snapshots are kept in the runs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from sqlalchemy import (
    LABEL_STYLE_TABLENAME_PLUS_COL,
    Connection,
    RowMapping,
    Table,
    bindparam,
    select,
    update,
)
from sqlalchemy.exc import DatabaseError

from humanalign.errors import StoreError
from humanalign.prefer.store.schema import answer, answer_event, chain_head, metadata

# The rows of `chain_head`.
ANSWERS, AUDIT = 1, 2
HEAD = select(chain_head).where(chain_head.c.id == bindparam("chain"))
HEAD_MOVED = (
    update(chain_head)
    .where(chain_head.c.id == bindparam("chain"))
    .values(seq=bindparam("last"), hash=bindparam("digest"))
)
NEW_ANSWER, NEW_EVENT = answer.insert(), answer_event.insert()


def canonical(content: Mapping) -> str:
    """The one JSON spelling of `content`: sorted keys, no spaces, UTF-8."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def sha256(text: str) -> str:
    """64 hex digits over the UTF-8 of `text`."""
    return hashlib.sha256(text.encode()).hexdigest()


def append_answer(connection: Connection, row: Mapping) -> None:
    """Write one row of `answer` and its event; the caller holds the write transaction."""
    append_answers(connection, [row])


def append_answers(connection: Connection, rows: Sequence[Mapping]) -> None:
    """Write rows of `answer` and their events; the caller holds the write transaction."""
    last, previous = head_of(connection, ANSWERS)
    written, events = [], []
    for number, row in enumerate(rows, start=last + 1):
        written.append({**row, "id": number})
        events.append({**link(number, previous, canonical(written[-1])), "answer_id": number})
        previous = events[-1]["hash"]
    if events:
        connection.execute(answer.insert(), written)
        connection.execute(answer_event.insert(), events)
        move_head(connection, ANSWERS, events[-1])


def head_of(connection: Connection, chain: int) -> tuple[int, str]:
    """(number, hash) of a chain's last event; (0, "") before the first."""
    row = connection.execute(HEAD, {"chain": chain}).one()
    return row.seq, row.hash


def move_head(connection: Connection, chain: int, event: Mapping) -> None:
    """Make `event` the last of its chain."""
    values = {"chain": chain, "last": event["seq"], "digest": event["hash"]}
    connection.execute(HEAD_MOVED, values)


def link(seq: int, previous: str, body: str) -> dict:
    """The event of this number and body that follows the event of hash `previous`."""
    digest = sha256(f"{seq}\n{previous}\n{body}")
    return {"seq": seq, "body": body, "previous": previous, "hash": digest}


def check_link(table: str, event: Mapping, seq: int, previous: str) -> None:
    """StoreError, naming the row: the event is not the one that was chained at this place."""
    if event["seq"] != seq:
        raise damage(table, seq, "is missing, or its answer is")
    if event["previous"] != previous:
        raise damage(table, seq, "does not follow the event before it")
    if event["hash"] != link(seq, previous, event["body"])["hash"]:
        raise damage(table, seq, "does not match its hash")


def check_end(connection: Connection, chain: int, table: str, seq: int, last: str) -> None:
    """StoreError: the chain's last event is not the last that was written."""
    held, digest = head_of(connection, chain)
    if (held, digest) != (seq, last):
        raise damage(table, seq + 1, f"is missing; the log held {held} events")


def verify_chain(connection: Connection) -> int:
    """Check every event against its answer and the event before; return how many there are.

    StoreError names the first damaged row.
    """
    rows = select(answer_event, answer).join(answer, answer.c.id == answer_event.c.answer_id)
    joined = rows.order_by(answer_event.c.seq).set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL)
    previous, seq = "", 0
    for event in connection.execute(joined).mappings():
        seq += 1
        _check_event(event, seq, previous)
        previous = event["answer_event_hash"]
    check_end(connection, ANSWERS, "answer_event", seq, previous)
    extra = connection.execute(
        select(answer.c.id)
        .where(answer.c.id.not_in(select(answer_event.c.answer_id)))
        .order_by(answer.c.id)
    ).scalar()
    if extra is not None:
        raise damage("answer", extra, "has no event in the log")
    return seq


def _check_event(event: RowMapping, seq: int, previous: str) -> None:
    own = ("seq", "body", "previous", "hash")
    check_link("answer_event", {k: event[f"answer_event_{k}"] for k in own}, seq, previous)
    stored = {column.name: event[f"answer_{column.name}"] for column in answer.columns}
    # Columns that are younger than the answer are empty, and not in its event.
    known = json.loads(event["answer_event_body"])
    stored = {k: v for k, v in stored.items() if k in known or v is not None}
    if canonical(stored) != event["answer_event_body"]:
        raise damage("answer", event["answer_id"], "differs from what the log recorded")


def damage(table: str, row: object, what: str) -> StoreError:
    """The error that names a damaged row."""
    return StoreError(f"{table} row {row} {what}; restore the store from a backup")


@contextmanager
def readable(connection: Connection) -> Iterator[None]:
    """What is done inside reads the store; StoreError names the first row that cannot be read."""
    try:
        yield
    except DatabaseError as error:
        for table in metadata.sorted_tables:
            _find_unreadable(connection, table)
        reason = str(error.orig).splitlines()[0]
        raise StoreError(f"the store cannot be read ({reason}); restore it from a backup") from None


def _find_unreadable(connection: Connection, table: Table) -> None:
    try:
        keys = connection.execute(select(*table.primary_key.columns)).all()
    except DatabaseError:
        raise damage(table.name, "?", "has an id that cannot be read") from None
    for key in keys:
        named = zip(table.primary_key.columns, key, strict=True)
        try:
            connection.execute(select(table).where(*(c == part for c, part in named))).all()
        except DatabaseError:
            shown = "/".join(str(part) for part in key)
            raise damage(table.name, shown, "holds bytes that are no text") from None
