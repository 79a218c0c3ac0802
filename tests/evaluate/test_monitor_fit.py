"""The curve of over-optimisation, against curves that were planted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import curve_fit, minimize_scalar

from humanalign.errors import DataError
from humanalign.evaluate.monitor.fit import fit

KL = [0.0, 0.3, 1.0, 2.5, 4.0, 7.0, 12.0, 20.0, 33.0, 50.0]


def rl(kl, start, alpha, beta):
    d = np.sqrt(np.maximum(kl, 1e-300))
    return start + d * (alpha - beta * np.log(d))


def bon(kl, start, alpha, beta):
    d = np.sqrt(kl)
    return start + d * (alpha - beta * d)


@pytest.mark.parametrize(("form", "curve"), [("rl", rl), ("bon", bon)])
def test_a_planted_curve_is_found_again(form, curve):
    found = fit(KL, curve(np.array(KL), 0.3, 0.5, 0.21), form)
    numbers = (found.start.value, found.alpha.value, found.beta.value)
    assert numbers == pytest.approx((0.3, 0.5, 0.21), abs=1e-9)
    assert found.r2 == pytest.approx(1.0)
    assert found.gold(KL) == pytest.approx(curve(np.array(KL), 0.3, 0.5, 0.21))


@pytest.mark.parametrize(("form", "curve"), [("rl", rl), ("bon", bon)])
def test_the_peak_is_where_the_curve_is_highest(form, curve):
    found = fit(KL, curve(np.array(KL), 0.3, 0.5, 0.21), form)
    top = minimize_scalar(
        lambda kl: -curve(kl, 0.3, 0.5, 0.21), bounds=(0.01, 100), options={"xatol": 1e-9}
    )
    assert found.peak_kl is not None
    assert found.peak_kl.value == pytest.approx(top.x, rel=1e-4)


def test_the_least_squares_and_their_intervals_are_those_of_scipy():
    gold = rl(np.array(KL[1:]), 0.3, 0.5, 0.21) + np.random.default_rng(1).normal(0, 0.02, 9)
    found = fit(KL[1:], gold)
    best, covariance = curve_fit(rl, np.array(KL[1:]), gold, p0=(0, 1, 0.1))
    half = 2.4469118511 * np.sqrt(np.diag(covariance))  # Student's t, 6 degrees of freedom
    for each, value, wide in zip((found.start, found.alpha, found.beta), best, half, strict=True):
        assert each.value == pytest.approx(value, abs=1e-6)
        assert each.ci_high - each.value == pytest.approx(wide, rel=1e-4)


def test_the_intervals_hold_what_was_planted_as_often_as_they_promise():
    rng, hits, repeats = np.random.default_rng(2), 0, 400
    truth = rl(np.array(KL), 0.3, 0.5, 0.21)
    for _ in range(repeats):
        beta = fit(KL, truth + rng.normal(0, 0.03, len(KL))).beta
        hits += beta.ci_low <= 0.21 <= beta.ci_high
    assert 0.92 <= hits / repeats <= 0.98  # 95 % +- 2.2 % is what 400 repeats allow


def test_gold_that_only_rises_has_no_peak():
    assert fit(KL, [0.2 + 0.1 * kl for kl in KL], "bon").peak_kl is None


def test_gold_that_falls_from_the_first_look_has_no_sure_peak():
    gold = rl(np.array(KL), 1.0, 0.1, 0.3) + np.random.default_rng(2).normal(0, 0.3, len(KL))
    found = fit(KL, gold)
    assert found.alpha.ci_low < 0 < found.alpha.value  # it rises at first, or it does not
    assert found.peak_kl is None


def test_a_divergence_measured_below_0_counts_as_0():
    gold = rl(np.array(KL), 0.3, 0.5, 0.21)
    assert fit([-0.02, *KL[1:]], gold) == fit(KL, gold)


@pytest.mark.parametrize("kl", [KL[:4], [2.0] * 10])
def test_too_few_or_too_similar_points_are_an_error(kl):
    with pytest.raises(DataError, match="fit: "):
        fit(kl, [0.1 * i for i in range(len(kl))])
