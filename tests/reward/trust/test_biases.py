"""Length and position: planted habits are found, their absence is not called one."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from humanalign.reward.trust.length import length_bias, within_prompt
from humanalign.reward.trust.position import position_bias
from humanalign.reward.trust.scored import scored
from humanalign.types import PreferencePair


def lengths(n: int, *, pull: float, seed: int = 0):
    """Labels that ignore length, and a reward that adds `pull` for every ten characters."""
    rng = np.random.default_rng(seed)
    pairs, scores = [], {}
    for number in range(n):
        answers = [f"{number}{side}".ljust(int(rng.integers(10, 60)), "x") for side in "ab"]
        worth = rng.normal(size=2)
        for text, value in zip(answers, worth, strict=True):
            scores[f"p{number}", text] = float(value + pull * len(text) / 10)
        better = int(worth[1] > worth[0])
        pairs.append(PreferencePair(f"p{number}", answers[better], answers[1 - better]))
    return scored(pairs, scores), scores


def test_a_reward_that_pays_for_length_is_found_out():
    held, scores = lengths(300, pull=3.0)
    found = length_bias(held, scores)
    assert found["longer_chosen"]["ci_low"] < 0.5 < found["longer_chosen"]["ci_high"]
    assert found["longer_scored"]["ci_low"] > 0.9
    assert found["correlation"] > 0.8
    assert found["when_longer_wins"]["ci_low"] > found["when_shorter_wins"]["ci_high"]


def test_a_reward_that_ignores_length_is_cleared():
    held, scores = lengths(300, pull=0.0)
    found = length_bias(held, scores)
    assert found["longer_scored"]["ci_low"] < 0.5 < found["longer_scored"]["ci_high"]
    assert abs(found["correlation"]) < 0.15
    assert found["when_longer_wins"]["value"] == found["when_shorter_wins"]["value"] == 1.0


def test_the_correlation_is_spearmans_averaged_over_prompts():
    sizes, values = [3, 9, 5, 7, 5], [0.1, 0.9, 0.3, 0.2, 0.8]
    texts = [chr(97 + n) * size for n, size in enumerate(sizes)]
    scores = {("p", text): value for text, value in zip(texts, values, strict=True)}
    pairs = [PreferencePair("p", texts[0], text) for text in texts[1:]]
    scores |= {("q", "short"): 1.0, ("q", "longer"): 0.0, ("r", "even"): 1.0, ("r", "same"): 0.0}
    pairs += [PreferencePair("q", "short", "longer"), PreferencePair("r", "even", "same")]
    rho = spearmanr(sizes, values).statistic
    assert within_prompt(scored(pairs, scores), scores) == pytest.approx((rho - 1) / 2)


def test_answers_of_one_length_say_nothing_about_length():
    pairs = [PreferencePair(f"p{n}", "four", "five") for n in range(5)]
    scores = {(p.prompt, text): 0.0 for p in pairs for text in ("four", "five")}
    assert length_bias(scored(pairs, scores), scores) is None


def seen(n: int, first_share: float) -> tuple[list[PreferencePair], dict]:
    pairs = [PreferencePair(f"p{k}", "a", "b", first=k < n * first_share) for k in range(n)]
    scores = {(f"p{k}", text): float(text == "ab"[k % 4 == 0]) for k in range(n) for text in "ab"}
    return pairs, scores


def test_labelers_who_take_the_first_answer_are_found_out():
    pairs, scores = seen(200, 0.8)
    found = position_bias(scored(pairs, scores))
    assert found["first_chosen"]["value"] == pytest.approx(0.8)
    assert found["first_chosen"]["ci_low"] > 0.7
    assert found["when_first_wins"]["value"] == found["when_second_wins"]["value"] == 0.75
    assert (found["when_first_wins"]["n"], found["when_second_wins"]["n"]) == (160, 40)


def test_an_unknown_order_of_display_gives_no_figure():
    assert (
        position_bias(scored([PreferencePair("p", "a", "b")], {("p", "a"): 1, ("p", "b"): 0}))
        is None
    )
