"""One batch of experience: where the KL, the score and the checks of step 0 come from."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from small_policies import EOS, train_adapter

from humanalign.align.learner import Learner
from humanalign.align.rollout import Rollout, policy_sampling, scores_of
from humanalign.align.selfcheck import check_first_rollout, check_prompts
from humanalign.errors import ConfigError, DataError, RunError
from humanalign.heads import ScalarHead
from humanalign.models import Lora, Policy
from humanalign.objectives.masked import Moments
from humanalign.objectives.reward import token_rewards
from humanalign.types import Prompt

from .online_toys import PROMPTS, Fixed, Length, settings

STARTS = ["all weights", "fresh adapter", "trained adapter"]


def started(folder, start: str) -> Policy:
    policy = Policy.load(folder, lora=None if start == "all weights" else Lora(rank=2))
    if start == "trained adapter":
        train_adapter(policy)
    return policy


def rolled(policy: Policy, reward=None, *, change=None, moments=None, head=None, **keys) -> Rollout:
    """A first rollout; `change` happens to the policy after its reference was frozen."""
    learner = Learner(policy, settings=settings(**{"standardise": moments is not None} | keys))
    if change is not None:
        change(policy)
        learner.state.step = 1  # past the check that policy and reference agree
    if moments is not None:
        learner.state.take(moments)
    if head is not None:
        learner.critic.head = head
    texts = [p.text for p in PROMPTS * 4]
    sampled = learner.draw(texts, 4)
    raw = scores_of(reward or Length(), texts, sampled.texts, policy.device)
    return learner.experience(texts, sampled, raw)


def shaken(size: float):
    """A change that moves every weight that learns."""

    def change(policy: Policy) -> None:
        for p in policy.trainable().values():
            p.data += size * torch.randn(p.shape, generator=torch.Generator().manual_seed(1))

    return change


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("estimator", ["k1", "k2", "k3", "full"])
def test_the_kl_is_exactly_zero_before_the_first_step(folder, start, estimator):
    rollout = rolled(started(folder, start), kl={"estimator": estimator}, temperature=0.7)
    assert float(rollout.kl.abs().max()) == 0.0
    assert (rollout.metrics()["kl"], rollout.metrics()["kl_k1"]) == (0.0, 0.0)
    check_first_rollout(rollout, policy_sampling(settings(temperature=0.7)))


@pytest.mark.parametrize("start", STARTS)
def test_the_ratio_is_one_at_the_first_minibatch(folder, start):
    policy = started(folder, start)
    config = settings(temperature=0.7)
    rollout = rolled(policy, temperature=0.7)
    part = rollout.batch.select(torch.tensor([5, 0, 11]))
    new = policy.logprobs(part.tokens, policy_sampling(config))
    ratio = (new - part.logprobs).exp()
    torch.testing.assert_close(ratio, torch.ones_like(ratio), rtol=0, atol=1e-4)
    assert rollout.sampler_gap < 1e-4


def test_the_logprobs_and_the_kl_are_those_of_the_two_distributions(folder):
    policy = started(folder, "trained adapter")
    rollout = rolled(policy, change=shaken(0.1), temperature=0.7, kl={"estimator": "full"})
    tokens, mask = rollout.batch.tokens, rollout.batch.mask
    with torch.no_grad():
        p = (policy.forward(tokens)[0] / 0.7).softmax(-1)
        with policy.reference():
            q = (policy.forward(tokens)[0] / 0.7).softmax(-1)
    wanted = (p * (p / q).log()).sum(-1)[mask]
    torch.testing.assert_close(rollout.kl[mask], wanted, rtol=1e-3, atol=1e-5)
    assert float(wanted.mean()) > 1e-3
    picked = p.gather(-1, tokens.response_ids[..., None])[..., 0].log()[mask]
    torch.testing.assert_close(rollout.batch.logprobs[mask], picked, rtol=1e-4, atol=1e-4)
    entropy = -(p * p.log()).sum(-1)[mask]
    torch.testing.assert_close(rollout.entropy[mask], entropy, rtol=1e-4, atol=1e-4)
    assert rollout.metrics()["entropy"] == pytest.approx(float(entropy.mean()), rel=1e-4)


def test_the_score_stands_on_the_last_real_token(folder):
    rollout = rolled(started(folder, "all weights"), Fixed(range(1, 17)), eos_penalty=0.0)
    batch = rollout.batch
    rewards = token_rewards(batch.scores, rollout.kl, batch.mask, kl_coef=0.05)
    for i, row in enumerate(rewards):
        length = int(batch.mask[i].sum())
        assert torch.nonzero(row).flatten().tolist() == [length - 1]
        assert float(row[length - 1]) == i + 1
    ends = [
        int(r[m][-1]) == EOS for r, m in zip(batch.tokens.response_ids, batch.mask, strict=True)
    ]
    assert any(ends)  # the sample holds both kinds, and EOS itself carries the score
    assert not all(ends)


def test_an_answer_without_an_end_pays_for_it_unless_ends_are_off(folder):
    policy = started(folder, "all weights")
    rollout = rolled(policy, Fixed([0.0] * 16), eos_penalty=2.5)
    ended = [
        int(row[mask][-1]) == EOS
        for row, mask in zip(rollout.batch.tokens.response_ids, rollout.batch.mask, strict=True)
    ]
    assert rollout.batch.scores.tolist() == [0.0 if end else -2.5 for end in ended]
    free = rolled(policy, Fixed([0.0] * 16), eos_penalty=2.5, ignore_eos=True)
    assert free.batch.scores.tolist() == [0.0] * 16


def test_the_reward_is_standardised_by_the_moments_of_the_reference(folder):
    policy = started(folder, "all weights")
    reference = Moments(*(torch.tensor(x) for x in (64.0, 3.0, 4.0)))
    given = Fixed([5.0] * 8 + [1.0] * 8)
    rollout = rolled(policy, given, moments=reference, ignore_eos=True)
    assert rollout.batch.scores.tolist() == pytest.approx([1.0] * 8 + [-1.0] * 8)
    assert rollout.raw.tolist() == [5.0] * 8 + [1.0] * 8
    assert rollout.metrics()["reward"] == 3.0


@pytest.mark.parametrize(
    ("scores", "part"),
    [
        ([1.0] * 15, r"\[15\] numbers for 16 answers"),
        ([1.0] * 17, r"\[17\] numbers for 16 answers"),
        ([1.0] * 15 + [math.nan], "1 of them not finite"),
        ([math.inf] * 16, "16 of them not finite"),
    ],
)
def test_a_broken_reward_is_refused(llama, scores, part):
    with pytest.raises(RunError, match=part):
        rolled(started(llama, "all weights"), Fixed(scores))


@pytest.mark.parametrize("scores", [["good"] * 16, [None] * 16, [[1.0], [1.0, 2.0]], None])
def test_a_reward_that_gives_no_numbers_is_refused(llama, scores):
    class Odd:
        def score(self, _prompts, _completions):
            return scores

    with pytest.raises(RunError, match="reward"):
        rolled(started(llama, "all weights"), Odd())


def test_values_come_from_the_head_at_the_position_that_predicts_the_token(folder):
    policy = started(folder, "all weights")
    head = ScalarHead(policy.hidden_size)
    torch.nn.init.normal_(head.linear.weight)
    rollout = rolled(policy, head=head)
    with torch.no_grad():
        wanted = policy.forward(rollout.batch.tokens)[1] @ head.linear.weight[0]
    mask = rollout.batch.mask
    torch.testing.assert_close(rollout.batch.values[mask], wanted[mask], rtol=1e-4, atol=1e-5)
    assert torch.equal(rollout.batch.values[~mask], torch.zeros(int((~mask).sum())))


def test_micro_batches_do_not_change_what_is_measured(folder):
    policy = started(folder, "trained adapter")
    whole, parts = rolled(policy), rolled(policy, micro_batch=5)
    assert parts.texts == whole.texts
    torch.testing.assert_close(parts.batch.logprobs, whole.batch.logprobs, rtol=1e-4, atol=1e-5)


def test_a_reference_that_is_not_the_start_is_refused(folder):
    rollout = rolled(started(folder, "all weights"), change=shaken(0.05))
    with pytest.raises(RunError, match="reference is not the policy that training starts from"):
        check_first_rollout(rollout, policy_sampling(settings()))


def test_a_sampler_of_another_distribution_is_refused(folder):
    rollout = rolled(started(folder, "all weights"))
    with pytest.raises(RunError, match=r"differ from the trainer's by 0\.0200 nats"):
        check_first_rollout(replace(rollout, sampler_gap=0.02), policy_sampling(settings()))


def test_answers_that_are_all_empty_are_refused(folder):
    rollout = rolled(started(folder, "all weights"))
    with pytest.raises(RunError, match="all 3 first answers are empty"):
        check_first_rollout(replace(rollout, texts=["", " ", ""]), policy_sampling(settings()))


@pytest.mark.parametrize(
    ("keys", "part"),
    [
        ({"temperature": 0.0}, "temperature: expected above 0"),
        ({"method": "rloo", "group": 5}, "group: expected 2 or more and a divisor of batch=16"),
        ({"method": "grpo", "group": 1}, "group"),
        ({"minibatches": 17}, "minibatches: expected at most batch=16"),
    ],
)
def test_settings_that_no_batch_can_be_made_of_are_refused(keys, part):
    with pytest.raises(ConfigError, match=part):
        check_prompts(PROMPTS, settings(**keys))


def test_no_prompts_is_a_sentence():
    with pytest.raises(DataError, match="no prompts"):
        check_prompts(list[Prompt](), settings())
