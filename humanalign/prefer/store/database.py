"""Opening the database of a feedback store: SQLite tuned for many writers, or PostgreSQL by URL.

SQLite runs in WAL mode with synchronous FULL, and a write begins with BEGIN IMMEDIATE: writers
queue at the start of a transaction instead of failing with "database is locked" in its middle.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, Table, create_engine, event, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError

from humanalign.errors import StoreError
from humanalign.prefer.store.schema import chain_head

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 60.0
# The largest IN (...) list sent at once; every database takes this many parameters.
IN_LIST = 500

T = TypeVar("T")


def open_database(url: str | Path) -> Engine:
    """Return an engine whose tables are up to date; `url` is a database URL or a file's path.

    StoreError: the URL or the file is no database, or a newer humanalign made it.
    """
    engine = _engine(url)
    try:
        with writing(engine, locked=False) as connection:
            _migrate(connection)
    except CommandError as error:
        raise StoreError(
            f"{url}: a newer humanalign made this store ({error}); update humanalign"
        ) from None
    except (DatabaseError, sqlite3.DatabaseError) as error:
        reason = str(getattr(error, "orig", error)).splitlines()[0]
        raise StoreError(f"{url}: cannot be opened as a feedback store ({reason})") from None
    return engine


@contextmanager
def writing(engine: Engine, *, locked: bool = True) -> Iterator[Connection]:
    """A write transaction. One writer at a time: the hash chain has one end.

    SQLite locks by BEGIN IMMEDIATE; PostgreSQL by the row of `chain_head`.
    """
    with engine.connect().execution_options(write=True) as connection, connection.begin():
        if locked:
            connection.execute(select(chain_head.c.seq).with_for_update())
        yield connection


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping]) -> None:
    """Insert the rows whose primary key is not there yet; the others stay as they are."""
    if not rows:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    keys = list(table.primary_key.columns)
    statement = dialect.insert(table).on_conflict_do_nothing(index_elements=keys)
    connection.execute(statement, list(rows))


def in_chunks(values: Iterable[T]) -> Iterator[list[T]]:
    """Cut `values` into lists short enough for IN (...)."""
    everything = list(values)
    for start in range(0, len(everything), IN_LIST):
        yield everything[start : start + IN_LIST]


def _engine(url: str | Path) -> Engine:
    text = str(url)
    if "://" not in text:
        text = f"sqlite:///{text}"
    try:
        parsed = make_url(text)
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise StoreError(f"{url}: use a file's path, sqlite:///FILE or postgresql://...")
        if parsed.get_backend_name() != "sqlite":
            return create_engine(parsed)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise StoreError(f"{url}: is not a usable database URL ({error})") from None
    if parsed.database in (None, "", ":memory:"):
        raise StoreError(f"{url}: a feedback store needs a file; give its path")
    Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _tune_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _tune_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # No transactions begun by the driver: `_begin_sqlite` says which kind.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")
    deadline = time.monotonic() + BUSY_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        # Switching the mode does not wait for other processes that switch it, so we do.
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _migrate(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
