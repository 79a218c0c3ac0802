"""`humanalign runs verify`: one byte changed anywhere in the logs is found and its row named."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from workplace import make_site

from humanalign import cli
from humanalign.prefer.store.queue import Submission

TEXTS = tuple((f"{n} red", f"{n} green", f"{n} blue") for n in range(4))
# Every column that a chain or a content hash covers. (table, key, which row, its columns)
COVERED = (
    ("answer_event", "seq", 3, ("seq", "answer_id", "body", "previous", "hash")),
    (
        *("answer", "id", 3),
        (
            *("id", "item_id", "rater_id", "revision", "key", "slot", "body", "entered"),
            *("instructions", "seconds", "at", "note", "timing"),
        ),
    ),
    ("audit_event", "seq", 3, ("seq", "body", "previous", "hash")),
    (
        *("completion", "rowid", 3),
        ("id", "prompt_id", "text", "sha256", "model", "temperature", "seed"),
    ),
    ("prompt", "rowid", 2, ("id", "text", "messages")),
    ("item", "rowid", 2, ("id", "prompt_id", "criterion")),
    ("item_completion", "rowid", 2, ("item_id", "completion_id")),
    ("instruction_version", "rowid", 1, ("id", "project_id", "text", "quiz")),
    ("consensus_row", "rowid", 2, ("item_id", "body")),
    ("consensus_version", "rowid", 1, ("digest",)),
    ("chain_head", "id", 1, ("seq", "hash")),
    ("chain_head", "id", 2, ("seq", "hash")),
)
COLUMNS = [(table, key, row, name) for table, key, row, names in COVERED for name in names]
# Where the sentence names another table than the one that was changed: what hangs together.
NAMED = {
    "answer_event": "answer_event|answer",
    "answer": "answer|answer_event",
    "item_completion": "item",
    "consensus_row": "consensus_row|consensus_version",
    "chain_head": "answer_event|audit_event",
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which every covered column holds something."""
    site = make_site(tmp_path_factory.mktemp("store"), texts=TEXTS)
    queue, rater_id = site.store.queue, site.labeler.rater_id
    while (task := queue.next(site.project.id, rater_id)) is not None:
        marks = {card.letter: n for n, card in enumerate(task.cards, 1)}
        queue.submit(
            Submission(
                task.item_id,
                rater_id,
                marks,
                f"key {task.item_id}",
                note="a note",
                instructions=site.store.projects.instructions(site.project.id).id,
                timing={"active": 3.5, "changes": 2},
            )
        )
    site.store.agreed.make(site.project.id, "borda", rater_id)
    site.store.people.new_token(rater_id, "t", rater_id)
    site.store.close()
    with sqlite3.connect(site.store.url) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return Path(site.store.url)


def altered(value: object, where: str) -> object:
    """The value with one character, or its least part, changed."""
    if not isinstance(value, str):
        return (value or 0) + 1  # type: ignore[operator]
    place = {"first": 0, "middle": len(value) // 2, "last": max(0, len(value) - 1)}[where]
    new = "b" if value[place : place + 1] == "a" else "a"
    return value[:place] + new + value[place + 1 :]


def verified(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = cli.run(["runs", "verify", str(path)])
    return code, capsys.readouterr().err


@pytest.mark.parametrize("where", ["first", "middle", "last"])
def test_a_changed_byte_in_any_column_is_found_and_its_row_named(
    where: str, filled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    missed = {}
    for table, key, row, name in COLUMNS:
        copy = tmp_path / f"{table}-{row}-{name}.db"
        shutil.copy(filled, copy)
        with sqlite3.connect(copy) as file:
            [value] = file.execute(f"SELECT {name} FROM {table} WHERE {key} = {row}").fetchone()
            new = altered(value, where)
            # Another table may refer to it, and a key may be taken: neither stops who edits bytes.
            file.execute("PRAGMA ignore_check_constraints = ON")
            if isinstance(new, int) and name in ("seq", "id", "answer_id"):
                new += 1000
            file.execute(f"UPDATE {table} SET {name} = ? WHERE {key} = {row}", (new,))
        code, said = verified(copy, capsys)
        tables = NAMED.get(table, table)
        if code != 2 or not any(f"{each} row " in said for each in tables.split("|")):
            missed[table, name] = (code, said)
    assert missed == {}


def test_the_row_that_is_named_is_the_one_that_was_changed(
    filled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    for table in ("answer_event", "answer", "audit_event"):
        copy = tmp_path / f"{table}.db"
        shutil.copy(filled, copy)
        with sqlite3.connect(copy) as file:
            key = "id" if table == "answer" else "seq"
            file.execute(f"UPDATE {table} SET body = body || ' ' WHERE {key} = 2")
        assert f"{table} row 2 " in verified(copy, capsys)[1]


@pytest.mark.parametrize(
    ("words", "table"),
    [(b"1 green", "completion"), (b"a note", "answer"), (b"Prompt nu", "prompt")],
)
def test_a_byte_of_the_file_itself_that_is_no_text_is_found(
    words: bytes, table: str, filled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    copy = tmp_path / "s.db"
    content = filled.read_bytes()
    place = content.index(words)
    copy.write_bytes(content[:place] + b"\xff" + content[place + 1 :])
    code, said = verified(copy, capsys)
    assert code == 2
    assert re.search(rf"{table}(_event)? row \S+ holds bytes that are no text", said)


def test_a_file_that_is_torn_is_one_sentence(
    filled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    content = filled.read_bytes()
    for name, torn in {
        "half": content[: len(content) // 2],
        "zeros": content[:8192] + b"\0" * (len(content) - 8192),
        "noise": b"no database" * 100,
    }.items():
        copy = tmp_path / f"{name}.db"
        copy.write_bytes(torn)
        code, said = verified(copy, capsys)
        assert code == 2
        assert said.startswith("humanalign: ")
        assert "Traceback" not in said


def test_the_command_says_how_much_it_checked_and_its_exit_code_tells_a_script(
    filled: Path, tmp_path: Path
):
    copy = tmp_path / "s.db"
    shutil.copy(filled, copy)
    command = [sys.executable, "-m", "humanalign", "runs", "verify", str(copy), "--json"]
    clean = subprocess.run(command, capture_output=True, text=True, check=False)
    assert clean.returncode == 0
    said = json.loads(clean.stdout)
    assert said["answers"] == len(TEXTS)
    assert said["audited"] > 2
    with sqlite3.connect(copy) as file:
        file.execute("UPDATE answer SET seconds = seconds + 1 WHERE id = 1")
    broken = subprocess.run(command, capture_output=True, text=True, check=False)
    assert broken.returncode == 2
    assert "answer row 1 differs from what the log recorded" in broken.stderr
    assert broken.stdout == ""
