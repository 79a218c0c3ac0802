"""A stored answer that was altered is found, and the first damaged row is named."""

import sqlite3

import pytest

from humanalign.errors import StoreError
from humanalign.types import Ranking
from prefer.ballots import filled


@pytest.fixture
def answered(tmp_path):
    """A store with five answers, and its file."""
    store, comparisons = filled(tmp_path / "s.db", 2, prompts=5)
    for each in comparisons:
        ids = each.completion_ids
        store.rank(Ranking(each.id, "ann", ((ids[0],), (ids[1],))), key=each.id)
    assert store.verify() == 5
    return store, tmp_path / "s.db"


DAMAGE = [
    (
        "UPDATE answer_event SET body = replace(body, 'ann', 'eve') WHERE seq = 3",
        "answer_event row 3 does not match its hash",
    ),
    (
        "UPDATE answer_event SET hash = upper(hash) WHERE seq = 2",
        "answer_event row 2 does not match its hash",
    ),
    (
        "UPDATE answer_event SET previous = '' WHERE seq = 4",
        "answer_event row 4 does not follow the event before it",
    ),
    ("DELETE FROM answer_event WHERE seq = 2", "answer_event row 2 is missing"),
    ("DELETE FROM answer_event WHERE seq = 5", "answer_event row 5 is missing"),
    (
        'UPDATE answer SET body = \'{"rejected":[],"tiers":[]}\' WHERE id = 4',
        "answer row 4 differs from what the log recorded",
    ),
    ("UPDATE answer SET seconds = 1 WHERE id = 1", "answer row 1 differs"),
    ("DELETE FROM answer WHERE id = 3", "answer_event row 3 is missing, or its answer is"),
    (
        "INSERT INTO answer SELECT 9, item_id, rater_id, 2, 'k', slot, body, entered, "
        "instructions, seconds, at, note, timing FROM answer WHERE id = 1",
        "answer row 9 has no event",
    ),
    ("UPDATE completion SET text = text || '!'", "completion row .* is not the text"),
    ("UPDATE item SET criterion = 'other' WHERE position = 2", "item row .* differs"),
]


@pytest.mark.parametrize(("statement", "message"), DAMAGE)
def test_damage_is_found_and_the_row_named(answered, statement, message):
    store, path = answered
    with sqlite3.connect(path) as file:
        assert file.execute(statement).rowcount > 0
    with pytest.raises(StoreError, match=message):
        store.verify()


def test_the_first_of_two_damaged_rows_is_named(answered):
    store, path = answered
    with sqlite3.connect(path) as file:
        file.execute("UPDATE answer_event SET body = body || ' ' WHERE seq IN (2, 4)")
    with pytest.raises(StoreError, match="answer_event row 2 "):
        store.verify()
