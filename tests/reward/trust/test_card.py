"""The whole card: its parts, its warnings, the same for any order of the pairs."""

import json
import time
from collections import Counter

import numpy as np
import pytest

from humanalign.reward.model import LearnedReward
from humanalign.reward.trust.baselines import frozen_gaps
from humanalign.reward.trust.card import reward_card
from humanalign.reward.trust.shift import Familiar
from humanalign.types import PreferencePair
from reward.trust.planted import Table


def world(train: int, test: int, *, skill: float = 1.0, seed: int = 0):
    """(reward, train pairs, held-out pairs): `skill` is the weight of the truth in the scores."""
    rng = np.random.default_rng(seed)
    pairs, scores = [], {}
    for number in range(train + test):
        prompt = f"prompt {number} " + " ".join(f"t{t}" for t in rng.integers(0, 900, size=6))
        answers = [" ".join(f"a{a}" for a in rng.integers(0, 900, size=8)) for _ in "ab"]
        worth = rng.normal(size=2)
        for text, value in zip(answers, worth, strict=True):
            scores[prompt, text] = float(skill * value + rng.normal())
        better = int(worth[1] > worth[0])
        pairs.append(PreferencePair(prompt, answers[better], answers[1 - better], criterion="kind"))
    return Table(scores), pairs[:train], pairs[train:]


def said(card, word):
    return [line for line in card["warnings"] if word in line]


def test_a_good_reward_gets_every_part_and_no_warning():
    card = reward_card(*world(200, 400, skill=3.0))
    counts = {"train": 200, "test": 400, "train_prompts": 200, "test_prompts": 400, "ties": 0}
    assert card["pairs"] == counts
    assert card["accuracy"]["ci_low"] > 0.75
    assert set(card["by"]["criterion"]) == {"kind"}
    assert [each["name"] for each in card["baselines"]] == [
        "longer wins",
        "tf-idf + logistic regression",
    ]
    assert card["range"]["outside"]["value"] < 0.05
    assert (card["position"], card["labelers"], card["curve"]) == (None, None, None)
    assert [w for w in card["warnings"] if not w.startswith("Too unsure")] == []
    assert json.loads(json.dumps(card, allow_nan=False)) == card


def test_order_of_the_pairs_and_of_their_lists_changes_nothing():
    reward, train, test = world(40, 60)
    once = reward_card(reward, train, test, seed=3)
    assert reward_card(reward, train[::-1], test[::-1], seed=3) == once


def test_a_guessing_reward_is_warned_of_and_not_said_to_beat_anything():
    card = reward_card(*world(60, 60, skill=0.0))
    assert said(card, "cannot be told from guessing")
    assert said(card, "'longer wins'")
    assert not said(card, "confident")


def test_swapped_labels_are_guessed_at():
    reward, train, test = world(20, 100, skill=3.0)
    swapped = [PreferencePair(p.prompt, p.rejected, p.chosen) for p in test]
    card = reward_card(reward, train, swapped)
    assert said(card, "below chance")
    assert said(card, "It is worse than 'longer wins'")


def test_too_sure_scores_are_warned_of():
    reward, train, test = world(20, 400, skill=1.0)
    loud = Table({key: 10 * value for key, value in reward.scores.items()})
    assert said(reward_card(loud, train, test), "Over-confident")


def test_no_temperature_is_advised_from_few_prompts_or_where_nothing_was_wrong():
    for test in (8, 60):
        _, train, pairs = world(0, test)
        own = Table(
            {(p.prompt, t): float(t == p.chosen) for p in pairs for t in (p.chosen, p.rejected)}
        )
        card = reward_card(own, train, pairs)
        assert not said(card, "raw scores by")
        ece = card["calibration"]["ece"]
        # All right at a confidence of sigmoid(1): Wilson's bound n / (n + z^2) is the nearest.
        sure = 1 / (1 + np.exp(-1.0))
        low = max(0.0, test / (test + 1.959964**2) - sure)
        assert (ece["ci_low"], ece["ci_high"]) == pytest.approx((low, 1 - sure), abs=1e-6)


def test_few_held_out_prompts_are_warned_of():
    assert said(reward_card(*world(20, 30)), "Only 30 held-out prompts")


def test_a_leaked_prompt_is_warned_of():
    reward, train, test = world(30, 60)
    twin = PreferencePair(test[0].prompt.upper(), "one answer", "another answer")
    reward.scores |= {(twin.prompt, "one answer"): 1.0, (twin.prompt, "another answer"): 0.0}
    card = reward_card(reward, [*train, twin], test)
    assert card["leaks"]["same_prompts"] == 1
    assert said(card, "Leak: 1 held-out prompts")


def votes(test, right: float, seed: int = 0) -> list[PreferencePair]:
    rng = np.random.default_rng(seed)
    return [
        PreferencePair(p.prompt, *sides, rater=name, first=bool(rng.random() < 0.5))
        for p in test
        for name in ("ann", "bob", "cid")
        for sides in [(p.chosen, p.rejected)[:: 1 if rng.random() < right else -1]]
    ]


def test_a_reward_that_has_seen_the_votes_is_found_out_and_one_that_knows_the_truth_is_not():
    """Labelers right in 60 % of votes agree with each other in 52 % and allow a reward 60 %."""
    reward, train, test = world(20, 400, skill=100.0)
    judged = votes(test, 0.6)
    honest = reward_card(reward, train, test, judged=judged)
    assert honest["labelers"]["reward"]["ci_low"] > honest["labelers"]["each_other"]["value"]
    assert not said(honest, "Leak")
    counted = Counter((vote.prompt, vote.chosen) for vote in judged)
    seen = Table({key: float(counted[key]) for key in reward.scores})
    assert said(reward_card(seen, train, test, judged=judged), "Leak: the reward agrees with")


def test_labelers_are_told_apart_and_the_order_they_saw_is_used():
    reward, train, test = world(20, 60)
    card = reward_card(reward, train, test, judged=votes(test, 0.8))
    assert set(card["by"]["labeler"]) == {"ann", "bob", "cid"}
    assert card["position"]["first_chosen"]["n"] == 60


def test_votes_on_training_prompts_are_left_out():
    reward, train, test = world(20, 30)
    card = reward_card(reward, train, test, judged=votes(train, 0.9))
    assert card["labelers"] is None


def test_a_single_held_out_prompt_still_gives_a_card():
    reward, train, test = world(20, 1)
    card = reward_card(reward, train, test)
    assert card["pairs"]["test"] == 1
    assert "accuracy" not in card


def test_a_learned_reward_says_how_much_of_the_test_is_unfamiliar(calm_encoder):
    reward = LearnedReward.start(calm_encoder)
    train = [PreferencePair(f"w{n} w1", f"w{n} good", f"w{n} rude") for n in range(2, 20)]
    test = [PreferencePair(f"w{n} w1", f"w{n} good", f"w{n} rude") for n in range(20, 39)]
    texts = [(p.prompt, t) for p in train for t in (p.chosen, p.rejected)]
    prompts, answers = [a for a, _ in texts], [b for _, b in texts]
    scores = reward.score(prompts, answers)
    features = reward.features(prompts, answers).numpy()
    reward.familiar = Familiar.of(features, scores)
    known = reward_card(reward, train, test, backbone=calm_encoder)
    assert [each["name"] for each in known["baselines"]][-1] == "frozen embedding + linear"
    reward.familiar = Familiar.of(features + 100.0, scores)
    strange = reward_card(reward, train, test)
    assert strange["unfamiliar"]["value"] == 1.0
    assert said(strange, "unlike anything")
    assert known["unfamiliar"]["value"] < strange["unfamiliar"]["value"]


def test_ties_are_left_out_and_counted():
    reward, train, test = world(20, 60)
    ties = [PreferencePair("tie", *sides, weight=0.5) for sides in ("ab", "ba")]
    reward.scores |= {("tie", "a"): 1.0, ("tie", "b"): 0.0}
    card = reward_card(reward, train, [*test, *ties])
    assert (card["pairs"]["test"], card["pairs"]["ties"]) == (60, 2)


def test_the_frozen_baseline_reads_the_mean_of_all_tokens(calm_encoder):
    """A native head of many architectures begins with a random layer: no fair opponent."""
    rng = np.random.default_rng(2)
    words = [[f"w{w}" for w in rng.integers(0, 40, size=5)] for _ in range(240)]
    pairs = [
        PreferencePair(f"w{n % 40} {n}", *sorted(map(" ".join, words[2 * n : 2 * n + 2])))
        for n in range(120)
    ]
    train, test = pairs[:60], pairs[60:]
    own = LearnedReward.start(calm_encoder)
    told = reward_card(own, train, test, backbone=calm_encoder)["baselines"][-1]["accuracy"]
    fair = LearnedReward.start(calm_encoder, pooling="mean")
    expected, random_head = ((frozen_gaps(train, test, s) > 0).mean() for s in (fair, own))
    assert told["value"] == expected != random_head


@pytest.mark.slow
def test_a_thousand_pairs_take_less_than_ten_seconds():
    reward, train, test = world(800, 1_000)
    begun = time.process_time()
    reward_card(reward, train, test, judged=votes(test[:300], 0.8))
    assert time.process_time() - begun < 10
