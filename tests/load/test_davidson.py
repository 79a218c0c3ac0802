"""24,783 items with 80,383 votes, a real file: imported, paged and exported within the limits."""

from __future__ import annotations

import csv
import json
import time
from collections import Counter
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from humanalign.prefer.files.exports import export_file
from humanalign.prefer.files.reading import read_judgements
from humanalign.prefer.store import FeedbackStore
from humanalign.web.app import create_app
from humanalign.web.guard import SESSION

# FEEDBACK's T8, in seconds.
PAGE, DASHBOARD, EXPORT = 1.0, 3.0, 30.0
CLASSES = {"hate_speech": 1, "offensive_language": 2, "neither": 3}


def best(act, times: int = 3) -> float:
    """The shortest of a few tries: others share this machine."""
    spent = []
    for _ in range(times):
        begun = time.perf_counter()
        act()
        spent.append(time.perf_counter() - begun)
    return min(spent)


@pytest.mark.slow
def test_davidsons_votes_are_taken_in_shown_and_given_out_in_time(tmp_path: Path, shared: Path):
    file = shared / "data" / "davidson" / "labeled_data.csv"
    store = FeedbackStore(tmp_path / "s.db")
    project = store.projects.create("davidson", "rating", "toxicity")
    taken = store.take_in(project.id, read_judgements(file), overlap=0)
    with file.open(encoding="utf-8", newline="") as source:
        rows = list(csv.DictReader(source))
    votes = Counter({mark: sum(int(r[name]) for r in rows) for name, mark in CLASSES.items()})
    assert (taken.items, taken.answers) == (len(rows), votes.total())

    owner = store.people.create("owner", "owner")
    with TestClient(create_app(store, hosts=("*",))) as browser:
        browser.cookies.set(SESSION, store.people.open_session(owner.rater_id))
        home = f"/owner/{project.id}"
        overview = best(lambda: browser.get(home).raise_for_status())
        last = store.items.page(project.id, newest_first=True)[0]
        pages = {
            path: best(lambda path=path: browser.get(path).raise_for_status())
            for path in (
                f"{home}/items",
                f"{home}/items?after={last.position - 20}",
                f"{home}/items?show=unfinished",
                f"{home}/items/{last.id}",
                f"{home}/exports",
                "/owner",
            )
        }
    assert overview < DASHBOARD
    assert {path: spent for path, spent in pages.items() if spent > PAGE} == {}

    begun = time.perf_counter()
    out = export_file("rich", store.records(project.id, revisions=True), tmp_path / "out.jsonl")
    assert time.perf_counter() - begun < EXPORT
    given: Counter = Counter()
    with out.open(encoding="utf-8") as lines:
        for line in lines:
            given.update(map(int, json.loads(line)["marks"]))
    assert given == votes
