"""Accuracy, its interval, groups, the paired difference and the sign test."""

from math import comb

import numpy as np
import pytest

from humanalign.reward.trust.accuracy import accuracy, by_group, difference, sign_test
from humanalign.reward.trust.scored import folds_of, score_texts, scored
from humanalign.types import PreferencePair
from reward.trust.planted import Table, pairs_of_gaps


def test_equal_scores_count_one_half():
    found = accuracy(pairs_of_gaps([2.0, 1.0, 0.0, -1.0]))
    assert found["value"] == pytest.approx(2.5 / 4)
    assert found["n"] == 4


def test_a_tie_stored_both_ways_counts_neither_as_right_nor_as_wrong():
    tie = [PreferencePair("p", "a", "b", weight=0.5), PreferencePair("p", "b", "a", weight=0.5)]
    sure = PreferencePair("p", "a", "c")
    kept = scored([*tie, sure], {("p", "a"): 3.0, ("p", "b"): 2.0, ("p", "c"): 1.0})
    assert kept.pairs == (sure,)
    apart = [PreferencePair("p", "a", "b", rater="ann"), PreferencePair("p", "b", "a", rater="bob")]
    assert len(scored(apart, {("p", "a"): 1.0, ("p", "b"): 0.0})) == 2


def test_every_text_is_scored_once():
    reward = Table({("p", name): 0.0 for name in "abc"})
    pairs = [PreferencePair("p", *names) for names in ("ab", "ac", "bc", "ba")]
    assert set(score_texts(reward, pairs)) == set(reward.scores)
    assert reward.asked == 3


def test_the_interval_covers_the_truth_where_pairs_of_a_prompt_are_alike():
    """Three pairs a prompt, all right or all wrong together in half of the prompts."""
    rng, covered = np.random.default_rng(0), 0
    for _ in range(100):
        together = np.repeat(rng.random(50) < 0.65, 3)
        own = rng.random(150) < 0.65
        alike = np.repeat(rng.random(50) < 0.5, 3)
        gaps = np.where(np.where(alike, together, own), 1.0, -1.0)
        found = accuracy(pairs_of_gaps(gaps, [f"p{n // 3}" for n in range(150)]))
        covered += found["ci_low"] <= 0.65 <= found["ci_high"]
    # 95 % less or more three standard errors of 100 trials.
    assert 0.88 <= covered / 100 <= 1.0


def test_small_groups_are_gathered_and_said_to_be():
    right = np.array([1.0] * 6 + [0.0] * 4 + [1.0] * 3 + [0.0])
    names = ["big"] * 6 + ["small"] * 4 + ["tiny"] * 3 + [""]
    found = by_group(right, [f"p{n}" for n in range(14)], names)
    assert {name: value["value"] for name, value in found.items()} == {
        "big": 1.0,
        "2 groups under 5 pairs": pytest.approx(3 / 7),
    }


def test_a_difference_is_paired():
    """Right on the same pairs but one of ten: the interval knows it, two separate ones do not."""
    reward = np.tile([1.0, 0.0], 100)
    baseline = reward.copy()
    baseline[::20] = 0.0
    prompts = [f"p{n}" for n in range(200)]
    found = difference(reward, baseline, prompts)
    assert found["value"] == pytest.approx(10 / 200)
    # The standard error of a share of 1 in 20 over 200 is .0154.
    assert found["ci_high"] - found["ci_low"] == pytest.approx(2 * 1.96 * 0.0154, rel=0.15)


def test_the_sign_test_counts_prompts_not_pairs():
    """8 prompts won and 2 lost, one of them by many pairs, one prompt even."""
    right = [1.0] * 8 + [0.0] * 30 + [0.0] + [1.0, 0.0]
    prompts = [f"p{n}" for n in range(8)] + ["long"] * 30 + ["last"] + ["even"] * 2
    found = sign_test(np.array(right), prompts)
    tail = sum(comb(10, k) for k in (0, 1, 2)) / 2**10
    assert (found["wins"], found["losses"]) == (8, 2)
    assert found["p"] == pytest.approx(2 * tail)


def test_folds_keep_a_prompt_together_and_do_not_depend_on_the_order_of_rows():
    prompts = [f"p{n % 23}" for n in range(100)]
    fold = folds_of(prompts, 5)
    assert len({(p, f) for p, f in zip(prompts, fold.tolist(), strict=True)}) == 23
    assert folds_of(prompts[::-1], 5).tolist() == fold[::-1].tolist()
    assert np.bincount([int(folds_of([p], 1)[0]) for p in prompts]).tolist() == [100]
