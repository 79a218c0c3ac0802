"""The verbs about the store: files in, files out, and the check that nothing was altered."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from humanalign.cli import run
from humanalign.rows import read_rows, write_rows

ROWS = [
    {"prompt": f"Say {n}.", "completions": ["one", "two", "three"], "ranks": ranks, "rater": rater}
    for n in range(3)
    for rater, ranks in (("ann", ["1", "2", "2"]), ("bob", ["1", "2", "F"]))
]


@pytest.fixture
def store(tmp_path: Path, capsys) -> Path:
    file = write_rows(tmp_path / "said.jsonl", ROWS)
    place = tmp_path / "f.db"
    assert run(["pairs", f"judgements={file}", f"store={place}", "overlap=3", "--json"]) == 0
    taken = json.loads(capsys.readouterr().out)
    assert (taken["project"], taken["items"], taken["answers"]) == ("said", 3, 6)
    return place


def test_what_is_taken_in_is_given_out_as_it_was(store, tmp_path):
    out = tmp_path / "out.jsonl"
    words = [f"store={store}", "format=groups", f"out={out}"]
    assert run(["pairs", *words]) == 0
    found = {
        (row["prompt"], row["rater"]): dict(zip(row["completions"], row["ranks"], strict=True))
        for row in read_rows(out)
    }
    assert found == {
        (row["prompt"], row["rater"]): dict(zip(row["completions"], row["ranks"], strict=True))
        for row in ROWS
    }


def test_a_consensus_is_exported_where_it_is_named(store, tmp_path):
    out = tmp_path / "agreed.jsonl"
    words = ["pairs", f"store={store}", "format=groups", "consensus=borda", f"out={out}"]
    assert run(words) == 0
    assert {row["rater"] for row in read_rows(out)} == {"consensus"}


def test_the_parts_of_a_split_are_the_whole(store, tmp_path):
    sizes = []
    for part in ("split=train", "split=test", "rejected=lose"):
        out = tmp_path / "part.jsonl"
        assert run(["pairs", f"store={store}", "consensus=none", part, f"out={out}"]) == 0
        sizes.append(len(read_rows(out)) if out.stat().st_size else 0)
    # ann: 1 over 2 and 3, which tie; bob: 1 over 2, and F left out, or below both.
    assert sizes[0] + sizes[1] == 3 * (2 + 1)
    assert sizes[2] == 3 * (2 + 3)


def test_an_untouched_store_verifies_and_a_changed_one_does_not(store, capsys):
    assert run(["runs", "verify", str(store), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["answers"] == 6
    with sqlite3.connect(store) as file:
        file.execute("UPDATE answer SET body = replace(body, '[', ' [') WHERE id = 4")
    assert run(["runs", "verify", str(store)]) == 2
    assert "answer row 4 differs from what the log recorded" in capsys.readouterr().err


def test_an_altered_audit_log_is_found(store, capsys):
    with sqlite3.connect(store) as file:
        file.execute("UPDATE audit_event SET body = replace(body, 'import', 'export')")
    assert run(["runs", "verify", str(store)]) == 2
    assert "audit_event row" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["runs", "verify", "nowhere.db"], "feedback store nowhere.db does not exist"),
        (["runs", "verify"], "name what to work on: humanalign runs verify STORE"),
        (["pairs", "store=nowhere.db", "out=x.jsonl"], "nowhere.db does not exist"),
        (["pairs", "store=nowhere.db"], "out is required; give out=FILE.jsonl"),
        (["pairs", "out=x.jsonl", "format=argila"], "did you mean 'argilla'?"),
        (["label", "port=99999"], "port"),
    ],
)
def test_a_mistake_is_one_sentence(words, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(words) == 2
    error = capsys.readouterr().err.strip()
    assert sentence in error
    assert len(error.splitlines()) == 1
