"""What must not change a number does not, and the numbers are those of PPO written out plainly."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from small_policies import EOS, PAD, save_llama, tokenizer
from torch import Tensor
from transformers import AutoModelForSeq2SeqLM

import humanalign.align.chunks as chunks
from humanalign.align.learner import Learner
from humanalign.align.online import online
from humanalign.align.rollout import Rollout
from humanalign.models import Policy
from humanalign.objectives.batch import Tokens

from . import plain_ppo
from .learners import (
    STARTS,
    TEXTS,
    Watched,
    gradients,
    learner_of,
    rolled,
    same,
    seed_head,
    shake,
    started,
    twin,
)
from .online_toys import PROMPTS, Length, settings

KINDS = ["llama", "llama tied", "small_t5", "small_t5 untied"]
# Everything at once: a temperature, a narrow clip that binds, all terms of the loss.
HARD = {
    "temperature": 0.7,
    "clip": 0.02,
    "value_clip": 0.05,
    "value_coef": 0.5,
    "entropy_coef": 0.02,
    "gamma": 0.97,
    "lam": 0.9,
    "eos_penalty": 0.5,
    "lr": 3e-3,
}


@pytest.fixture(scope="session")
def folders(llama, small_t5, tmp_path_factory):
    """Small models of both kinds, with one matrix for both ends of the vocabulary or two."""
    tied = save_llama(tmp_path_factory.mktemp("tied_llama"), tie_word_embeddings=True)
    untied = tmp_path_factory.mktemp("untied_t5")
    torch.manual_seed(13)
    model = AutoModelForSeq2SeqLM.from_pretrained(small_t5, tie_word_embeddings=False)
    model.get_output_embeddings().weight.data.normal_(std=0.3)
    model.save_pretrained(untied)
    tokenizer("$A </s>", pad_token="<pad>", model_max_length=64).save_pretrained(untied)
    return dict(zip(KINDS, [llama, tied, small_t5, untied], strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_the_small_models_are_tied_as_they_say(folders, kind):
    hf = Policy.load(folders[kind], device="cpu").hf
    one = hf.get_input_embeddings().weight is hf.get_output_embeddings().weight
    assert one == (kind in ("llama tied", "small_t5"))


@pytest.mark.parametrize(
    ("kind", "start", "method", "kl"),
    [
        ("llama", "all weights", "ppo", {}),
        ("llama tied", "all weights", "ppo", {"place": "both", "loss_estimator": "full"}),
        ("small_t5", "fresh adapter", "ppo", {"estimator": "full"}),
        ("small_t5 untied", "trained adapter", "ppo", {"place": "loss", "estimator": "k3"}),
        ("llama", "trained adapter", "grpo", {"loss_estimator": "k2"}),
        ("small_t5", "trained adapter", "rloo", {"estimator": "k2"}),
    ],
)
def test_rewards_advantages_and_gradients_are_those_of_plain_ppo(folders, kind, start, method, kl):
    """The second batch, whose policy has left its reference; two optimizer steps on it."""
    policy = started(folders[kind], start)
    learner = learner_of(policy, method, epochs=2, kl={"coef": 0.2} | kl, **HARD)
    reference = twin(policy)
    if learner.critic is not None:
        seed_head(learner)
    learner.learn(rolled(learner, repeat=2))
    assert learner.state.reuse is True  # from here on the sampler's own numbers are used
    sampler = twin(policy)
    head = head_of(learner, {n: p.detach().clone() for n, p in learner.trainer.parameters.items()})
    rollout = rolled(learner, repeat=4 if method != "ppo" else 2)
    tokens, c = rollout.batch.tokens, learner.config
    scores = np.array(Length().score([], rollout.texts)) - 0.5 * ~rollout.finished.numpy()
    known = plain_ppo.experience(sampler, head, reference, tokens, (scores, 0.2, c))
    whole = learner.with_advantages(rollout)
    for row, wanted in enumerate(known):
        n = len(wanted.old)
        assert_row(whole.batch.logprobs[row], wanted.old, n)
        assert_row(whole.kl[row], wanted.kl, n)
        assert_row(whole.batch.rewards[row], wanted.rewards, n)
        assert_row(whole.batch.advantages[row], wanted.advantages, n, atol=2e-4)
        if head is not None:
            assert_row(whole.batch.returns[row], wanted.returns, n)
    watched = Watched(learner)
    metrics = learner.learn(rollout)
    losses = []
    for weights, gradient in zip(watched.weights, watched.gradients, strict=True):
        live = {n: w.clone().requires_grad_() for n, w in weights.items()}
        loss = plain_gradient(learner, sampler, live, reference, (tokens, known))
        losses.append(loss)
        same(gradient, {n: w.grad for n, w in live.items() if w.grad is not None}, atol=2e-5)
    assert len(losses) == 2
    assert metrics["loss"] == pytest.approx(np.mean(losses), rel=1e-3, abs=1e-5)
    if method != "rloo":
        assert metrics["clip_fraction"] > 0.05  # the clip was at work


def head_of(learner: Learner, weights: dict[str, Tensor]) -> dict[str, Tensor] | None:
    """The value head among these weights, where the method has one."""
    if learner.critic is None:
        return None
    return {n: weights[f"value_head.linear.{n}"] for n in ("weight", "bias")}


def plain_gradient(learner, model, live, reference, told) -> float:
    """The plain loss at the weights `live`, whose gradients are left in them."""
    tokens, known = told
    with torch.no_grad():
        own = dict(model.named_parameters())
        for name, p in own.items():
            if name in live:
                p.copy_(live[name])
                p.requires_grad_().grad = None
    head = head_of(learner, live)
    past = (known, learner.config.kl.coef, learner.config)
    loss = plain_ppo.loss(model, head, reference, tokens, past)
    loss.backward()
    for name, p in own.items():
        if name in live:
            live[name].grad = p.grad
    return float(loss.detach())


def assert_row(given: Tensor, wanted, n: int, atol: float = 2e-5) -> None:
    """n real tokens as wanted, and exactly 0 behind them."""
    wanted = torch.as_tensor(wanted).detach().float()
    torch.testing.assert_close(given[:n], wanted, rtol=1e-4, atol=atol)
    assert torch.equal(given[n:], torch.zeros(len(given) - n))


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("kind", KINDS)
def test_kl_is_0_and_every_ratio_1_to_the_last_bit_at_step_0(folders, kind, start):
    keys = {"temperature": 0.7, "micro_batch": 5, "epochs": 2, "lr": 1e-2}
    learner = learner_of(started(folders[kind], start), **keys)
    rollout = rolled(learner)
    assert torch.equal(rollout.batch.logprobs, rollout.batch.ref_logprobs)
    assert float(rollout.kl.abs().max()) == 0.0
    assert rollout.sampler_gap is not None
    assert rollout.sampler_gap < 1e-4
    seen = []
    plain = learner.algorithm.policy_loss

    def watch(new: Tensor, old: Tensor, advantages: Tensor, **options) -> Tensor:
        seen.append((new.detach().clone(), old.clone()))
        return plain(new, old, advantages, **options)

    learner.update.algorithm = replace(learner.algorithm, policy_loss=watch)
    metrics = learner.learn(rollout)
    first, second = seen[: len(seen) // 2], seen[len(seen) // 2 :]
    assert all(torch.equal((new - old).exp(), torch.ones_like(old)) for new, old in first)
    assert not any(torch.equal(new, old) for new, old in second)
    assert (metrics["kl"], metrics["kl_k1"], metrics["updates"]) == (0.0, 0.0, 2.0)
    # They are 1 because both sides are the sampler's log-probabilities, and these stay.
    found, kept = (torch.cat([old for _, old in part]).sort().values for part in (first, second))
    known = rollout.batch.logprobs[rollout.batch.mask].sort().values
    torch.testing.assert_close(found, known, rtol=1e-5, atol=1e-5)
    assert torch.equal(found, kept)


def wider(rollout: Rollout, left: int, right: int) -> Rollout:
    """The same batch with more padding, and words where nothing may look."""
    b, rows = rollout.batch, len(rollout.texts)
    t, noise = b.tokens, torch.Generator().manual_seed(0)
    front = torch.randint(3, 30, (rows, left), generator=noise)
    back = torch.randint(3, 30, (rows, right), generator=noise)
    prompt, mask = (front, t.prompt_ids), (torch.zeros_like(front).bool(), t.prompt_mask)
    turn = -1 if t.prompt_mask[:, 0].all() else 1  # an encoder's prompts are padded behind
    tokens = Tokens(
        torch.cat(prompt[::turn], 1),
        torch.cat(mask[::turn], 1),
        torch.cat([t.response_ids, back], 1),
        torch.cat([t.response_mask, torch.zeros_like(back).bool()], 1),
    )
    timed = {
        f.name: torch.cat([value, torch.full((rows, right, *value.shape[2:]), 99.0)], 1)
        for f in fields(b)
        if isinstance(value := getattr(b, f.name), Tensor) and value.dim() > 1
    }
    kl, entropy = (
        torch.cat([t, torch.full((rows, right), 99.0)], 1) for t in (rollout.kl, rollout.entropy)
    )
    return replace(rollout, batch=replace(b, tokens=tokens, **timed), kl=kl, entropy=entropy)


def turned(rollout: Rollout, order: Tensor) -> Rollout:
    batch, kl, entropy = rollout.batch.select(order), rollout.kl[order], rollout.entropy[order]
    return replace(rollout, batch=batch, kl=kl, entropy=entropy)


def hard_gradients(folder, change=None, start="trained adapter", **keys) -> list[dict[str, Tensor]]:
    """Two optimizer steps on 64 rows from the second batch's point of view."""
    policy = started(folder, start)
    keys = {"kl": {"place": "both", "loss_estimator": "full", "coef": 0.2}} | keys
    learner = learner_of(policy, epochs=2, **(HARD | {"batch": 64, "lr": 1e-4} | keys))
    seed_head(learner)
    shake(policy, 0.02)
    learner.state.step = 1  # past the check that policy and reference agree
    rollout = rolled(learner, repeat=16)
    return gradients(learner, rollout if change is None else change(rollout))


@pytest.fixture(scope="module")
def one_piece(llama, small_t5):
    return {f: hard_gradients(f, micro_tokens=10**6) for f in (llama, small_t5)}


@pytest.mark.parametrize(
    "keys",
    [{"micro_batch": 8}, {"micro_tokens": 37}],
    ids=str,
)
def test_one_piece_of_64_rows_gives_the_gradient_of_many_small_ones(folder, one_piece, keys):
    for given, wanted in zip(hard_gradients(folder, **keys), one_piece[folder], strict=True):
        same(given, wanted)


def test_the_size_of_a_chunk_of_logits_changes_no_gradient(folder, monkeypatch):
    """With all weights, because the head's own gradient is added up chunk by chunk too."""
    whole = hard_gradients(folder, start="all weights")
    monkeypatch.setattr(chunks, "ELEMENTS", {"cpu": 1})
    parts = hard_gradients(folder, start="all weights", micro_batch=48)
    for given, wanted in zip(parts, whole, strict=True):
        same(given, wanted)


def test_the_order_of_rows_changes_no_gradient(folder, one_piece):
    order = torch.randperm(64, generator=torch.Generator().manual_seed(3))
    given = hard_gradients(folder, lambda r: turned(r, order))
    for here, there in zip(given, one_piece[folder], strict=True):
        same(here, there)


def test_padding_and_what_it_holds_change_no_gradient(folder, one_piece):
    given = hard_gradients(folder, lambda r: wider(r, left=4, right=3))
    for here, there in zip(given, one_piece[folder], strict=True):
        same(here, there)


def test_recomputing_activations_gives_the_same_gradient(folder, one_piece):
    given = hard_gradients(folder, gradient_checkpointing=True)
    for here, there in zip(given, one_piece[folder], strict=True):
        same(here, there)


def test_recomputing_activations_gives_a_critic_apart_the_same_gradient(folder):
    keys = {"value": {"model": "adapter"}, "kl": {"coef": 0.2}}
    wanted = hard_gradients(folder, **keys)
    assert sum(float(g.abs().sum()) for n, g in wanted[0].items() if "value_adapter" in n) > 1e-3
    given = hard_gradients(folder, gradient_checkpointing=True, **keys)
    for here, there in zip(given, wanted, strict=True):
        same(here, there)


def test_the_divergence_over_the_vocabulary_is_that_of_numpy_in_double_precision(folder):
    policy = started(folder, "all weights")
    learner = learner_of(policy, kl={"estimator": "full"}, temperature=0.7)
    reference = twin(policy)
    shake(policy)
    learner.state.step = 1
    rollout = rolled(learner)
    for i in range(len(rollout.texts)):
        with torch.no_grad():
            p, q = (
                plain_ppo.read(m, rollout.batch.tokens, i, 0.7).logp.numpy()
                for m in (policy.model, reference)
            )
        wanted = (np.exp(p) * (p - q)).sum(-1)
        assert_row(rollout.kl[i], wanted, len(wanted), atol=1e-5)
    assert float(rollout.kl.sum()) > 1.0


@pytest.mark.parametrize("method", ["ppo", "grpo"])
def test_generate_and_step_give_the_numbers_of_the_loop(folder, method, monkeypatch):
    keys = {"steps": 3, "epochs": 2, "minibatches": 2, "standardise": False, "ema": 0.9}
    config = settings(method, **keys, kl={"target": 0.1})
    asked, answered, logged = [], [], []

    class Watch(Length):
        def score(self, prompts, completions):
            asked.append(list(prompts))
            answered.append(list(completions))
            return super().score(prompts, completions)

    learn = Learner.learn

    def watch(self: Learner, rollout: Rollout) -> dict[str, float]:
        logged.append(learn(self, rollout))
        return logged[-1]

    looped = started(folder, "trained adapter")
    with monkeypatch.context() as patch:
        patch.setattr(Learner, "learn", watch)
        online(looped, PROMPTS, Watch(), config)
    stepped = started(folder, "trained adapter")
    learner = Learner(stepped, method=method, settings=config)
    for i in range(3):  # the first batch of the loop sets the scale, which is off here
        said = learner.generate(asked[i + 1])
        assert said == answered[i + 1]
        assert learner.step(asked[i + 1], said, Length().score([], said)) == logged[i]
    assert learner.average is not None
    learner.average.settle()
    for name, p in stepped.trainable().items():
        assert torch.equal(p, looped.trainable()[name])


def test_answers_of_somebody_else_are_learned_from_as_they_were_written(folder):
    policy = started(folder, "all weights")
    learner = learner_of(policy, batch=4)
    learner.generate(TEXTS)
    words = ["w1 w2", "w3", "w4 w5 w6", ""]
    metrics = learner.step(TEXTS, words, [1.0, 0.0, 0.5, 0.2])
    assert (metrics["length"], metrics["finished"], metrics["kl"]) == (10 / 4, 1.0, 0.0)
    assert EOS != PAD
