"""Opening a database: migrations, SQLite's settings, and what is refused."""

import sqlite3

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from humanalign.errors import StoreError
from humanalign.prefer.store import FeedbackStore
from humanalign.prefer.store.chain import canonical, link, sha256
from humanalign.prefer.store.database import upgrade
from humanalign.prefer.store.schema import metadata
from humanalign.types import Comparison, Completion, Prompt, Rater, Sampler

PROMPT = Prompt("text").id
A, B = (Completion(PROMPT, text, Sampler("model")).id for text in "ab")
ITEM = Comparison(PROMPT, (A, B)).id
FIRST_RELEASE = [
    f"INSERT INTO prompt VALUES ('{PROMPT}', 'text', '[]', NULL, '', 'train', '{{}}')",
    *(
        f"INSERT INTO completion VALUES ('{each}', '{PROMPT}', '{name}', '{sha256(name)}', "
        "'model', '', 1.0, 0, 'stop')"
        for each, name in ((A, "a"), (B, "b"))
    ),
    f"INSERT INTO item VALUES ('{ITEM}', 1, 'ranking', '{PROMPT}', 'helpful')",
    f"INSERT INTO item_completion VALUES ('{ITEM}', 0, '{A}')",
    f"INSERT INTO item_completion VALUES ('{ITEM}', 1, '{B}')",
    f"INSERT INTO slot VALUES ('{ITEM}', 0)",
    f"INSERT INTO slot VALUES ('{ITEM}', 1)",
    "INSERT INTO rater VALUES ('ann', 'human', 1.0)",
    f"INSERT INTO assignment VALUES ('{ITEM}', 0, 'ann', 2000.0, 1500.0)",
]
OLD_ANSWER = {
    "id": 1,
    "item_id": ITEM,
    "rater_id": "ann",
    "revision": 1,
    "key": "k",
    "slot": 0,
    "body": canonical({"tiers": [[B], [A]], "rejected": []}),
    "entered": "",
    "instructions": "",
    "seconds": 12.0,
    "at": 1500.0,
}


@pytest.mark.usefixtures("either_database")
def test_the_migrations_make_exactly_the_tables_of_the_schema(tmp_path):
    store = FeedbackStore(tmp_path / "s.db")
    with store._engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_store_of_the_first_release_keeps_its_answers_and_verifies(tmp_path):
    """The first tables, filled as the first release filled them, then opened by this one."""
    first = create_engine(f"sqlite:///{tmp_path}/s.db")
    with first.begin() as connection:
        upgrade(connection, "0001")
        for statement in FIRST_RELEASE:
            connection.exec_driver_sql(statement)
        body = canonical(OLD_ANSWER)
        event = link(1, "", body)
        connection.exec_driver_sql(
            "INSERT INTO answer (id, item_id, rater_id, revision, key, slot, body, entered, "
            "instructions, seconds, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            tuple(OLD_ANSWER.values()),
        )
        connection.exec_driver_sql(
            "INSERT INTO answer_event VALUES (1, 1, ?, '', ?)", (body, event["hash"])
        )
        connection.exec_driver_sql("UPDATE chain_head SET seq = 1, hash = ?", (event["hash"],))
    first.dispose()
    store = FeedbackStore(tmp_path / "s.db")
    assert store.verify() == 1
    [ranking] = store.rankings()
    assert ranking.tiers == ((B,), (A,))
    [project] = store.projects.all()
    assert (project.name, project.kind) == ("helpful", "ranking")
    store.add_rater(Rater("bob"))
    assert store.next("bob").id == ITEM
    assert store.next("ann") is None


def test_sqlite_is_durable_and_lets_readers_in(tmp_path):
    store = FeedbackStore(tmp_path / "s.db")
    with store._engine.connect() as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert found == ["wal", 2, 1]


def test_what_is_no_store_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "note.db").write_text("this is no database, only a long enough text file" * 9)
    with pytest.raises(StoreError, match="cannot be opened as a feedback store"):
        FeedbackStore(tmp_path / "note.db")
    with pytest.raises(StoreError, match="use a file's path"):
        FeedbackStore("mysql://host/db")
    with pytest.raises(StoreError, match="needs a file"):
        FeedbackStore("sqlite://")


def test_a_store_of_a_newer_version_is_refused(tmp_path):
    FeedbackStore(tmp_path / "s.db").close()
    with sqlite3.connect(tmp_path / "s.db") as file:
        file.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="a newer humanalign made this store"):
        FeedbackStore(tmp_path / "s.db")
