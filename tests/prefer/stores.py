"""A store under a clock that the test moves, with passwords that are quick to hash."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from argon2 import PasswordHasher
from sqlalchemy import event

from humanalign.errors import HumanalignError
from humanalign.prefer.store import FeedbackStore

# Weak on purpose: a test checks what is hashed and when, not how long it takes.
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HOUR = 3600.0


class Clock:
    """Seconds since 1970, as the test says."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def opened(folder: Path) -> tuple[FeedbackStore, Clock]:
    clock = Clock()
    return FeedbackStore(folder / "s.db", clock=clock), clock


def at_once(calls):
    """What each call returned, or the sentence it refused with; all run at the same time."""

    def outcome(call):
        try:
            return call()
        except HumanalignError as error:
            return str(error)

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(outcome, calls))


def statements_of(store: FeedbackStore, call) -> list[str]:
    """The SQL that a call sends, without the beginnings and ends of transactions."""
    sent: list[str] = []

    def note(_connection, _cursor, statement, *_rest):
        sent.append(statement)

    event.listen(store._engine, "before_cursor_execute", note)
    call()
    event.remove(store._engine, "before_cursor_execute", note)
    return [each for each in sent if not each.startswith("BEGIN")]


def dump(store: FeedbackStore) -> str:
    """Every value of every table, as one text."""
    from humanalign.prefer.store.schema import metadata

    with store._engine.connect() as connection:
        return "\n".join(
            str(tuple(row))
            for table in metadata.sorted_tables
            for row in connection.execute(table.select())
        )
