"""Power: against the published numbers of comparisons, scipy and counting."""

import numpy as np
import pytest
from scipy import stats

from humanalign.errors import DataError
from humanalign.evaluate.power import (
    chance,
    needed_comparisons,
    needed_prompts,
    smallest_difference,
)
from humanalign.evaluate.statistics import difference
from humanalign.types import EvalResult

# A standard error of .1: the interval is 2 * 1.95996 of it wide.
TENTH = EvalResult("score", 0.0, -0.195996, 0.195996, 400)


@pytest.mark.parametrize(("rate", "n"), [(0.65, 85), (0.6, 194), (0.55, 783), (0.45, 783)])
def test_comparisons_needed_are_the_known_ones(rate, n):
    assert needed_comparisons(rate) == n


def test_no_number_of_comparisons_tells_one_half_from_one_half():
    assert needed_comparisons(0.5) is None


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_win_rate_is_a_share(share):
    with pytest.raises(DataError, match="between 0 and 1"):
        needed_comparisons(share)


def test_the_smallest_difference_is_found_four_times_in_five():
    effect = smallest_difference(TENTH)
    assert effect == pytest.approx((1.959964 + 0.841621) * 0.1, abs=1e-5)
    # The far tail, of a significant difference in the wrong direction, adds next to nothing.
    assert chance(TENTH, effect) == pytest.approx(0.8, abs=1e-5)
    assert chance(TENTH, -effect) == pytest.approx(0.8, abs=1e-5)


def test_an_effect_of_nothing_is_found_as_often_as_the_level_says():
    assert chance(TENTH, 0.0) == pytest.approx(0.05)
    assert chance(TENTH, 0.0, looks=5) == pytest.approx(0.01)


def test_power_is_that_of_drawing_estimates():
    draws = np.random.default_rng(3).normal(0.25, 0.1, 200_000)
    assert chance(TENTH, 0.25) == pytest.approx((abs(draws) > 0.1959964).mean(), abs=0.004)


def test_many_measures_ask_for_a_larger_difference():
    bar = stats.norm.isf(0.05 / 20)
    assert smallest_difference(TENTH, looks=10) == pytest.approx((bar + 0.841621) * 0.1, abs=1e-5)


def test_half_the_effect_needs_four_times_the_prompts():
    effect = smallest_difference(TENTH)
    assert needed_prompts(TENTH, effect) in (400, 401)
    assert needed_prompts(TENTH, effect / 2) in (1600, 1601)
    with pytest.raises(DataError, match="difference of 0"):
        needed_prompts(TENTH, 0)


def test_pairing_is_in_the_power():
    rng = np.random.default_rng(0)
    before = rng.normal(0, 1, 300)
    alike = difference("score", before, before + rng.normal(0, 0.1, 300))
    apart = difference("score", before, rng.normal(0, 1, 300))
    assert smallest_difference(alike) < smallest_difference(apart) / 10


def test_where_nothing_varies_any_effect_is_found():
    same = EvalResult("score", 0.0, 0.0, 0.0, 40)
    assert smallest_difference(same) == 0
    assert (chance(same, 0.1), chance(same, 0)) == (1, 0)
