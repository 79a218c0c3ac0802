"""What was done to people and projects, by whom: an append-only log, chained by hashes.

Nobody's name belongs in an entry, only rater ids: a name must be erasable, and this log is not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, select

from humanalign.prefer.store.chain import (
    AUDIT,
    canonical,
    check_end,
    check_link,
    head_of,
    link,
    move_head,
    readable,
)
from humanalign.prefer.store.database import writing
from humanalign.prefer.store.schema import audit_event


@dataclass(frozen=True)
class AuditEntry:
    """`actor` did `action` to `subject`; ids, never names. `at` is in seconds since 1970."""

    seq: int
    at: float
    actor: str
    action: str
    subject: str
    detail: Mapping


class Audit:
    """The audit log of one store."""

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._clock = clock

    def record(self, actor: str, action: str, subject: str, detail: Mapping | None = None) -> None:
        """Append an entry in a transaction of its own."""
        with writing(self._engine) as connection:
            append_audit(connection, self._clock(), actor, action, subject, detail)

    def page(self, before: int | None = None, limit: int = 100) -> list[AuditEntry]:
        """The newest entries first; `before` is the seq of the last entry of the page above."""
        rows = select(audit_event.c.seq, audit_event.c.body).order_by(audit_event.c.seq.desc())
        if before is not None:
            rows = rows.where(audit_event.c.seq < before)
        with self._engine.connect() as connection:
            found = connection.execute(rows.limit(limit)).all()
        return [AuditEntry(seq=row.seq, **json.loads(row.body)) for row in found]

    def verify(self) -> int:
        """How many entries there are. StoreError names the first damaged row."""
        with self._engine.connect() as connection, readable(connection):
            return verify_audit(connection)


def append_audit(
    connection: Connection,
    now: float,
    actor: str,
    action: str,
    subject: str,
    /,
    detail: Mapping | None = None,
) -> None:
    """Append an entry within the caller's write transaction: both are stored, or neither."""
    said = {"at": now, "actor": actor, "action": action, "subject": subject}
    seq, previous = head_of(connection, AUDIT)
    event = link(seq + 1, previous, canonical({**said, "detail": dict(detail or {})}))
    connection.execute(audit_event.insert(), event)
    move_head(connection, AUDIT, event)


def verify_audit(connection: Connection) -> int:
    """Check every entry against its hash and the entry before; return how many there are.

    StoreError names the first damaged row.
    """
    previous, seq = "", 0
    rows = connection.execute(select(audit_event).order_by(audit_event.c.seq)).mappings()
    for event in rows:
        seq += 1
        check_link("audit_event", event, seq, previous)
        previous = event["hash"]
    check_end(connection, AUDIT, "audit_event", seq, previous)
    return seq
