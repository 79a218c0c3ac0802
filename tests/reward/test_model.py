"""The learned reward over every family of backbone: pooling, padding, saving, standardising."""

import json

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer, T5EncoderModel

from humanalign.errors import ConfigError, DataError
from humanalign.reward.backbone import Pooling, pool
from humanalign.reward.labels.model import start_classifier
from humanalign.reward.model import LearnedReward

PROMPTS = ["w1 w2 w3", "you are", "", "w8 w9 w1 w2 w3 w4"]
TEXTS = ["good", "rude w5 w6 w7 !", "w1 w1", "fine w2"]
FAMILIES = {"encoder": "mean", "t5": "mean", "causal": "last"}
CLOSE = 1e-5


def with_random_head(path: str, pooling: Pooling) -> LearnedReward:
    reward = LearnedReward.start(path, pooling=pooling)
    torch.manual_seed(5)
    torch.nn.init.normal_(reward.head.linear.weight)
    return reward


@pytest.fixture(params=FAMILIES)
def reward(request) -> LearnedReward:
    return with_random_head(request.getfixturevalue(request.param), FAMILIES[request.param])


def test_pooling_reads_real_tokens_only():
    hidden = torch.tensor([[[1.0], [3.0], [100.0]], [[2.0], [4.0], [9.0]]])
    mask = torch.tensor([[True, True, False], [True, True, True]])
    assert pool(hidden, mask, "mean").tolist() == [[2.0], [5.0]]
    assert pool(hidden, mask, "cls").tolist() == [[1.0], [2.0]]
    assert pool(hidden, mask, "last").tolist() == [[3.0], [9.0]]


@pytest.mark.parametrize(
    ("family", "loader"), [("encoder", AutoModel), ("t5", T5EncoderModel), ("causal", AutoModel)]
)
def test_a_score_is_the_head_over_what_transformers_computes(request, family, loader):
    path = request.getfixturevalue(family)
    reward = with_random_head(path, FAMILIES[family])
    model, words = loader.from_pretrained(path).eval(), AutoTokenizer.from_pretrained(path)
    inputs = words(PROMPTS[0], TEXTS[0], return_tensors="pt")
    with torch.no_grad():
        hidden = model(**inputs).last_hidden_state[0]
    vector = hidden[-1] if family == "causal" else hidden.mean(0)
    expected = vector @ reward.head.linear.weight[0]
    assert reward.score(PROMPTS[:1], TEXTS[:1]) == pytest.approx([expected.item()], abs=CLOSE)


def test_padding_changes_nothing(reward):
    alone = [reward.score([p], [t])[0] for p, t in zip(PROMPTS, TEXTS, strict=True)]
    assert reward.score(PROMPTS, TEXTS) == pytest.approx(alone, abs=CLOSE)


def test_the_prompt_and_the_response_are_both_read(reward):
    scores = reward.score(["good", "w1", "w1"], ["w1", "good", "w2"])
    gaps = torch.pdist(torch.tensor(scores)[:, None])
    assert gaps.min() > 100 * CLOSE


def test_what_is_saved_is_what_is_loaded(reward, tmp_path):
    reward.standardise(PROMPTS, TEXTS)
    reward.save(tmp_path / "model")
    again = LearnedReward.load(tmp_path / "model")
    assert again.score(PROMPTS, TEXTS) == pytest.approx(reward.score(PROMPTS, TEXTS), abs=CLOSE)
    assert not list((tmp_path / "model").glob("*.bin"))


def test_the_saved_tokenizer_keeps_the_end_of_what_the_fit_read(encoder, tmp_path):
    LearnedReward.start(encoder, max_tokens=8).save(tmp_path / "model")
    words = AutoTokenizer.from_pretrained(tmp_path / "model")
    cut = words(" ".join(f"w{i}" for i in range(20)), truncation=True)["input_ids"]
    assert len(cut) == 8
    assert words.decode(cut, skip_special_tokens=True).endswith("w18 w19")


@pytest.mark.parametrize("kind", ["reward", "classifier"])
def test_a_fit_from_a_saved_one_may_read_as_much_as_the_backbone(encoder, tmp_path, kind):
    first, second = tmp_path / "first", tmp_path / "second"
    if kind == "reward":
        LearnedReward.start(encoder, max_tokens=8).save(first)
    else:
        start_classifier(encoder, ["a", "b"], max_tokens=8).save(first)
    LearnedReward.start(str(first), max_tokens=16).save(second)
    assert LearnedReward.start(str(second), max_tokens=32).reader.max_tokens == 32


def test_training_completions_score_mean_0_and_standard_deviation_1(reward):
    reward.standardise(PROMPTS, TEXTS)
    scores = torch.tensor(reward.score(PROMPTS, TEXTS), dtype=torch.float64)
    assert scores.mean().item() == pytest.approx(0, abs=CLOSE)
    assert scores.std(correction=0).item() == pytest.approx(1, abs=CLOSE)


def test_a_reward_with_nothing_to_say_cannot_be_standardised(encoder):
    reward = LearnedReward.start(encoder)
    torch.nn.init.zeros_(reward.head.linear.weight)
    with pytest.raises(DataError, match="all 4 training completions score 0"):
        reward.standardise(PROMPTS, TEXTS)


def test_features_under_the_head_are_the_raw_score(reward):
    expected = reward.head(reward.features(PROMPTS, TEXTS)[:, None])[:, 0].tolist()
    assert reward.raw_scores(PROMPTS, TEXTS) == pytest.approx(expected, abs=CLOSE)


def test_standardising_keeps_the_raw_scores_and_may_be_done_again(reward):
    raw = reward.raw_scores(PROMPTS, TEXTS)
    for _ in range(2):
        reward.standardise(PROMPTS[:3], TEXTS[:3])
        assert reward.raw_scores(PROMPTS, TEXTS) == pytest.approx(raw, abs=CLOSE)
    mean, std = np.mean(raw[:3]), np.std(raw[:3])
    assert (reward.scale.mean, reward.scale.std) == pytest.approx((mean, std), abs=CLOSE)


def test_gradients_flow_through_raw_scores_whatever_the_scale(reward):
    rows = reward.reader.rows(PROMPTS, TEXTS)
    before = reward(rows).detach()
    reward.rescale(0.5, 4.0)
    after = reward(rows)
    torch.testing.assert_close(after, before, rtol=0, atol=CLOSE)
    after.sum().backward()
    # raw = mean + 4 head(...): each row passes 4 to the bias.
    assert reward.head.linear.bias.grad.item() == pytest.approx(16.0)


def test_more_tokens_than_the_backbone_reads_are_refused(encoder):
    with pytest.raises(ConfigError, match="reads at most 64 tokens, got 65"):
        LearnedReward.start(encoder, max_tokens=65)


def test_a_directory_that_is_no_reward_is_refused(encoder, tmp_path):
    with pytest.raises(DataError, match="no learned reward"):
        LearnedReward.load(encoder)
    LearnedReward.start(encoder).save(tmp_path)
    about = json.loads((tmp_path / "reward.json").read_text())
    (tmp_path / "reward.json").write_text(json.dumps(about | {"format": "other"}))
    with pytest.raises(DataError, match="got 'other'"):
        LearnedReward.load(tmp_path)
