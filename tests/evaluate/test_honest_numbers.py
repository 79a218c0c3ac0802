"""The simulations of bench/honest.py, made small: each asserts what the full one prints."""

import numpy as np
import pytest
from scipy.stats import binom

from bench import honest

KINDS = {kind.name: kind for kind in honest.kinds()}


@pytest.mark.parametrize("name", ["relative reduction, skewed", "perplexity, unequal lengths"])
def test_intervals_hold_the_truth_as_often_as_they_claim(name):
    held, defined = honest.covered(KINDS[name], 100, 120)
    # Of 120 at 95 %, fewer than 106 or more than 119 happen once in a thousand.
    assert defined == 120
    assert binom.ppf(0.001, 120, 0.95) <= held <= binom.ppf(0.999, 120, 0.95)


def test_the_win_rate_of_the_simulation_is_that_of_many_draws():
    before, after = KINDS["win rate with ties"].draw(np.random.default_rng(5), 200_000)
    wins = np.mean(after > before) + np.mean(after == before) / 2
    assert KINDS["win rate with ties"].truth == pytest.approx(wins, abs=0.004)


@pytest.mark.slow
def test_the_same_model_twice_is_hardly_ever_said_to_have_changed():
    """Fourteen independent measures of 40 prompts; 5 % of 40 is 2, and 8 has p < .001.

    Each p by itself would find something in half of the repeats.
    """
    rng = np.random.default_rng(0)
    shape = (40, 8)
    level = rng.beta(0.3, 1.0, size=(40, 1))
    pool = {f"measure {i}": level + rng.normal(size=shape) for i in range(12)}
    pool |= {name: rng.integers(5, 20, size=shape).astype(float) for name in ("length", "tokens")}
    pool["nats"] = pool["tokens"] * rng.gamma(4, 0.3, size=shape)
    shown = honest.null_findings(pool, 40)
    assert sum(bool(found) for found in shown) < 8


@pytest.mark.slow
def test_a_planted_effect_is_found_as_often_as_was_promised():
    promised, found = honest.promise_and_finds(0.3, looks=3, n=300, repeats=80)
    assert 0.2 < promised < 0.95
    assert binom.ppf(0.001, 80, promised - 0.05) <= found <= binom.ppf(0.999, 80, promised + 0.05)
