"""A learner step by step: rates, warm-up, scale, seeds, trust in the sampler, what it refuses."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from humanalign.align.pieces import pieces
from humanalign.errors import RunError
from humanalign.models import Policy
from humanalign.objectives.batch import Tokens

from .learners import TEXTS, gradients, learner_of, rolled, same, seed_head, shake, started


def weights(learner) -> dict[str, torch.Tensor]:
    return {n: p.detach().clone() for n, p in learner.trainer.parameters.items()}


def test_the_value_head_learns_at_its_own_rate(llama):
    learner = learner_of(started(llama, "all weights"), lr=1e-5, value_lr=1e-2)
    learner.learn(rolled(learner))
    # Adam's first step is the rate itself where the gradient is well above eps.
    assert float(learner.critic.head.linear.bias.detach().abs()) == pytest.approx(1e-2, rel=0.05)


def test_the_schedule_ends_with_the_last_optimizer_step(llama):
    keys = {"steps": 2, "epochs": 2, "schedule": "linear", "lr": 1e-3}
    learner = learner_of(started(llama, "all weights"), **keys)
    rates = [learner.learn(rolled(learner))["lr"] for _ in range(2)]
    # Four steps at 1, 3/4, 1/2 and 1/4 of the rate; a row holds the mean of its two.
    assert rates == pytest.approx([0.875e-3, 0.375e-3])


def test_while_the_critic_warms_up_nothing_else_moves(llama):
    keys = {"value": {"warmup": 1}, "lr": 1e-2, "kl": {"place": "both"}, "entropy_coef": 0.1}
    learner = learner_of(started(llama, "all weights"), **keys)
    seed_head(learner)
    seen = [weights(learner)]
    for _ in range(2):
        learner.learn(rolled(learner))
        seen.append(weights(learner))
    moved = [
        {n.startswith("value_head.") for n in a if not torch.equal(a[n], b[n])}
        for a, b in pairwise(seen)
    ]
    assert moved == [{True}, {True, False}]


def test_a_running_scale_is_that_of_all_rewards_so_far(llama):
    learner = learner_of(started(llama, "all weights"), standardise="running", eos_penalty=0.0)
    batches = [[float(i % 4) for i in range(16)], [float(i % 3) * 5 for i in range(16)]]
    scores = [rolled(learner, rewards).batch.scores for rewards in batches]
    everything = np.concatenate(batches)
    wanted = (np.array(batches[1]) - everything.mean()) / everything.std()
    np.testing.assert_allclose(scores[1], wanted, rtol=1e-5)


def test_the_average_follows_the_weights(llama):
    learner = learner_of(started(llama, "fresh adapter"), ema=0.5, lr=1e-2)
    wanted = {n: p.detach().clone() for n, p in learner.policy.trainable().items()}
    for decay in (1 / 10, 2 / 11):  # young averages forget faster than the .5 that was asked for
        learner.learn(rolled(learner))
        for name, p in learner.policy.trainable().items():
            wanted[name] = decay * wanted[name] + (1 - decay) * p.detach()
    for name, averaged in learner.average.tensors.items():
        torch.testing.assert_close(averaged, wanted[name])


def test_every_step_and_every_call_draws_anew(llama):
    learner = learner_of(started(llama, "all weights"))
    first, second = learner.generate(TEXTS), learner.generate(TEXTS)
    assert second != first
    again = learner_of(started(llama, "all weights"))
    assert [again.generate(TEXTS), again.generate(TEXTS)] == [first, second]
    later = learner_of(started(llama, "all weights"))
    later.state.step = 1
    assert later.generate(TEXTS) not in (first, second)


def ids(sampled) -> list[list[int]]:
    """The answers of a batch as token ids."""
    tokens = sampled.tokens
    rows = zip(tokens.response_ids, tokens.response_mask, strict=True)
    return [row[mask].tolist() for row, mask in rows]


def test_the_answers_of_two_calls_keep_their_tokens_in_one_step(llama):
    learner = learner_of(started(llama, "all weights"), max_new_tokens=3)
    both = learner.generate(TEXTS) + learner.generate(TEXTS)
    drawn = [d for places in learner._said.values() for d, _ in places]
    tokens = learner._tokens_of(TEXTS * 2, both).tokens
    kept = sorted(
        r[m].tolist() for r, m in zip(tokens.response_ids, tokens.response_mask, strict=True)
    )
    batches = {id(d): d for d in drawn}.values()
    assert sorted(kept) == sorted(row for d in batches for row in ids(d))


def test_without_ends_every_answer_is_as_long_as_it_may_be(folder):
    learner = learner_of(started(folder, "all weights"), ignore_eos=True)
    rollout = rolled(learner)
    assert bool(rollout.batch.mask.all())
    assert rollout.batch.mask.shape == (16, 6)


def test_a_sampler_that_is_not_the_trainer_is_measured_again_in_every_step(llama):
    policy = Policy.load(llama, device="cpu", dtype="bfloat16")
    learner = learner_of(policy, dtype="bfloat16")
    first = rolled(learner)
    assert first.sampler_gap > 1e-3  # rounding, which float32 does not have
    assert learner.state.reuse is False
    learner.state.step = 1
    assert rolled(learner).sampler_gap is not None


def test_a_policy_that_left_its_reference_before_step_0_is_refused(folder):
    learner = learner_of(started(folder, "fresh adapter"))
    shake(learner.policy)
    with pytest.raises(RunError, match="reference is not the policy that training starts from"):
        rolled(learner)


def test_a_checkpoint_of_another_start_is_refused(llama, tmp_path):
    learner_of(started(llama, "all weights")).save(tmp_path)
    other = started(llama, "all weights")
    shake(other)
    with pytest.raises(RunError, match="not the policy this run started from"):
        learner_of(other).load(tmp_path)


def test_a_frozen_encoder_is_run_once_and_the_decoder_learns_the_same(small_t5):
    found = []
    for frozen in (True, False):
        policy = Policy.load(small_t5, device="cpu", freeze_encoder=frozen)
        learner = learner_of(policy, epochs=2, micro_batch=3)
        rollout = rolled(learner)
        assert (rollout.batch.encoded is not None) == frozen
        found.append(gradients(learner, rollout)[0])
    decoder = [n for n in found[0] if "decoder" in n]
    assert len(decoder) > 10
    same(*({n: g[n] for n in decoder} for g in found))


def test_the_sampler_keeps_its_cache_where_layers_recompute(folder):
    learner = learner_of(started(folder, "all weights"), gradient_checkpointing=True, lr=1e-2)
    learner.learn(rolled(learner))
    learner.state.reuse = None  # measured anew by the trainer
    assert rolled(learner).sampler_gap < 1e-4


@pytest.mark.parametrize(("rows", "budget"), [(64, 10**6), (3, 10**6), (64, 20), (64, 1), (2, 17)])
def test_pieces_hold_every_row_once_within_their_budget(rows, budget):
    lengths = torch.randint(0, 9, (40,), generator=torch.Generator().manual_seed(2))
    mask = torch.arange(9)[None] < lengths[:, None]
    tokens = Tokens(mask[:, :0].long(), mask[:, :0], mask.long(), mask)
    found = list(pieces(tokens, rows=rows, budget=budget))
    assert sorted(torch.cat(found).tolist()) == list(range(40))
    for piece in found:
        widest = int(lengths[piece].max())
        assert len(piece) <= rows
        assert len(piece) == 1 or len(piece) * max(widest, 1) <= budget
    assert len(found) < 40 or budget == 1
