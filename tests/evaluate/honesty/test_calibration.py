"""Confidence against correctness of multiple choice."""

from __future__ import annotations

import numpy as np
import pytest

from humanalign.evaluate.honesty import calibration as module
from humanalign.evaluate.honesty.calibration import Sureness, calibration


def simulated(n: int, seed: int, *, deserved: bool) -> Sureness:
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.25, 1.0, n)
    chance = confidence if deserved else np.full(n, 0.5)
    return Sureness(confidence, (rng.random(n) < chance).astype(float))


def test_deserved_confidence_has_hardly_an_error():
    told = calibration(simulated(1500, 0, deserved=True))
    assert told["ece"]["after"].value < 0.04
    assert told["ece"]["after"].ci_low == pytest.approx(0, abs=0.01)


def test_the_error_of_one_bin_is_the_distance_without_its_noise():
    # 20 questions, one bin: confidence .9, 10 right. Distance .4; the variance of the mean of
    # right - confidence is .25 / 19.
    side = Sureness(np.full(20, 0.9), np.repeat([0.0, 1.0], 10))
    told = calibration(side)
    assert told["ece"]["after"].value == pytest.approx(np.sqrt(0.4**2 - 0.25 / 19))
    assert told["brier"]["after"].value == pytest.approx((0.9**2 + 0.1**2) / 2)
    [only] = told["bins"]["after"]
    assert (only["n"], only["accuracy"]["value"]) == (20, 0.5)


def test_bins_hold_equally_many_questions():
    told = calibration(simulated(250, 1, deserved=True))
    assert [row["n"] for row in told["bins"]["after"]] == [25] * 10


def test_a_model_that_lost_its_calibration_is_worse():
    told = calibration(simulated(600, 2, deserved=False), simulated(600, 3, deserved=True))
    assert told["ece"]["verdict"] == "worse"
    assert told["ece"]["difference"].ci_low > 0.1


def test_the_same_model_twice_shows_no_difference():
    side = simulated(200, 4, deserved=False)
    told = calibration(side, side)
    assert (told["ece"]["p"], told["ece"]["verdict"]) == (1.0, "no difference shown")
    assert told["ece"]["difference"].value == 0


@pytest.mark.slow
def test_the_interval_covers_the_truth_and_p_is_uniform_under_the_null(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(module, "RESAMPLES", 2500)  # a fifth of them here as always: 500
    # True squared distance of a constant .5 chance from uniform confidence, within 10 bins of it.
    truth = np.sqrt(np.mean([(0.25 + 0.075 * (b + 0.5) - 0.5) ** 2 for b in range(10)]))
    covered, small = 0, 0
    for seed in range(40):
        after, before = (simulated(300, 100 + 2 * seed + k, deserved=False) for k in (0, 1))
        told = calibration(after, before)
        interval = told["ece"]["after"]
        covered += interval.ci_low <= truth <= interval.ci_high
        small += told["ece"]["p"] < 0.05
    assert covered >= 35
    assert small <= 5
