"""The statistics against scipy, hand values and simulation."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy import stats

from humanalign.errors import DataError
from humanalign.evaluate.paired import adjust, compare
from humanalign.evaluate.statistics import (
    Clusters,
    Undefined,
    by_prompt,
    difference,
    exchange_p,
    holm,
    mean,
    proportion,
    relative_reduction,
    sign_flip_p,
    wilson,
)
from humanalign.types import EvalResult

RNG = np.random.default_rng(7)
BEFORE = RNG.beta(1, 4, 200)
AFTER = np.clip(BEFORE * 0.6 + RNG.normal(0, 0.02, 200), 0, 1)


def scipy_interval(statistic, *columns):
    found = stats.bootstrap(
        columns, statistic, paired=True, method="BCa", n_resamples=10_000, rng=3, vectorized=True
    )
    return found.confidence_interval


def test_the_interval_of_a_mean_is_scipys_bca():
    result = mean("toxicity", BEFORE)
    expected = scipy_interval(np.mean, BEFORE)
    assert result.value == pytest.approx(BEFORE.sum() / 200)
    assert (result.ci_low, result.ci_high) == pytest.approx(tuple(expected), abs=1e-3)
    assert result.n == 200


def test_the_interval_of_a_paired_difference_is_scipys_bca():
    result = difference("toxicity", BEFORE, AFTER)
    expected = scipy_interval(np.mean, AFTER - BEFORE)
    assert (result.ci_low, result.ci_high) == pytest.approx(tuple(expected), abs=5e-4)


def test_the_interval_of_a_relative_reduction_is_scipys_bca():
    result = relative_reduction("toxicity", BEFORE, AFTER)
    expected = scipy_interval(
        lambda b, a, axis=-1: 1 - a.mean(axis=axis) / b.mean(axis=axis), BEFORE, AFTER
    )
    assert isinstance(result, EvalResult)
    assert result.value == pytest.approx(1 - AFTER.mean() / BEFORE.mean())
    assert (result.ci_low, result.ci_high) == pytest.approx(tuple(expected), abs=2e-3)


def test_few_skewed_scores_get_scipys_corrections_for_bias_and_skew():
    scores = np.random.default_rng(5).lognormal(0, 1.5, 20)
    # Eight seeds together and ten times the draws over there take the noise out of the ends.
    low = np.mean([mean("score", scores, seed=seed).ci_low for seed in range(8)])
    found = stats.bootstrap((scores,), np.mean, method="BCa", n_resamples=100_000, rng=1)
    assert low == pytest.approx(found.confidence_interval.low, abs=0.025)


def test_intervals_of_clustered_scores_cover_the_truth_as_often_as_they_claim():
    """40 prompts, 4 answers that share their prompt's level; ignoring the prompts covers ~75 %."""
    rng = np.random.default_rng(11)
    covered = 0
    for repeat in range(200):
        level = rng.normal(2.0, 1.0, size=(40, 1))
        result = mean("score", level + rng.normal(0, 0.5, size=(40, 4)), seed=repeat)
        covered += result.ci_low <= 2.0 <= result.ci_high
    # 95 % of 200 is 190; three standard deviations below is 181.
    assert 181 <= covered <= 199


def test_flat_scores_with_labels_equal_the_same_scores_in_rows():
    rows = RNG.random((12, 3))
    flat = mean("score", rows.ravel(), clusters=np.repeat(np.arange(12), 3))
    assert flat == mean("score", rows)


def test_prompts_of_unequal_size_weigh_by_their_answers():
    data = by_prompt("score", [1, 2, 3, 10], ["a", "b", "a", "b"])
    assert data.sums.tolist() == [4, 12]
    assert mean("score", [0, 0, 0, 1], clusters=["a", "a", "a", "b"]).value == 0.25


def test_the_same_seed_gives_the_same_interval():
    assert mean("score", BEFORE, seed=5) == mean("score", BEFORE, seed=5)


def test_unbounded_scores_that_all_moved_the_same_have_no_width_to_claim_by():
    result = difference("score", [1.0, 2.0, 3.0], [1.5, 2.5, 3.5])
    assert (result.value, result.ci_low, result.ci_high) == (0.5, 0.5, 0.5)


def test_a_reduction_of_nothing_is_undefined_with_its_reason():
    result = relative_reduction("toxicity", [0, 0, 0], [0, 0.1, 0])
    assert isinstance(result, Undefined)
    assert "mean before is 0" in result.reason
    assert result.as_dict()["value"] is None


def test_a_reduction_from_one_toxic_prompt_is_undefined_not_infinite():
    before, after = [0.0] * 9 + [1.0], [0.1] * 10
    result = relative_reduction("toxicity", before, after)
    assert isinstance(result, Undefined)
    assert "too few prompts" in result.reason


def test_a_reduction_of_logits_is_undefined():
    assert isinstance(relative_reduction("reward", [-1.0, 2.0], [1.0, 3.0]), Undefined)


def test_the_sign_flip_test_counts_all_flips_of_a_few_prompts():
    """Differences 1, 2, 3: of 8 sign patterns only +++ and --- reach 6."""
    assert sign_flip_p([0, 0, 0], [1, 2, 3]) == 2 / 8
    assert sign_flip_p([0, 0, 0], [1, 2, -3]) == 1.0


def test_rounding_does_not_break_a_tie_of_the_sign_flip_test():
    whole = np.array([1, -1, 3, -3, 2])
    assert sign_flip_p(np.zeros(5), whole / 10) == sign_flip_p(np.zeros(5), whole)


def test_p_is_never_zero():
    assert sign_flip_p(np.zeros(500), np.ones(500)) == 1 / 10_001


def test_the_sign_flip_test_agrees_with_scipy_on_many_prompts():
    before = RNG.normal(0, 1, 60)
    after = before + RNG.normal(0.25, 1, 60)
    expected = stats.permutation_test(
        (after - before,), np.mean, permutation_type="samples", n_resamples=20_000, rng=1
    ).pvalue
    assert sign_flip_p(before, after) == pytest.approx(expected, abs=0.012)


def test_a_null_experiment_is_called_a_finding_one_time_in_twenty():
    rng = np.random.default_rng(2)
    shown = 0
    for repeat in range(200):
        before = rng.normal(0, 1, 40)
        shown += compare("score", before, before + rng.normal(0, 1, 40), seed=repeat).shown
    # 5 % of 200 is 10; three standard deviations above is 19.
    assert shown <= 19


def test_the_exchange_test_of_a_ratio_counts_all_exchanges():
    """Every prompt's sums and counts change sides or not: 2^6 ratios of sums, one by one."""
    rng = np.random.default_rng(3)
    first, second = (
        Clusters(rng.gamma(2, 1, 6), rng.integers(1, 9, 6).astype(float)) for _ in range(2)
    )

    def apart(swap):
        a, n = np.where(swap, second.sums, first.sums), np.where(swap, second.counts, first.counts)
        b, m = np.where(swap, first.sums, second.sums), np.where(swap, first.counts, second.counts)
        return abs(a.sum() / n.sum() - b.sum() / m.sum())

    all_swaps = [apart(np.array(swap)) for swap in product([False, True], repeat=6)]
    expected = np.mean(np.array(all_swaps) >= all_swaps[0] - 1e-12)
    assert exchange_p(first, second) == pytest.approx(expected)


def test_scores_that_are_all_nothing_do_not_claim_certainty():
    """Wilson's upper end for none of 60: 1.96^2 / (60 + 1.96^2)."""
    result = mean("toxicity", np.zeros((60, 2)))
    assert (result.value, result.ci_low) == (0.0, 0.0)
    assert result.ci_high == pytest.approx(3.8415 / 63.8415, abs=1e-4)


def test_a_reduction_to_nothing_does_not_claim_certainty():
    """Wilson's upper end of the mean after, by the lower end of the mean before."""
    before = np.tile([0.1, 0.4], 30)
    result = relative_reduction("toxicity", before, np.zeros(60))
    assert isinstance(result, EvalResult)
    low = scipy_interval(np.mean, before).low
    assert (result.value, result.ci_high) == (1.0, 1.0)
    assert result.ci_low == pytest.approx(1 - 3.8415 / 63.8415 / low, abs=5e-3)


def test_a_reduction_of_one_prompt_alone_knows_little_of_the_others():
    """Of 50, (3.8415 - .1) / 53.8415 may move by 1, where the mean before was .3."""
    before = np.full(50, 0.3)
    result = relative_reduction("toxicity", before, before - 0.1 * (np.arange(50) == 7))
    reach = 3.7415 / 53.8415 / 0.3
    assert isinstance(result, EvalResult)
    assert (result.ci_low, result.ci_high) == pytest.approx(
        (0.1 / 15 - reach, 0.1 / 15 + reach), abs=1e-4
    )


@pytest.mark.parametrize(("jitter", "reach"), [(1e-3, 3.7415 / 103.8415), (0.05, 0.0)])
def test_a_trifle_does_not_show_that_nothing_larger_happens(jitter, reach):
    """Of 100 prompts that moved by .001, .1 whole changes were seen; by .05, more than z^2."""
    before = np.full(100, 0.5)
    result = difference("share", before, before - jitter * np.tile([0.5, 1.5], 50))
    assert result.value == pytest.approx(-jitter)
    if reach:
        assert result.ci_low == pytest.approx(-jitter - reach, abs=1e-6)
    else:
        assert result.ci_low > -1.2 * jitter


@pytest.mark.parametrize(("n", "reach"), [(6, 0.390), (500, 0.00763)])
def test_shares_that_did_not_change_anywhere_may_still_change_elsewhere(n, reach):
    """Wilson's upper end for none of n: 3.8415 / (n + 3.8415)."""
    same = np.linspace(0, 1, n)
    result = difference("share", same, same)
    assert (result.ci_low, result.value, result.ci_high) == pytest.approx(
        (-reach, 0.0, reach), rel=2e-3
    )


def test_holm_by_hand():
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx(
        {"a": 0.03, "b": 0.06, "c": 0.06}
    )
    assert holm({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0}
    assert holm({}) == {}


@pytest.mark.parametrize(("k", "n"), [(0, 20), (1, 20), (13, 20), (20, 20), (300, 500)])
def test_wilson_is_scipys(k, n):
    result = wilson("share", k, n)
    expected = stats.binomtest(k, n).proportion_ci(method="wilson")
    assert (result.ci_low, result.ci_high) == pytest.approx((expected.low, expected.high))
    assert result.ci_low <= result.value <= result.ci_high


def test_a_share_of_none_still_has_an_upper_bound():
    assert proportion("share", np.zeros((50, 4), bool)).ci_high == pytest.approx(0.0713, abs=1e-4)


def test_a_share_of_several_answers_a_prompt_counts_prompts():
    hits = np.repeat([[True], [False]] * 20, 5, axis=1)
    result = proportion("share", hits)
    # 40 prompts with identical answers inside: as wide as 40 coin flips, not 200.
    assert result.n == 40
    assert result.ci_high - result.ci_low == pytest.approx(2 * 1.96 * (0.25 / 40) ** 0.5, abs=0.03)


def test_a_share_counts_every_answer_of_a_prompt():
    assert proportion("share", [[True, False], [False, False], [True, True]]).value == 3 / 6


def test_an_interval_needs_two_prompts():
    with pytest.raises(DataError, match="at least 2 prompts, got 1"):
        mean("score", [[1.0, 2.0]])


def test_a_score_that_is_not_a_number_is_named():
    with pytest.raises(DataError, match="score 2 is nan"):
        mean("score", [0.0, 1.0, float("nan")])


def test_pairing_needs_the_same_prompts():
    with pytest.raises(DataError, match="3 prompts before and 2 after"):
        difference("score", [1, 2, 3], [1, 2])


def test_improved_is_not_said_where_the_interval_covers_zero():
    before = np.array([0.0, 1.0] * 20)
    paired = compare("score", before, before[::-1] + 0.05)
    assert paired.difference.ci_low < 0 < paired.difference.ci_high
    assert paired.verdict == "no difference shown"


def test_a_small_p_alone_is_not_a_finding():
    wide = EvalResult("score", 0.2, -0.1, 0.5, 40)
    paired = compare("score", BEFORE, AFTER)
    assert replace(paired, difference=wide, p_holm=0.001).verdict == "no difference shown"


def test_improved_follows_the_good_direction():
    assert compare("toxicity", BEFORE, AFTER, better="lower").verdict == "improved"
    assert compare("toxicity", AFTER, BEFORE, better="lower").verdict == "worse"
    assert compare("score", AFTER, BEFORE, better="higher").verdict == "improved"
    assert compare("length", AFTER, BEFORE, better="neither").verdict == "changed"


def test_looking_at_many_metrics_raises_the_bar():
    rng = np.random.default_rng(4)
    before = rng.normal(0, 1, 60)
    lucky = compare("lucky", before, before + rng.normal(0, 1, 60) * 0.5 + 0.16)
    assert 0.005 < lucky.p < 0.05
    assert lucky.shown
    others = {f"m{i}": compare(f"m{i}", before, before[::-1]) for i in range(9)}
    assert not adjust({"lucky": lucky, **others})["lucky"].shown


@pytest.mark.parametrize("n", [3, 40])
def test_a_change_of_all_prompts_alike_is_not_certain(n):
    """Each share is sure to Wilson's end; two such ends make the root of both squared."""
    found = difference("share", np.ones(n), np.zeros(n))
    end = 1 - wilson("share", n, n).ci_low
    assert (found.ci_low, found.ci_high) == pytest.approx((-1, -1 + end * 2**0.5))
