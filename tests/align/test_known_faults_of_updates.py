"""Faults that other implementations shipped, from the twenty-first on: updates, metrics, rewards.

The table of all is in test_known_faults.py.
"""

from __future__ import annotations

import ast
import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from small_policies import VOCABULARY

from humanalign.align.learner import Learner
from humanalign.align.online import online
from humanalign.align.selfcheck import check_sign
from humanalign.errors import RunError

from . import plain_ppo
from .learners import STARTS, TEXTS, learner_of, rolled, seed_head, shake, started, twin
from .online_toys import PROMPTS, Length, settings

TESTS = Path(__file__).resolve().parents[1]


def steps(learner: Learner, count: int) -> list[dict[str, float]]:
    """Batches through the step API; the reward is the number of words."""
    made = []
    for _ in range(count):
        said = learner.generate(TEXTS * 3)
        made.append(learner.step(TEXTS * 3, said, Length().score([], said)))
    return made


@pytest.mark.parametrize("start", STARTS)
def test_a_saved_learner_goes_on_to_the_last_bit(folder, start, tmp_path):
    # Fault: value head, optimizer, scale of the reward or KL controller were not in the checkpoint.
    keys = {"ema": 0.9, "standardise": "running", "schedule": "cosine", "steps": 4, "epochs": 2}
    keys |= {"kl": {"target": 0.01, "horizon": 100}, "lr": 1e-3, "max_grad_norm": 1.0}
    whole = learner_of(started(folder, start), **keys)
    steps(whole, 2)
    whole.save(tmp_path)
    again = learner_of(started(folder, start), **keys)
    again.load(tmp_path)
    assert steps(again, 2) == steps(whole, 2)
    for name, p in whole.trainer.parameters.items():
        assert torch.equal(again.trainer.parameters[name], p)
    assert whole.average is not None
    assert again.average is not None
    for name, averaged in whole.average.tensors.items():
        assert torch.equal(again.average.tensors[name], averaged)
        assert not torch.equal(averaged, whole.trainer.parameters[name])


@pytest.mark.parametrize("start", STARTS)
def test_sampler_and_trainer_give_the_same_logprobs(folder, start):
    # Fault: the sampler ran in another precision, and its log-probabilities went into the ratio.
    learner = learner_of(started(folder, start), temperature=0.7)
    seed_head(learner)
    rolled(learner)
    assert learner.state.reuse is True
    shake(learner.policy)
    learner.state.step = 1
    reused = rolled(learner)
    learner.state.reuse = None  # measured anew by the trainer
    measured = rolled(learner)
    torch.testing.assert_close(reused.entropy, measured.entropy, rtol=1e-4, atol=1e-4)
    for name in ("logprobs", "ref_logprobs", "values"):
        given, wanted = getattr(reused.batch, name), getattr(measured.batch, name)
        torch.testing.assert_close(given, wanted, rtol=1e-4, atol=1e-4)


def test_the_divergence_is_summed_over_tokens_and_then_averaged(folder):
    # Fault: a mean per token changed the meaning of a target by the length of answers.
    learner = learner_of(started(folder, "all weights"), kl={"estimator": "k2"})
    shake(learner.policy)
    learner.state.step = 1
    rollout = rolled(learner)
    metrics, b = rollout.metrics(), rollout.batch
    rows = zip(b.logprobs.double(), b.ref_logprobs.double(), b.mask, strict=True)
    gaps = [(own - ref)[m].numpy() for own, ref, m in rows]
    assert metrics["kl_k1"] == pytest.approx(np.mean([g.sum() for g in gaps]), rel=1e-5)
    k3 = [(np.exp(-g) - 1 + g).sum() for g in gaps]
    assert metrics["kl"] == pytest.approx(np.mean(k3), rel=1e-5)
    k2 = [(g**2 / 2).sum() for g in gaps]
    assert metrics["kl_penalty"] == pytest.approx(np.mean(k2), rel=1e-5)
    assert len({len(g) for g in gaps}) > 1


def test_a_refused_update_leaves_weights_and_optimizer_alone(llama):
    # Fault: a loss that was "skipped" by a factor of 0 still moved the weights by Adam's momentum.
    once = learner_of(started(llama, "all weights"), lr=1e-2, policy_kl=1e-6)
    stopped = learner_of(started(llama, "all weights"), lr=1e-2, policy_kl=1e-6, epochs=4)
    for learner in (once, stopped):
        assert learner.learn(rolled(learner))["updates"] == 1.0
    for name, p in once.trainer.parameters.items():
        assert torch.equal(stopped.trainer.parameters[name], p)
    adam = stopped.trainer.optimizer.state.values()
    assert {int(state["step"]) for state in adam} == {1}


def test_the_reward_reads_text_and_never_ids_of_the_policy(folder):
    # Fault: the policy's ids went into a scorer with another vocabulary.
    seen: list[tuple[str, str]] = []

    class Watch(Length):
        def score(self, prompts, completions):
            seen.extend(zip(prompts, completions, strict=True))
            return super().score(prompts, completions)

    online(started(folder, "all weights"), PROMPTS, Watch(), settings(steps=1))
    assert {prompt for prompt, _ in seen} == set(TEXTS)
    words = set(VOCABULARY) - {"</s>", "<pad>"}
    assert all(set(answer.split()) <= words for _, answer in seen)
    assert any(answer for _, answer in seen)


def test_metrics_are_means_over_real_tokens(folder):
    # Fault: padding was counted, and every mean was drawn towards 0.
    keys = {"entropy_coef": 0.5, "value_coef": 0.25, "micro_batch": 3, "whiten": False}
    learner = learner_of(started(folder, "all weights"), temperature=0.7, **keys)
    seed_head(learner)
    sampler, head = twin(learner.policy), copy.deepcopy(learner.critic.head.linear.state_dict())
    rollout = rolled(learner)
    tokens, c = rollout.batch.tokens, learner.config
    told = (rollout.batch.scores.double().numpy(), 0.05, c)
    known = plain_ppo.experience(sampler, head, sampler, tokens, told)
    with torch.no_grad():
        read = [plain_ppo.read(sampler, tokens, i, 0.7) for i in range(16)]
    metrics = learner.learn(rollout)
    entropy = float(torch.cat([r.entropy for r in read]).mean())
    advantages = np.concatenate([row.advantages for row in known])
    values = np.concatenate([row.values.numpy() for row in known])
    returns = np.concatenate([row.returns for row in known])
    policy_loss, value_loss = -advantages.mean(), ((values - returns) ** 2).mean() / 2
    wanted = {
        "entropy": entropy,
        "policy_loss": policy_loss,
        "value_loss": value_loss,
        "loss": policy_loss + 0.25 * value_loss - 0.5 * entropy,
        "explained_variance": 1 - (returns - values).var() / returns.var(),
        "length": len(values) / 16,
        "score": told[0].mean(),
        "reward_std": rollout.raw.numpy().std(ddof=1),
        "clip_fraction": 0.0,
    }
    assert {n: metrics[n] for n in wanted} == pytest.approx(wanted, rel=1e-4, abs=1e-5)
    assert len(values) < rollout.batch.mask.numel()  # there was padding to count by mistake


def test_a_reward_of_the_wrong_sign_is_refused():
    # Fault: a whole night's run made the most of badness.
    class Turned(Length):
        def score(self, prompts, completions):
            return [-s for s in super().score(prompts, completions)]

    known = {"prompt": "w1", "good": "w2 w3 w4", "bad": "w5"}
    check_sign(Length(), settings(reward_check=known))
    with pytest.raises(RunError, match="its sign or its label is wrong"):
        check_sign(Turned(), settings(reward_check=known))


@pytest.mark.parametrize("method", ["ppo", "rloo", "grpo"])
def test_what_is_rewarded_becomes_likelier(folder, method):
    # Fault: the same, inside the loop: a sign that is lost between reward and loss.
    learner = learner_of(started(folder, "trained adapter"), method, lr=1e-3, eos_penalty=0.0)
    tokens = rolled(learner).batch.tokens
    rewards = torch.tensor([1.0, -1.0, 1.0, -1.0] * 4)
    with torch.no_grad():
        before = learner.policy.logprobs(tokens).sum(1)
    learner.learn(rolled(learner, rewards.tolist()))
    with torch.no_grad():
        gained = learner.policy.logprobs(tokens).sum(1) - before
    assert float((gained * rewards).mean()) > 1e-3


def tolerances(file: Path) -> list[float]:
    """Every number that a test may be wrong by."""
    return [
        float(word.value.value)
        for call in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(call, ast.Call)
        for word in call.keywords
        if word.arg in ("atol", "rtol", "abs", "rel")
        and isinstance(word.value, ast.Constant)
        and isinstance(word.value.value, int | float)
    ]


def test_no_tolerance_lets_everything_pass():
    # Fault: 1e6 was written for 1e-6, and every test passed with the clip taken out.
    found = {f.relative_to(TESTS).as_posix(): tolerances(f) for f in TESTS.rglob("*.py")}
    assert {f: t for f, t in found.items() if t and max(t) > 10} == {}
    assert sum(map(len, found.values())) > 50
