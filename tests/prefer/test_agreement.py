"""Agreement: published and hand-counted values, and what is undefined says why."""

from fractions import Fraction
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from humanalign.errors import DataError
from humanalign.prefer.statistics.agreement import (
    agreement,
    gwet_ac1,
    kendall_w,
    krippendorff_alpha,
    pair_agreement,
    tau_b,
)
from humanalign.types import Ranking
from prefer.ballots import pool

CLOSE = 1e-6
# Krippendorff 2011, "Computing Krippendorff's alpha-reliability", example C: 4 raters, 12 units.
TABLE = [
    (1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3),
    (None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None),
]
UNITS = [[value for value in unit if value is not None] for unit in zip(*TABLE, strict=True)]


@pytest.mark.parametrize(
    ("level", "expected"),
    [("nominal", 0.7434), ("ordinal", 0.8154), ("interval", 0.8491), ("ratio", 0.7974)],
)
def test_alpha_is_krippendorffs_of_his_own_table(level, expected):
    assert krippendorff_alpha(UNITS, level).value == pytest.approx(expected, abs=5e-5)


@given(st.lists(st.lists(st.integers(0, 3), max_size=4), max_size=6))
def test_interval_alpha_is_the_ratio_of_squared_differences_counted_one_by_one(units):
    paired = [unit for unit in units if len(unit) > 1]
    values = [value for unit in paired for value in unit]
    found = krippendorff_alpha(units, "interval")
    if len(set(values)) < 2:
        assert found.value is None
        assert found.reason
        return
    n = len(values)
    inside = sum(
        Fraction((a - b) ** 2, len(unit) - 1) for unit in paired for a, b in permutations(unit, 2)
    )
    among = sum((a - b) ** 2 for a, b in permutations(values, 2))
    assert found.value == pytest.approx(float(1 - inside / n / Fraction(among, n * (n - 1))))


def test_alpha_of_one_value_is_undefined_and_says_so():
    assert krippendorff_alpha([[1, 1], [1, 1]]).value is None
    assert krippendorff_alpha([[1, 1], [1, 1]]).reason == "every value is 1"
    assert krippendorff_alpha([[1], [2]]).reason == "no unit was judged by two raters"


def test_an_unknown_level_is_refused():
    with pytest.raises(DataError, match="level: expected nominal"):
        krippendorff_alpha([[1, 2]], "cardinal")


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [([1, 2, 2, 4], [1, 3, 2, 4], 0.912871), ([1, 1, 3, 4], [2, 1, 3, 3], 0.8)],
)
def test_tau_b_of_published_rankings(first, second, expected):
    assert tau_b(first, second).value == pytest.approx(expected, abs=CLOSE)


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=2, max_size=7))
def test_tau_b_is_scipys(rows):
    first, second = zip(*rows, strict=True)
    found = tau_b(first, second).value
    if found is None:
        assert len(set(first)) == 1 or len(set(second)) == 1
    else:
        assert found == pytest.approx(float(kendalltau(first, second).statistic))


@pytest.mark.parametrize(
    ("ranks", "expected"),
    [
        ([[1, 2, 3, 4], [1, 3, 2, 4], [2, 1, 3, 4]], 0.777778),
        ([[1, 2, 2, 4], [1, 3, 2, 4], [1, 1, 3, 4]], 0.869048),
        ([[1, 2, 3], [1, 2, 3]], 1.0),
        ([[1, 2, 3], [3, 2, 1]], 0.0),
    ],
)
def test_kendalls_w_of_published_rankings(ranks, expected):
    assert kendall_w(ranks).value == pytest.approx(expected, abs=CLOSE)


def test_undefined_rank_coefficients_say_why():
    assert tau_b([1, 1, 1], [1, 2, 3]).reason == "one ranking ties everything"
    assert kendall_w([[1, 1], [1, 1]]).reason == "every rater ties everything"
    assert kendall_w([[1, 2]]).reason == "needs 2 raters and 2 items, got 1 and 2"
    with pytest.raises(DataError, match=r"have \[2, 3\] items"):
        tau_b([1, 2], [1, 2, 3])


def test_ac1_of_two_raters_and_a_rare_flag():
    # 118 both no, 2 both yes, 5 apart: 95 % raw agreement on a rare flag.
    units = [["no", "no"]] * 118 + [["yes", "yes"]] * 2 + [["no", "yes"]] * 5
    agreed, share = Fraction(120, 125), Fraction(2 * 118 + 5, 250)
    chance = 2 * share * (1 - share)
    expected = float((agreed - chance) / (1 - chance))
    assert gwet_ac1(units).value == pytest.approx(expected, abs=1e-12)
    assert gwet_ac1([["no", "no"]]).reason == "every value is no"


def test_pair_agreement_counts_pairs_and_half_of_ties():
    rankings = [
        Ranking("p", "ann", (("a",), ("b",), ("c",))),
        Ranking("p", "bob", (("a",), ("c",), ("b",))),
        Ranking("q", "ann", (("a", "b"),)),
        Ranking("q", "bob", (("b",), ("a",))),
    ]
    # p: ab and ac alike, bc apart; q: a tie against an order. Each pair is seen from both sides.
    assert pair_agreement(rankings).value == pytest.approx((1 + 1 + 0 + 0.5) / 4)
    assert pair_agreement(rankings).n == 2
    assert pair_agreement(rankings[:2]) is None


def test_alpha_on_ranks_is_that_of_the_competition_ranks():
    given = {"ann": [1, 1, 1, 4], "bob": [1, 2, 3, 4], "cem": [2, 1, 2, 4]}
    rankings = []
    for rater, ranks in given.items():
        tiers = [tuple("abcd"[i] for i in range(4) if ranks[i] == r) for r in sorted(set(ranks))]
        rankings += [Ranking(c, rater, tuple(tiers)) for c in ("p", "q")]
    units = [list(each) for each in zip(*given.values(), strict=True)] * 2
    expected = krippendorff_alpha(units, "ordinal").value
    assert agreement(rankings).alpha_ranks.value == pytest.approx(expected, abs=1e-12)


def test_an_f_mark_stands_below_every_rank():
    rankings = [
        Ranking(c, r, tiers, rejected)
        for c in ("p", "q")
        for r, tiers, rejected in [
            ("ann", (("a",), ("b",)), ("c",)),
            ("bob", (("a",), ("b",), ("c",)), ()),
        ]
    ]
    assert pair_agreement(rankings).value == 1.0
    # c has one rank and one F, so the ranks speak of a and b alone.
    assert (agreement(rankings).alpha_ranks.value, agreement(rankings).alpha_ranks.n) == (1.0, 4)
    # c is flagged by one of two raters, a and b by none.
    chance = 2 * (1 / 6) * (5 / 6)
    expected = (2 / 3 - chance) / (1 - chance)
    assert agreement(rankings).rejection.value == pytest.approx(expected)


def test_the_agreement_of_a_pool_does_not_depend_on_the_order_of_rows():
    rankings, _ = pool(["good"] * 4, prompts=20, seed=1)
    assert agreement(rankings) == agreement(rankings[::-1])


def test_agreement_of_good_labelers_is_what_two_noisy_normal_scores_give():
    rankings, _ = pool(["good"] * 6, prompts=400, seed=2, noise=0.8)
    # Scores correlate by 1/(1 + 0.8^2), and concordance of normals is 1/2 + asin(r)/pi.
    expected = 0.5 + 0.6560 / 3.14159
    found = pair_agreement(rankings)
    assert found.ci_low < expected < found.ci_high
