"""Marks by letter as bodies of answers, and what a browser says of the time it took."""

import math

import pytest

from humanalign.errors import DataError
from humanalign.prefer.claimed_times import LONGEST, clean_timing
from humanalign.prefer.marks import body_of, letters_of


@pytest.mark.parametrize(
    ("kind", "cards", "marks", "body"),
    [
        (
            "ranking",
            "abc",
            {"A": 2, "B": 1, "C": "F"},
            {"tiers": [["b"], ["a"]], "rejected": ["c"]},
        ),
        ("pairwise", "ab", {"A": 1, "B": 1}, {"tiers": [["a", "b"]], "rejected": []}),
        ("thumb", "a", {"A": "down"}, {"up": False}),
        ("rating", "ab", {"A": 3, "B": 1}, {"ratings": {"a": 3, "b": 1}}),
    ],
)
def test_marks_by_letter_become_the_body_and_come_back(kind, cards, marks, body):
    assert body_of(kind, marks, list(cards)) == body
    assert letters_of(kind, body, list(cards)) == marks


@pytest.mark.parametrize(
    ("kind", "marks"),
    [
        ("thumb", {"A": "maybe"}),
        ("thumb", {}),
        ("thumb", {"A": "up", "B": "up"}),
        ("rating", {"A": 4}),
        ("rating", {"A": 0}),
        ("rating", {"A": True}),
        ("rating", {"A": "F"}),
        ("ranking", {"A": 0}),
        ("ranking", {"A": "up"}),
    ],
)
def test_a_mark_that_is_none_is_refused(kind, marks):
    with pytest.raises(DataError):
        body_of(kind, marks, ["a"])


def test_the_message_names_the_card_without_a_mark_and_the_one_that_is_not_there():
    with pytest.raises(DataError, match="card B has no mark"):
        body_of("rating", {"A": 1}, ["a", "b"])
    with pytest.raises(DataError, match="no card 'C'"):
        body_of("rating", {"A": 1, "B": 1, "C": 1}, ["a", "b"])


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (
            {"active": 12.345, "dwell": {"A": 3.0}, "changes": 2},
            {"active": 12.35, "dwell": {"A": 3.0}, "changes": 2},
        ),
        ({"active": -5, "changes": -1}, {"active": 0.0, "changes": 0}),
        ({"active": 1e30}, {"active": LONGEST}),
        ({"active": math.nan, "changes": True, "dwell": {"Z": 1, "A": "x"}}, {"dwell": {}}),
        ({"active": "12", "dwell": [1], "more": 1}, {}),
    ],
)
def test_of_what_a_browser_says_of_time_only_numbers_that_can_be_are_kept(said, kept):
    assert clean_timing(said) == kept
