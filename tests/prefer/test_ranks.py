"""Marks on cards mean weak orders: competition and dense entry alike, F outside the ranks."""

import pytest

from humanalign.errors import DataError
from humanalign.prefer.ranks import competition_marks, parse_marks
from prefer.ballots import weak_orders

CARDS = ("A", "B", "C", "D")


def test_the_form_of_the_page_is_read():
    tiers, rejected = parse_marks({"C": 1, "A": 2, "D": 2, "B": "F"}, CARDS)
    assert tiers == (("C",), ("A", "D"))
    assert rejected == ("B",)


def test_dense_and_competition_entry_mean_the_same():
    dense = {"A": 1, "B": 2, "C": 2, "D": 3}
    competition = {"A": "1", "B": "2", "C": "2", "D": "4"}
    assert parse_marks(dense, CARDS) == parse_marks(competition, CARDS)


def test_marks_are_stored_as_competition_ranks():
    assert competition_marks((("C",), ("A", "D"), ("E",)), ("B",)) == {
        "C": 1,
        "A": 2,
        "D": 2,
        "E": 4,
        "B": "F",
    }


@pytest.mark.parametrize(("cards", "count"), [(1, 1), (2, 3), (3, 13), (4, 75)])
def test_every_weak_order_survives_the_form(cards, count):
    names = CARDS[:cards]
    orders = [tuple(tuple(names[c] for c in t) for t in tiers) for tiers in weak_orders(cards)]
    assert len(set(orders)) == count
    for tiers in orders:
        assert parse_marks(competition_marks(tiers, ()), names) == (tiers, ())


@pytest.mark.parametrize(
    ("marks", "message"),
    [
        ({"A": 1, "B": 2, "C": 3}, "card D has no mark"),
        ({"A": 1, "B": 2, "C": 3, "D": ""}, "card D has no mark"),
        ({"A": 1, "B": 2, "C": 3, "D": 5}, "card D: expected a rank from 1 to 4 or F, got 5"),
        ({"A": 1, "B": 2, "C": 3, "D": 0}, "card D: .*got 0"),
        ({"A": 1, "B": 2, "C": 3, "D": "x"}, "card D: .*got 'x'"),
        ({"A": 1, "B": 2, "C": 3, "D": True}, "card D: .*got True"),
        ({"A": 1, "B": 2, "C": 3, "D": 1.5}, "card D: .*got 1.5"),
        ({"A": 1, "B": 2, "C": 3, "D": 4, "E": 1}, "there is no card 'E'"),
    ],
)
def test_a_wrong_mark_names_its_card(marks, message):
    with pytest.raises(DataError, match=message):
        parse_marks(marks, CARDS)
