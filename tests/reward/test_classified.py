"""What a classifier is worth: values by scipy and by hand, intervals that know the clusters."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from humanalign.errors import DataError
from humanalign.reward.labels.measures import (
    auroc,
    auroc_interval,
    counted_auroc,
    f1_interval,
    label_auroc,
    majority,
    measures,
)
from humanalign.types import LabelledText

EXACT = 1e-12


def text(words: str, label: str = "x", prompt: str = "") -> LabelledText:
    return LabelledText(words, {label: 1.0}, prompt=prompt)


class ByLength:
    def score(self, prompts, completions):
        del prompts
        return [float(len(c)) for c in completions]


@pytest.mark.parametrize("values", [5, 1000])
def test_auroc_is_the_statistic_of_mann_and_whitney(values):
    rng = np.random.default_rng(1)
    # Few values: many ties.
    scores, positive = rng.integers(0, values, 200).astype(float), rng.random(200) < 0.3
    wins = mannwhitneyu(scores[positive], scores[~positive]).statistic
    expected = wins / (positive.sum() * (~positive).sum())
    assert auroc(scores, positive) == pytest.approx(expected, abs=EXACT)


def test_a_text_counted_twice_is_as_good_as_two_texts():
    scores, positive = np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True])
    twice = auroc(np.repeat(scores, [1, 2, 3, 0]), np.repeat(positive, [1, 2, 3, 0]))
    (counted,) = counted_auroc(scores, positive, np.array([[1, 2, 3, 0]]))
    assert counted == pytest.approx(twice, abs=EXACT)


def test_the_interval_of_auroc_has_the_width_of_hanley_and_mcneil():
    """For normal scores one apart their closed form (1982) gives the standard error."""
    rng = np.random.default_rng(2)
    positive = np.arange(400) < 200
    scores = rng.normal(size=400) + positive
    found = auroc_interval(scores.tolist(), positive.tolist(), range(400))
    a = found.value
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    variance = (a * (1 - a) + 199 * (q1 - a * a) + 199 * (q2 - a * a)) / (200 * 200)
    assert found.ci_high - found.ci_low == pytest.approx(2 * 1.96 * variance**0.5, rel=0.15)


def test_repeats_of_a_text_do_not_narrow_the_interval():
    rng = np.random.default_rng(3)
    positive = np.arange(60) < 30
    scores = rng.normal(size=60) + positive
    once = auroc_interval(scores.tolist(), positive.tolist(), range(60))
    five = auroc_interval(
        np.tile(scores, 5).tolist(), np.tile(positive, 5).tolist(), list(range(60)) * 5
    )
    assert five.value == pytest.approx(once.value, abs=EXACT)
    assert five.ci_high - five.ci_low == pytest.approx(once.ci_high - once.ci_low, rel=0.1)


def test_a_perfect_order_of_few_texts_is_not_certain():
    found = auroc_interval([1.0, 2.0, 3.0, 4.0], [False, False, True, True], range(4))
    assert found.value == 1.0
    assert found.ci_low < 0.5


def test_a_side_without_texts_is_refused():
    with pytest.raises(DataError, match="got 2 and 0"):
        auroc_interval([1.0, 2.0], [True, True], range(2))


def test_macro_f1_is_the_mean_over_labels():
    truth, chosen = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 2, 2])
    # F1 of each: 2*2/(3+2), 2*1/(2+2), 2*1/(1+2)
    expected = (4 / 5 + 2 / 4 + 2 / 3) / 3
    found = f1_interval(truth, chosen, range(6))
    assert found.value == pytest.approx(expected, abs=EXACT)
    assert found.ci_low < found.value < found.ci_high


def test_a_perfect_f1_of_few_texts_is_as_uncertain_as_their_accuracy():
    """Wilson's interval of 4 of 4: (1 - z^2 / (4 + z^2), 1) = (0.510, 1)."""
    truth = np.array([0, 0, 1, 1])
    found = f1_interval(truth, truth, range(4))
    assert (found.value, found.ci_high) == (1.0, 1.0)
    assert found.ci_low == pytest.approx(4 / (4 + 1.959964**2), abs=1e-6)
    wrong = f1_interval(truth, 1 - truth, range(4))
    assert (wrong.value, wrong.ci_high) == (0.0, pytest.approx(1 - found.ci_low))


def test_a_text_without_a_majority_is_left_out_and_counted():
    rows = [text("a", "x"), text("b", "y"), LabelledText("c", {"x": 0.5, "y": 0.5})]
    logprobs = np.log([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]])
    found = measures(logprobs, ["x", "y"], rows)
    assert found["undecided"] == 1
    assert found["accuracy"]["n"] == 2
    assert found["confusion"] == {"x": {"x": 1, "y": 0}, "y": {"x": 0, "y": 1}}


def test_thirds_that_do_not_add_up_exactly_are_still_a_tie():
    assert majority(LabelledText("c", {"x": 0.1 + 0.2, "y": 0.3, "z": 0.4 - 0.1 + 1e-17})) is None


def test_a_label_that_no_text_has_gets_no_auroc():
    rows = [text("a", "x"), text("b", "y")]
    logprobs = np.log([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1]])
    assert measures(logprobs, ["x", "y", "z"], rows)["auroc"]["z"] is None


def test_any_reward_is_tested_on_the_rows_own_label():
    rows = [text("aaaa", "Toxic"), text("aa", "fine"), text("aaa", "fine"), text("a", "Toxic")]
    # "aaaa" is above both fine texts, "a" below both
    assert label_auroc(ByLength(), rows, "Toxic").value == 0.5
