"""Intervals: the value, the clusters, and whether 95 % of the intervals hold the truth."""

import numpy as np
import pytest
from scipy import stats

from humanalign.errors import DataError
from humanalign.intervals import mean_interval


def test_the_interval_is_as_wide_as_the_normal_one_on_many_independent_rows():
    rng = np.random.default_rng(3)
    values = rng.normal(2.0, 1.5, size=2000)
    result = mean_interval(values.tolist(), range(2000), metric="m")
    half = 1.96 * values.std() / 2000**0.5
    assert result.value == pytest.approx(values.mean())
    assert result.ci_high - result.value == pytest.approx(half, rel=0.05)
    assert result.value - result.ci_low == pytest.approx(half, rel=0.05)


def test_copies_of_a_row_in_its_cluster_do_not_narrow_the_interval():
    values = np.random.default_rng(4).normal(size=100).tolist()
    once = mean_interval(values, range(100), metric="m")
    copied = mean_interval(values * 5, list(range(100)) * 5, metric="m")
    assert (copied.ci_low, copied.ci_high) == pytest.approx((once.ci_low, once.ci_high))
    assert copied.n == once.n == 100


def test_clusters_of_different_sizes_weigh_by_their_rows():
    result = mean_interval([1.0, 1.0, 1.0, 0.0], ["a", "a", "a", "b"], metric="m")
    assert result.value == 0.75


def test_all_right_is_not_certainty():
    result = mean_interval([1.0] * 30, range(30), metric="m")
    expected = stats.binomtest(30, 30).proportion_ci(method="wilson")
    assert (result.ci_low, result.ci_high) == pytest.approx((expected.low, expected.high))


def test_the_same_seed_gives_the_same_interval():
    values = np.random.default_rng(5).random(50).tolist()
    assert mean_interval(values, range(50), metric="m", seed=7) == mean_interval(
        values, range(50), metric="m", seed=7
    )


def test_the_order_of_rows_is_no_matter_for_the_mean_and_the_number_of_prompts():
    result = mean_interval([3.0, 1.0, 2.0], ["x", "y", "x"], metric="m", higher_is_better=False)
    assert (result.value, result.n, result.higher_is_better) == (2.0, 2, False)


def test_very_many_clusters_of_few_kinds_have_the_normal_interval_too():
    rng = np.random.default_rng(8)
    values = rng.integers(0, 3, size=(4000, 2)) / 2
    clusters = np.repeat(np.arange(4000), 2).tolist()
    result = mean_interval(values.ravel().tolist(), clusters, metric="m")
    half = 1.96 * values.mean(1).std() / 4000**0.5
    assert result.ci_high - result.value == pytest.approx(half, rel=0.05)
    assert result.value - result.ci_low == pytest.approx(half, rel=0.05)


@pytest.mark.slow
def test_95_percent_of_the_intervals_hold_the_truth():
    rng = np.random.default_rng(6)
    held = 0
    for trial in range(500):
        means = np.repeat(rng.normal(size=60), 4)
        rows = means + rng.normal(size=240)
        clusters = np.repeat(np.arange(60), 4).tolist()
        result = mean_interval(rows.tolist(), clusters, metric="m", seed=trial, resamples=1000)
        held += result.ci_low <= 0.0 <= result.ci_high
    assert 0.93 <= held / 500 <= 0.97


@pytest.mark.parametrize(
    ("values", "clusters", "said"),
    [
        ([1.0, 2.0], ["a"], "2 values but 1 cluster names"),
        ([1.0, float("nan")], ["a", "b"], "not finite"),
        ([1.0, 2.0], ["a", "a"], "at least 2 different prompts, got 1"),
        ([], [], "at least 2 different prompts, got 0"),
    ],
)
def test_what_has_no_interval_is_refused_with_the_reason(values, clusters, said):
    with pytest.raises(DataError, match=said):
        mean_interval(values, clusters, metric="m")
