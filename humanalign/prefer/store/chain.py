"""The append-only log of answers: each event's hash covers its body and the event before it.

Changing, removing or reordering a stored answer or event breaks the chain at that row, and
`verify_chain` names it. The log proves that nothing was altered afterwards; it does not stop
someone who rewrites the whole chain, which is why snapshots are kept in the runs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from sqlalchemy import (
    LABEL_STYLE_TABLENAME_PLUS_COL,
    Connection,
    RowMapping,
    select,
    update,
)

from humanalign.errors import StoreError
from humanalign.prefer.store.schema import answer, answer_event, chain_head, completion
from humanalign.prefer.store.schema import prompt as prompt_table


def canonical(content: Mapping) -> str:
    """The one JSON spelling of `content`: sorted keys, no spaces, UTF-8."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def sha256(text: str) -> str:
    """64 hex digits over the UTF-8 of `text`."""
    return hashlib.sha256(text.encode()).hexdigest()


def append_answer(connection: Connection, row: Mapping) -> None:
    """Write one row of `answer` and its event; the caller holds the write transaction."""
    head = connection.execute(select(chain_head)).mappings().one()
    seq = head["seq"] + 1
    row = {**row, "id": seq}
    body = canonical(row)
    link = _link(seq, head["hash"], body)
    connection.execute(answer.insert(), row)
    event = {"seq": seq, "answer_id": seq, "body": body, "previous": head["hash"], "hash": link}
    connection.execute(answer_event.insert(), event)
    connection.execute(update(chain_head).values(seq=seq, hash=link))


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
    head = connection.execute(select(chain_head)).mappings().one()
    if (head["seq"], head["hash"]) != (seq, previous):
        raise _damage("answer_event", seq + 1, f"is missing; the log held {head['seq']} events")
    extra = connection.execute(
        select(answer.c.id)
        .where(answer.c.id.not_in(select(answer_event.c.answer_id)))
        .order_by(answer.c.id)
    ).scalar()
    if extra is not None:
        raise _damage("answer", extra, "has no event in the log")
    return seq


def verify_texts(connection: Connection) -> None:
    """Check that every completion still is the text it was stored as, and has its prompt."""
    rows = connection.execute(select(completion).order_by(completion.c.id)).mappings()
    for row in rows:
        if sha256(row["text"]) != row["sha256"]:
            raise _damage("completion", row["id"], "is not the text that was stored")
    orphan = connection.execute(
        select(completion.c.id).where(completion.c.prompt_id.not_in(select(prompt_table.c.id)))
    ).scalar()
    if orphan is not None:
        raise _damage("completion", orphan, "has lost its prompt")


def _check_event(event: RowMapping, seq: int, previous: str) -> None:
    if event["answer_event_seq"] != seq:
        raise _damage("answer_event", seq, "is missing, or its answer is")
    if event["answer_event_previous"] != previous:
        raise _damage("answer_event", seq, "does not follow the event before it")
    if event["answer_event_hash"] != _link(seq, previous, event["answer_event_body"]):
        raise _damage("answer_event", seq, "does not match its hash")
    stored = {column.name: event[f"answer_{column.name}"] for column in answer.columns}
    if canonical(stored) != event["answer_event_body"]:
        raise _damage("answer", event["answer_id"], "differs from what the log recorded")


def _link(seq: int, previous: str, body: str) -> str:
    return sha256(f"{seq}\n{previous}\n{body}")


def _damage(table: str, row: object, what: str) -> StoreError:
    return StoreError(f"{table} row {row} {what}; restore the store from a backup")
