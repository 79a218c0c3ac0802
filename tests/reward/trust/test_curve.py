"""The learning curve: a planted power law is continued, and silence where points cannot say."""

import numpy as np
import pytest

from humanalign.reward.trust.curve import learning_curve, power_law


def points(sizes, accuracies, half=0.02):
    return [
        {
            "share": size / max(sizes),
            "pairs": size,
            "accuracy": {"value": a, "ci_low": a - half, "ci_high": a + half, "n": 200},
        }
        for size, a in zip(sizes, accuracies, strict=True)
    ]


SIZES = [125, 250, 500, 1000]
PLANTED = [1 - (0.2 + 2.0 * n**-0.5) for n in SIZES]
AT_2000 = 1 - (0.2 + 2.0 * 2000**-0.5)


def test_a_planted_power_law_is_continued():
    found = learning_curve(points(SIZES, PLANTED))
    assert found["twice"]["value"] == pytest.approx(AT_2000, abs=0.003)
    assert found["twice"]["ci_low"] < AT_2000 < found["twice"]["ci_high"]
    assert "2,000" in found["sentence"]
    assert found["points"][0]["pairs"] == 125


def test_the_interval_covers_the_truth_when_points_are_noisy():
    rng, covered = np.random.default_rng(0), 0
    for seed in range(60):
        noise = 0.01 * (rng.normal() + rng.normal(size=4)) / 2**0.5
        found = learning_curve(points(SIZES, np.array(PLANTED) + noise, half=0.0196), seed=seed)
        covered += found["twice"]["ci_low"] <= AT_2000 <= found["twice"]["ci_high"]
    assert covered >= 54


def test_a_flat_curve_promises_nothing():
    found = learning_curve(points(SIZES, [0.7, 0.7, 0.7, 0.7]))
    assert found["twice"]["value"] == pytest.approx(0.7)


def test_a_falling_curve_is_read_as_a_flat_one():
    found = learning_curve(points(SIZES, [0.72, 0.71, 0.70, 0.69]))
    assert found["twice"]["value"] == pytest.approx(0.705)


@pytest.mark.parametrize(
    ("sizes", "accuracies", "half", "reason"),
    [
        ([500, 1000], [0.6, 0.7], 0.01, "too little"),
        ([800, 900, 1000], [0.6, 0.65, 0.7], 0.01, "too little"),
        (SIZES, [0.5, 0.6, 0.65, 0.7], 0.25, "too uncertain"),
    ],
)
def test_points_that_cannot_say_are_not_continued(sizes, accuracies, half, reason):
    found = learning_curve(points(sizes, accuracies, half))
    assert found["twice"] is None
    assert reason in found["sentence"]


def test_no_points_give_no_curve():
    assert learning_curve([]) is None


def test_errors_below_0_are_never_promised():
    """A straight fall that would cross 0: the curve goes through the origin of the errors."""
    found = power_law(np.array([1.0, 2.0]), np.array([[1.0, 0.1]]), np.ones(2), np.array([1e9]))
    assert found[0, 0] >= 0
