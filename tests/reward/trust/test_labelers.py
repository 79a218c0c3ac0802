"""The reward against labelers of known error, and the ceiling that they allow."""

import numpy as np
import pytest

from humanalign.reward.trust.labelers import ceiling, labeler_agreement, left_out
from humanalign.reward.trust.scored import scored
from humanalign.types import PreferencePair


def pool(right: dict[str, float], *, prompts: int = 800, seed: int = 0) -> list[PreferencePair]:
    """Each labeler prefers the truly better answer with a probability of their own."""
    rng = np.random.default_rng(seed)
    pairs = []
    for number in range(prompts):
        for name, chance in right.items():
            sides = ("better", "worse") if rng.random() < chance else ("worse", "better")
            pairs.append(PreferencePair(f"p{number}", *sides, rater=name))
    return pairs


def truth(pairs):
    return {
        (p.prompt, text): float(text == "better") for p in pairs for text in ("better", "worse")
    }


def test_agreement_is_what_the_planted_errors_give():
    pairs = pool({"ann": 0.8, "bob": 0.8, "cid": 0.8})
    found = labeler_agreement(scored(pairs, truth(pairs)))
    assert found["reward"]["ci_low"] <= 0.8 <= found["reward"]["ci_high"]
    # Two labelers agree where both are right or both are wrong.
    assert found["each_other"]["ci_low"] <= 0.8**2 + 0.2**2 <= found["each_other"]["ci_high"]
    assert found["ceiling"]["value"] == pytest.approx(0.8, abs=0.02)


def test_every_labeler_is_compared_with_the_others_on_the_same_pairs():
    pairs = pool({"ann": 0.9, "bob": 0.7, "cid": 0.6}, prompts=1_200)
    rows = {r["id"]: r for r in labeler_agreement(scored(pairs, truth(pairs)))["rows"]}
    for name, chance, others in (("ann", 0.9, (0.7, 0.6)), ("cid", 0.6, (0.9, 0.7))):
        expected = np.mean([chance * o + (1 - chance) * (1 - o) for o in others])
        assert rows[name]["reward"]["value"] == pytest.approx(chance, abs=0.04)
        assert rows[name]["others"]["value"] == pytest.approx(expected, abs=0.04)


def test_the_reward_is_compared_on_the_votes_that_a_second_labeler_gave_too():
    """Of 60 prompts only the last 20, the hard ones, are judged twice; there it is half right."""
    easy = [PreferencePair(f"p{n}", "better", "worse", rater="ann") for n in range(40)]
    hard = [
        PreferencePair(f"p{n}", *sides, rater=name)
        for n in range(40, 60)
        for sides in [("better", "worse")[:: 1 if n % 2 else -1]]
        for name in ("ann", "bob")
    ]
    pairs = [*easy, *hard]
    found = labeler_agreement(scored(pairs, truth(pairs)))
    assert (found["reward"]["value"], found["reward"]["n"]) == (0.5, 20)
    assert [row["reward"]["value"] for row in found["rows"]] == [0.5, 0.5]
    assert found["each_other"]["value"] == 1.0


def test_others_are_counted_on_the_same_two_answers_whichever_was_chosen():
    pairs = [
        PreferencePair("p", "a", "b", rater="ann"),
        PreferencePair("p", "b", "a", rater="bob"),
        PreferencePair("p", "a", "b", rater="cid"),
        PreferencePair("p", "a", "c", rater="ann"),
    ]
    assert left_out(pairs)[:3].tolist() == [0.5, 0.0, 0.5]
    assert np.isnan(left_out(pairs)[3])


@pytest.mark.parametrize("spread", [0.0, 0.2, 0.5])
def test_no_reward_passes_the_ceiling_when_pairs_differ_in_difficulty(spread):
    """A reward that always sides with the majority of infinitely many labelers."""
    lean = np.clip(np.random.default_rng(0).normal(0.2, spread, size=100_000), -0.5, 0.5)
    two_agree = ((0.5 + lean) ** 2 + (0.5 - lean) ** 2).mean()
    best = np.maximum(0.5 + lean, 0.5 - lean).mean()
    told = dict.fromkeys(("value", "ci_low", "ci_high"), float(two_agree)) | {"n": 10}
    assert best <= ceiling(told)["value"] + 1e-12
    if spread == 0.0:
        assert best == pytest.approx(ceiling(told)["value"])


def test_a_single_labeler_has_nobody_to_be_compared_with():
    pairs = pool({"ann": 0.9}, prompts=20)
    found = labeler_agreement(scored(pairs, truth(pairs)))
    assert (found["each_other"], found["ceiling"], found["rows"][0]["others"]) == (None, None, None)
    assert found["reward"]["n"] == found["rows"][0]["reward"]["n"] == 20
