"""Which items get more labelers: contested and complete ones, the most telling first."""

import numpy as np
import pytest
from scipy.stats import beta

from humanalign.prefer.statistics.overlap import bits, contested, further
from humanalign.prefer.statistics.ratings import Rated
from humanalign.types import Ranking

AB, BA, TIE = (("a",), ("b",)), (("b",), ("a",)), (("a", "b"),)


def asked(item, *orders, start=0):
    return [Ranking(item, f"r{n + start}", tiers) for n, tiers in enumerate(orders)]


SPLIT = asked("split", AB, AB, BA)
CLEAR = asked("clear", AB, AB, AB)
EQUAL = {f"r{n}": 1.0 for n in range(6)}


def test_a_pair_on_which_the_raters_split_is_contested_and_a_clear_one_is_not():
    [found] = contested(SPLIT + CLEAR, weights=EQUAL)
    assert (found.item, found.answers, found.pairs) == ("split", 3, (("a", "b"),))
    assert found.lean == pytest.approx(1 / 3)


def test_the_leading_completion_of_a_contested_pair_comes_first():
    [found] = contested(asked("split", BA, BA, AB), weights=EQUAL)
    assert found.pairs == (("b", "a"),)


def test_weights_decide_how_far_a_pair_leans():
    assert contested(SPLIT, weights=EQUAL | {"r2": 0.1}) == []


def test_where_no_rater_has_a_weight_all_count_alike():
    [found] = contested(SPLIT + CLEAR, weights=EQUAL | dict.fromkeys(("r0", "r1", "r2"), 0.0))
    assert (found.item, found.lean) == ("split", pytest.approx(1 / 3))


def test_one_rater_alone_contests_nothing():
    assert contested(asked("alone", TIE), weights=EQUAL) == []


def test_an_answer_that_most_mark_f_is_not_contested():
    rankings = [
        Ranking("p", "r0", (("a",),), ("b",)),
        Ranking("p", "r1", (("a",),), ("b",)),
        Ranking("p", "r2", (("b",), ("a",))),
    ]
    assert contested(rankings, weights=EQUAL) == []


def test_the_gain_of_a_vote_is_the_entropy_it_is_expected_to_take_away():
    def entropy(a, b):
        p = beta.sf(0.5, a, b)
        return -p * np.log2(p) - (1 - p) * np.log2(1 - p)

    # Two votes for, one against: Beta(3, 2), and the next vote is for with probability 3/5.
    expected = entropy(3, 2) - 0.6 * entropy(4, 2) - 0.4 * entropy(3, 3)
    assert bits(np.array([2.0]), np.array([1.0]))[0] == pytest.approx(expected)


def test_a_close_call_tells_more_than_a_settled_one():
    even, ahead = bits(np.array([2.0, 4.0]), np.array([2.0, 0.0]))
    assert even > ahead > 0


def test_items_go_to_more_labelers_when_complete_contested_and_not_yet_raised():
    rankings = SPLIT + CLEAR + asked("early", AB, BA) + asked("raised", AB, BA, AB)
    overlaps = {"split": 3, "clear": 3, "early": 3, "raised": 5}
    assert further(rankings, asked=overlaps) == ["split"]


def test_items_are_ordered_by_gain_whatever_the_order_of_the_answers():
    rankings = SPLIT + asked("even", AB, BA, TIE) + asked("also", AB, AB, BA)
    for given in (rankings, rankings[::-1]):
        order = [each.item for each in contested(given, weights=EQUAL)]
        assert order == ["even", "also", "split"]


def test_thumbs_that_split_are_contested_too():
    thumbs = [Rated("p", f"r{n}", {"a": up}) for n, up in enumerate((1, 0, 1))]
    agreed = [Rated("q", f"r{n}", {"b": 1}) for n in range(3)]
    [found] = contested(thumbs + agreed, weights=EQUAL)
    assert (found.item, found.pairs) == ("p", (("a", "1 or more"),))
