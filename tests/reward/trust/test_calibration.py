"""Reliability, the calibration error without its bias, and the temperature."""

import numpy as np
import pytest
from scipy.special import expit

from humanalign.reward.trust.calibration import (
    bin_of,
    bins,
    calibration,
    calibration_error,
    cross_fitted,
    folded,
    temperature,
)
from humanalign.reward.trust.scored import folds_of
from reward.trust.planted import bradley_terry_gaps


def names(n: int) -> list[str]:
    return [f"p{i}" for i in range(n)]


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_the_temperature_of_a_planted_over_confidence_is_recovered(true):
    assert temperature(bradley_terry_gaps(20_000, sure=true)) == pytest.approx(true, rel=0.05)


def test_a_reward_that_only_guesses_is_told_to_say_nothing():
    assert temperature(np.tile([1.0, -1.0], 50)) > 50


def test_confidence_is_that_of_the_answer_the_reward_prefers():
    confidence, right = folded(np.array([2.0, -2.0, 0.0]))
    assert confidence == pytest.approx([1 / (1 + np.exp(-2)), 1 / (1 + np.exp(-2)), 0.5])
    assert right.tolist() == [1.0, 0.0, 0.5]


def test_bins_hold_equally_many_rows_and_never_split_equal_confidences():
    rng = np.random.default_rng(0)
    assert np.bincount(bin_of(rng.random(500))).tolist() == [50] * 10
    assert bin_of(np.full(500, 0.7)).tolist() == [0] * 500
    twos = bin_of(np.repeat([0.6, 0.9], 250))
    assert len(set(twos[:250].tolist())) == len(set(twos[250:].tolist())) == 1


def test_the_bins_give_confidence_and_accuracy_as_counted_by_hand():
    gaps = np.concatenate([np.full(30, 1.0), np.full(20, 3.0), np.full(10, -3.0)])
    low, high = bins(gaps, names(60))
    assert (low["confidence"], low["accuracy"]["value"], low["n"]) == (
        pytest.approx(expit(1.0)),
        1.0,
        30,
    )
    assert high["confidence"] == pytest.approx(expit(3.0))
    assert high["accuracy"]["value"] == pytest.approx(2 / 3)


def test_a_calibrated_reward_has_an_error_of_0_within_the_interval():
    """The usual binned error would be .04 here; at least 18 of 20 simulations must cover 0."""
    found = [
        calibration_error(bradley_terry_gaps(400, seed=seed), names(400), seed=seed)
        for seed in range(20)
    ]
    assert sum(each["ci_low"] == 0 for each in found) >= 18
    assert np.median([each["value"] for each in found]) < 0.03


def test_an_over_confident_reward_has_the_error_that_was_planted():
    gaps = bradley_terry_gaps(2_500, sure=3.0)
    size = np.abs(np.random.default_rng(9).normal(scale=1.5, size=400_000))
    planted = np.sqrt(((expit(3 * size) - expit(size)) ** 2).mean())
    found = calibration_error(gaps, names(2_500))
    assert 0 < found["ci_low"] <= planted <= found["ci_high"]
    assert found["value"] == pytest.approx(planted, abs=0.02)


def test_pairs_that_repeat_within_a_prompt_do_not_narrow_the_interval():
    gaps = bradley_terry_gaps(500, sure=2.0, seed=3)
    once = calibration_error(gaps, names(500))
    thrice = calibration_error(np.repeat(gaps, 3), np.repeat(names(500), 3).tolist())
    assert once["n"] == thrice["n"] == 500
    width, other = (each["ci_high"] - each["ci_low"] for each in (once, thrice))
    assert other == pytest.approx(width, rel=0.1)


def test_a_temperature_never_sees_the_prompts_that_it_scales():
    gaps, prompts = bradley_terry_gaps(200, sure=2.0), names(200)
    before = cross_fitted(gaps, prompts)
    own = folds_of(prompts, 5) == 0
    moved = np.where(own, -gaps, gaps)
    assert cross_fitted(moved, prompts)[own] == pytest.approx(before[own])
    assert cross_fitted(moved, prompts)[~own] != pytest.approx(before[~own])


def test_scaling_takes_the_error_away():
    found = calibration(bradley_terry_gaps(2_000, sure=3.0), names(2_000))
    assert found["temperature"] == pytest.approx(3.0, rel=0.15)
    assert found["ece"]["ci_low"] > 0.05
    assert found["ece_scaled"]["ci_low"] == 0
    assert found["ece_scaled"]["value"] < found["ece"]["value"] / 3
