"""What may stand under the value head: the policy, a second adapter, a model, a learned reward."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_models
import torch
from small_policies import RESPONSES, save_llama
from torch import Tensor

from humanalign.align.learner import Learner
from humanalign.errors import ConfigError
from humanalign.models import Lora, Policy
from humanalign.reward.model import LearnedReward

from .learners import TEXTS, Watched, learner_of, rolled, same, seed_head, started
from .online_toys import settings

SCORES = [float(x) for x in (3, -1, 0, 2, 5, 1, -2, 4, 0, 1, 2, 3, -3, 2, 1, 0)]


def weights(learner: Learner) -> dict[str, Tensor]:
    return {n: p.detach().clone() for n, p in learner.trainer.parameters.items()}


def moved(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    """Who has learned: "policy", "value_head", "value_adapter" or "value_model"."""
    names = [n for n in before if not torch.equal(before[n], after[n])]
    return {n.split(".")[0] if n.startswith("value_") else "policy" for n in names}


def apart(folder: Path, model: str | None, **keys) -> Learner:
    """A learner with an adapter on its policy and this under its value head."""
    named = str(folder) if model == "model" else model
    policy = started(folder, "trained adapter")
    return learner_of(policy, value={"model": named} | keys.pop("value", {}), **keys)


@pytest.mark.parametrize(
    ("model", "own"),
    [
        (None, {"value_head"}),
        ("adapter", {"value_head", "value_adapter"}),
        ("model", {"value_head", "value_model"}),
    ],
)
def test_in_the_first_steps_only_the_value_learns(folder, model, own):
    named = str(folder) if model == "model" else model
    config = settings(value={"model": named, "warmup": 2}, lora={"rank": 2}, epochs=2)
    policy = started(folder, "trained adapter")
    learner = Learner(policy, settings=config, mix=[("w1", RESPONSES[0])])
    start = weights(learner)
    for _ in range(2):
        learner.learn(rolled(learner, SCORES))
    warm = weights(learner)
    assert moved(start, warm) == own
    learner.learn(rolled(learner, SCORES))
    assert moved(warm, weights(learner)) == own | {"policy"}


def gradient_of(learner: Learner, coef: float) -> dict[str, Tensor]:
    seed_head(learner)
    watched = Watched(learner)
    learner.learn(rolled(learner, SCORES))
    assert learner.config.value_coef == coef
    return watched.gradients[0]


@pytest.mark.parametrize("model", ["adapter", "model"])
def test_a_value_that_stands_apart_leaves_the_policy_its_own_gradient(folder, model):
    small, large = (gradient_of(apart(folder, model, value_coef=c), c) for c in (0.1, 10.0))
    names = {n for n in small if not n.startswith("value_")}
    for name in names:
        assert torch.equal(small[name], large[name])
    values = [n for n in small if n.startswith(("value_adapter", "value_model"))]
    assert max(float(small[n].abs().max()) for n in values) > 1e-4
    same({n: 100 * small[n] for n in values}, {n: large[n] for n in values}, atol=1e-4)


@pytest.mark.parametrize("model", [None, "adapter", "model"])
def test_recomputed_activations_give_the_value_the_same_gradient(folder, model):
    found = []
    for saving in (False, True):
        learner = apart(folder, model, gradient_checkpointing=saving)
        if model == "adapter":  # B = 0 would hide which adapter was used
            generator = torch.Generator().manual_seed(2)
            for name, p in learner.trainer.parameters.items():
                if name.startswith("value_adapter"):
                    p.data = 0.1 * torch.randn(p.shape, generator=generator)
        found.append(gradient_of(learner, 0.1))
    same(*found)


def reward_folder(path: Path, backbone: Path, **options) -> Path:
    """A learned reward as a fit would have left it: a head with an opinion, and its scale."""
    reward = LearnedReward.start(str(backbone), seed=3, device="cpu", **options)
    reward.rescale(0.7, 2.5)
    reward.save(path)
    return path


def test_a_value_model_of_its_own_starts_from_nothing_and_its_own_trunk(tmp_path):
    other = save_llama(tmp_path / "other", hidden_size=16)
    policy = started(save_llama(tmp_path / "llama"), "all weights")
    learner = learner_of(policy, value={"model": str(other)})
    values = rolled(learner, SCORES).batch.values
    assert torch.equal(values, torch.zeros_like(values))
    assert learner.trainer.parameters["value_head.linear.weight"].shape == (1, 16)


@pytest.mark.parametrize("inside", ["", "model"])
def test_a_value_model_that_was_a_reward_begins_with_what_that_expects(llama, tmp_path, inside):
    """At each token: the reward's own score, were the answer to end before it."""
    reward_folder(tmp_path / "run" / inside, llama)
    learner = learner_of(started(llama, "all weights"), value={"model": str(tmp_path / "run")})
    batch = rolled(learner, SCORES).batch
    reward = LearnedReward.load(tmp_path / "run" / inside, device="cpu")
    tokens = batch.tokens
    for row in range(4):
        asked = tokens.prompt_ids[row][tokens.prompt_mask[row]]
        said = tokens.response_ids[row][tokens.response_mask[row]]
        for t in range(len(said)):
            ids = torch.cat([asked, said[:t]])[None]
            with torch.no_grad():
                hidden = reward.backbone.model.base_model(input_ids=ids).last_hidden_state
                # The scale is in the weights, but for the mean: this head has no bias.
                raw = 2.5 * float(reward.head.linear(hidden[:, -1]))
            wanted = (raw - 0.7) / 2.5
            assert float(batch.values[row, t]) == pytest.approx(wanted, abs=1e-4)


def test_a_value_model_of_another_tokenizer_is_refused(llama, tmp_path):
    other = tiny_models.save_causal(tmp_path / "other")
    with pytest.raises(ConfigError, match=r"value\.model: .* have different tokenizers"):
        learner_of(Policy.load(llama), value={"model": str(other)})


def test_a_value_model_of_another_kind_is_refused(llama, small_t5):
    with pytest.raises(ConfigError, match=r"value\.model: .* are of different kinds"):
        learner_of(Policy.load(llama), value={"model": str(small_t5)})


def test_a_reward_that_reads_the_whole_answer_at_once_is_refused(llama, tmp_path):
    place = reward_folder(tmp_path / "r", llama, pooling="mean")
    with pytest.raises(ConfigError, match=r"pools by 'mean'.*pooling=last"):
        learner_of(Policy.load(llama), value={"model": str(place)})


def test_an_adapter_for_the_value_needs_one_on_the_policy(llama):
    with pytest.raises(ConfigError, match="adapter"):
        learner_of(Policy.load(llama), value={"model": "adapter"})


@pytest.mark.parametrize("method", ["rloo", "grpo"])
def test_a_method_without_a_value_refuses_the_settings_of_one(llama, method):
    for value in ({"model": str(llama)}, {"warmup": 1}):
        with pytest.raises(ConfigError, match=f"method={method} has no value function"):
            learner_of(Policy.load(llama), method, value=value)


def test_what_a_critic_learns_is_not_saved_as_the_policy(folder, tmp_path):
    learner = apart(folder, "adapter", lr=1e-2)
    learner.learn(rolled(learner, SCORES))
    learner.policy.save(tmp_path / "policy")
    again = Policy.load(tmp_path / "policy")
    tokens = again.encode(TEXTS, [*RESPONSES, "w1"])
    with torch.no_grad():
        assert torch.equal(again.logprobs(tokens), learner.policy.logprobs(tokens))
    assert again.trainable().keys() == Policy.load(folder, lora=Lora(rank=2)).trainable().keys()
    assert not any("critic" in n for n, _ in again.model.named_parameters())
