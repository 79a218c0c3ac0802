"""Fifty labelers, killed servers, two tabs, four processes: against a real server process.

The times that the specification sets are printed by `python -m bench.labelling`: a machine that
runs other tests at the same time says nothing about them. What is right or wrong is tested here.
"""

import asyncio
import json

import pytest
from sqlalchemy import text

from humanalign.prefer.ranks import competition_marks
from humanalign.prefer.store import FeedbackStore

from .crowd import make_crowd
from .labeler import Api, Habits
from .server import Server
from .trials import two_tabs, work_through, work_under_kills

pytestmark = pytest.mark.slow
ITEMS, OVERLAP = 40, 3


@pytest.mark.parametrize("workers", [1, 4])
def test_fifty_labelers_give_each_item_its_three_answers_as_they_sent_them(tmp_path, workers):
    crowd = make_crowd(tmp_path / "s.db", items=ITEMS, labelers=50, overlap=OVERLAP)
    trial = work_through(crowd, tmp_path, Habits(), workers=workers)
    assert trial.fault(ITEMS, OVERLAP) == ""
    assert len(trial.log.acknowledged) == ITEMS * OVERLAP


def test_fifty_labelers_on_postgresql_with_four_processes(tmp_path, postgres):
    url = postgres.url_of(f"{tmp_path}/load")
    crowd = make_crowd(url, items=ITEMS, labelers=50, overlap=OVERLAP)
    trial = work_through(crowd, tmp_path, Habits(), workers=4)
    assert trial.fault(ITEMS, OVERLAP) == ""


def test_programs_at_the_api_give_each_item_its_three_answers(tmp_path):
    crowd = make_crowd(tmp_path / "s.db", items=ITEMS, labelers=20, overlap=OVERLAP)
    trial = work_through(crowd, tmp_path, Habits(), door=Api(crowd))
    assert trial.fault(ITEMS, OVERLAP) == ""


def test_a_killed_server_has_every_answer_that_it_acknowledged(tmp_path):
    crowd = make_crowd(tmp_path / "s.db", items=100, labelers=20, overlap=OVERLAP)
    trial = work_under_kills(crowd, tmp_path, Habits(patience=120), kills=5)
    assert len(trial.restarts) == 5
    assert trial.fault(100, OVERLAP) == ""


def test_of_two_tabs_one_wins_each_round_and_the_history_keeps_every_version(tmp_path):
    crowd = make_crowd(tmp_path / "s.db", items=2, labelers=1)
    with Server(crowd.url, tmp_path, workers=2) as server:
        tabs = asyncio.run(two_tabs(crowd, server.port, rounds=20))
    assert {tuple(sorted(each)) for each in tabs.statuses} == {(303, 409)}
    assert all(
        "Stored answer" in page and "Answer from this page" in page for page in tabs.conflicts
    )
    assert history(crowd.url)[1:] == tabs.won


def test_four_processes_may_start_at_once_on_a_store_that_is_not_there(tmp_path):
    with Server(str(tmp_path / "new.db"), tmp_path, workers=4) as server:
        assert len(server.processes()) >= 4
        assert server.errors() == []


def history(url: str) -> list[dict]:
    """{text: mark} of every stored version, the oldest first."""
    store = FeedbackStore(url)
    store.verify()
    with store._engine.connect() as connection:
        words = {
            row[0]: row[1] for row in connection.execute(text("SELECT id, text FROM completion"))
        }
        rows = connection.execute(text("SELECT body FROM answer ORDER BY revision")).scalars()
        bodies = [json.loads(row) for row in rows]
    return [
        {words[each]: mark for each, mark in competition_marks(**body).items()} for body in bodies
    ]
