"""Opening the database of a feedback store: SQLite tuned for many writers, or PostgreSQL by URL.

SQLite runs in WAL mode with synchronous FULL, and a write begins with BEGIN IMMEDIATE: writers
queue at the start of a transaction instead of failing with "database is locked" in its middle.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TypeVar
from weakref import WeakKeyDictionary

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, Insert, Table, create_engine, event, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError

from humanalign.errors import StoreError
from humanalign.prefer.store.schema import chain_head

HERE = Path(__file__).parent
# The newest file in versions/: most stores are opened many times and migrated once.
NEWEST = max(path.name[:4] for path in (HERE / "versions").glob("[0-9]*.py"))
BUSY_SECONDS = 60.0
# The largest IN (...) list sent at once; every database takes this many parameters.
IN_LIST = 500

# Connections that a process opens and keeps: one for each of a web worker's 40 threads on SQLite;
# fewer on PostgreSQL, whose server takes a hundred from all processes together.
SQLITE_POOL = {"pool_size": 40, "max_overflow": 0}
POSTGRESQL_POOL = {"pool_size": 20, "max_overflow": 0}
TURNS: WeakKeyDictionary[Engine, threading.Lock] = WeakKeyDictionary()

CHAIN_ENDS = select(chain_head.c.seq).order_by(chain_head.c.id).with_for_update()

T = TypeVar("T")


def open_database(url: str | Path) -> Engine:
    """Return an engine whose tables are up to date; `url` is a database URL or a file's path.

    StoreError: the URL or the file is no database, or a newer humanalign made it.
    """
    engine = _engine(url)
    TURNS[engine] = threading.Lock()
    try:
        opened = engine.connect().execution_options(write=True)
        # Recreating a table under its old name would trip over what refers to it.
        with opened as connection, _unreferenced(connection), connection.begin():
            upgrade(connection)
    except CommandError as error:
        raise StoreError(
            f"{shown(url)}: a newer humanalign made this store ({error}); update humanalign"
        ) from None
    except (DatabaseError, sqlite3.DatabaseError) as error:
        reason = str(getattr(error, "orig", error)).splitlines()[0]
        raise StoreError(f"{shown(url)}: cannot be opened as a feedback store ({reason})") from None
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A write transaction. One writer at a time: the hash chain has one end.

    SQLite locks by BEGIN IMMEDIATE; PostgreSQL by the rows of `chain_head`.
    """
    # Waiting for a lock of this process is fairer than SQLite's polling.
    with TURNS[engine], engine.connect() as opened:
        connection = opened.execution_options(write=True)
        with connection.begin():
            _lock(connection)
            yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Reads that all see one state of the store, whatever is written in between."""
    with engine.connect() as opened:
        if engine.dialect.name == "postgresql":
            # There each statement sees its own state by default; SQLite keeps that of the first.
            opened = opened.execution_options(isolation_level="REPEATABLE READ")
        yield opened


def _lock(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        connection.execute(CHAIN_ENDS)


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping]) -> None:
    """Insert the rows whose primary key is not there yet; the others stay as they are."""
    if not rows:
        return
    connection.execute(_insert_new(connection.dialect.name, table), list(rows))


def put(connection: Connection, table: Table, row: Mapping) -> None:
    """Insert a row, or overwrite the one of the same primary key: for drafts and the like."""
    connection.execute(_put(connection.dialect.name, table, tuple(row)), dict(row))


@cache
def _insert_new(dialect: str, table: Table) -> Insert:
    made = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    return made.on_conflict_do_nothing(index_elements=list(table.primary_key.columns))


@cache
def _put(dialect: str, table: Table, names: tuple[str, ...]) -> Insert:
    made = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    keys = [column.name for column in table.primary_key.columns]
    values = {name: made.excluded[name] for name in names if name not in keys}
    return made.on_conflict_do_update(index_elements=keys, set_=values)


def in_chunks(values: Iterable[T]) -> Iterator[list[T]]:
    """Cut `values` into lists short enough for IN (...)."""
    everything = list(values)
    for start in range(0, len(everything), IN_LIST):
        yield everything[start : start + IN_LIST]


def _engine(url: str | Path) -> Engine:
    name = str(url)
    if "://" not in name:
        name = f"sqlite:///{name}"
    try:
        parsed = make_url(name)
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise StoreError(f"{shown(url)}: use a file's path, sqlite:///FILE or postgresql://...")
        if parsed.get_backend_name() != "sqlite":
            return create_engine(_psycopg(parsed), **POSTGRESQL_POOL)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        reason = str(error).replace(name, shown(url))
        raise StoreError(f"{shown(url)}: is not a usable database URL ({reason})") from None
    if parsed.database in (None, "", ":memory:"):
        raise StoreError(f"{url}: a feedback store needs a file; give its path")
    _make_private(Path(parsed.database))
    engine = create_engine(parsed, connect_args={"timeout": BUSY_SECONDS}, **SQLITE_POOL)
    event.listen(engine, "connect", _tune_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def shown(url: str | Path) -> str:
    """A URL as it may be printed: without its password."""
    head, at, tail = str(url).rpartition("@")
    scheme, slashes, login = head.partition("://")
    return f"{scheme}://{login.partition(':')[0]}@{tail}" if at and slashes else str(url)


def _make_private(path: Path) -> None:
    """Begin a new store as a file that only its owner reads: SQLite gives its log the same mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(OSError):  # it is there already, or SQLite says what is wrong with the place
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _psycopg(url: URL) -> URL:
    """postgresql:// means the driver that humanalign installs."""
    return url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url


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


@contextmanager
def _unreferenced(connection: Connection) -> Iterator[None]:
    """Foreign keys unchecked on SQLite, which only listens outside of a transaction."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        yield
        return
    driver.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys = ON")


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the tables up to a migration; tables that are there already stay as they are."""
    if connection.dialect.name == "postgresql":
        # Several workers start at once; the first one migrates.
        connection.execute(text("SELECT pg_advisory_xact_lock(7265768)"))
    if MigrationContext.configure(connection).get_current_revision() == NEWEST:
        return
    config = Config()
    config.set_main_option("script_location", str(HERE / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", str(HERE / "versions").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
