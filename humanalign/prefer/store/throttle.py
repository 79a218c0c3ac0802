"""Slowing down those who guess passwords; the counts are in the database, so workers share them.

A name is charged before its password is checked, or a hundred guesses sent at once would all pass
the check before the first had failed. A source (an address, perhaps a whole classroom's) is
charged after a failure only, so that many people can sign in from it at once.
"""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, delete, select, update

from humanalign.errors import StoreError
from humanalign.prefer.store.database import insert_new
from humanalign.prefer.store.schema import throttle

NAME_FAILURES = 5
SOURCE_FAILURES = 20
LONGEST_WAIT = 15 * 60.0
# Failures are forgotten when nothing was tried for this long after the wait.
FORGOTTEN_AFTER = 60 * 60.0


class Throttled(StoreError):
    """Too many failures; `seconds` says how long to wait."""

    def __init__(self, seconds: float) -> None:
        self.seconds = max(1, round(seconds + 0.5))
        super().__init__(f"too many failed attempts; wait {self.seconds} s and try again")


def key_of(kind: str, value: str) -> str:
    """The row's key: a hash, since people type passwords into name fields."""
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{kind}:{digest}"


def check(connection: Connection, key: str, now: float) -> int:
    """How many failures are held against `key`. Throttled: it has to wait."""
    row = connection.execute(select(throttle).where(throttle.c.key == key)).first()
    if row is None or now > row.until + FORGOTTEN_AFTER:
        return 0
    if row.until > now:
        raise Throttled(row.until - now)
    return row.failures


def charge(connection: Connection, key: str, free: int, now: float) -> None:
    """Hold one more failure against `key`: from the `free`-th on it waits 2, 4, 8 ... seconds.

    Throttled: it has to wait already. The caller holds the write transaction.
    """
    failures = check(connection, key, now) + 1
    over = min(failures - free + 1, 32)
    wait = min(2.0**over, LONGEST_WAIT) if over > 0 else 0.0
    connection.execute(delete(throttle).where(throttle.c.until < now - FORGOTTEN_AFTER))
    insert_new(connection, throttle, [{"key": key, "failures": 0, "until": now}])
    values = {"failures": failures, "until": now + wait}
    connection.execute(update(throttle).where(throttle.c.key == key).values(**values))


def forgive(connection: Connection, key: str) -> None:
    """Forget what is held against `key`."""
    connection.execute(delete(throttle).where(throttle.c.key == key))
