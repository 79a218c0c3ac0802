"""Each option of `align` does what it says, held against the same thing computed by other means.

Gradients are those of plain losses on transformers' own forward, the whole batch at once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from small_policies import PROMPTS as ASKED
from small_policies import RESPONSES
from torch import Tensor

from humanalign.align import chunks
from humanalign.align.learner import Learner
from humanalign.align.online import online
from humanalign.align.rollout import Rollout
from humanalign.align.selfcheck import whole_logits
from humanalign.errors import ConfigError, RunError
from humanalign.models import Lora, Policy
from humanalign.objectives.batch import Tokens
from humanalign.run import Run

from .learners import TEXTS, Watched, gradients, learner_of, rolled, same, shake, started
from .online_toys import PROMPTS, ShareOf, settings

Gradient = dict[str, Tensor]
EQUAL = [1.0] * 16  # rewards that teach nothing


def put(policy: Policy, weights: dict[str, Tensor]) -> None:
    for name, p in policy.trainable().items():
        p.data.copy_(weights[name])


def log_softmax(policy: Policy, tokens: Tokens) -> Tensor:
    """[N, V] at the real tokens."""
    return whole_logits(policy, tokens).log_softmax(-1)[tokens.response_mask]


def plain(policy: Policy, tokens: Tokens, loss: Callable[[Tensor, Tensor], Tensor]) -> Gradient:
    """The gradient of `loss(log p [N, V], ids [N])`, summed over tokens and divided by them."""
    logp, ids = log_softmax(policy, tokens), tokens.response_ids[tokens.response_mask]
    named = policy.trainable()
    total = loss(logp, ids).sum() / len(ids)
    found = torch.autograd.grad(total, list(named.values()), allow_unused=True)
    return {n: g for n, g in zip(named, found, strict=True) if g is not None}


def picked(logp: Tensor, ids: Tensor) -> Tensor:
    return logp.gather(-1, ids[:, None])[:, 0]


def away(policy: Policy, **keys) -> Learner:
    """A learner of groups whose policy has left its reference and is past the checks of step 0."""
    learner = learner_of(policy, "grpo", **{"eos_penalty": 0.0} | keys)
    shake(policy)
    learner.state.step = 1
    return learner


def first_gradient(learner: Learner, rollout: Rollout) -> Gradient:
    return gradients(learner, rollout)[0]


DIVERGENCE = {
    "k2": lambda own, ref, ids: (picked(own, ids) - picked(ref, ids)) ** 2 / 2,
    "k3": lambda own, ref, ids: (
        torch.exp(picked(ref, ids) - picked(own, ids)) + picked(own, ids) - picked(ref, ids) - 1
    ),
    "full": lambda own, ref, _: (own.exp() * (own - ref)).sum(-1),
}


@pytest.mark.parametrize("estimator", ["k2", "k3", "full"])
@pytest.mark.parametrize("start", ["all weights", "trained adapter"])
def test_a_penalty_in_the_loss_has_the_gradient_of_its_definition(
    folder, start, estimator, monkeypatch
):
    monkeypatch.setitem(chunks.ELEMENTS, "cpu", 1)  # 64 tokens a chunk, so more than one
    policy = started(folder, start)
    learner = away(policy, kl={"coef": 0.3, "place": "loss", "loss_estimator": estimator})
    rollout = rolled(learner, EQUAL)
    tokens = rollout.batch.tokens
    assert int(tokens.response_mask.sum()) > 64
    with torch.no_grad(), policy.reference():
        ref = log_softmax(policy, tokens)
    # All rewards are equal: no answer is better than another, and the penalty stands alone.
    wanted = plain(policy, tokens, lambda own, ids: 0.3 * DIVERGENCE[estimator](own, ref, ids))
    same(first_gradient(learner, rollout), wanted, atol=1e-5)
    assert max(float(g.abs().max()) for g in wanted.values()) > 1e-2


def test_a_penalty_in_both_places_is_in_the_reward_and_in_the_loss(llama):
    policy = started(llama, "all weights")
    kl = {"coef": 0.3, "place": "both", "loss_estimator": "k2"}
    learner = away(policy, kl=kl, group_std=False)
    scores = [float(n % 5) for n in range(16)]
    rollout = rolled(learner, scores)
    tokens, mask = rollout.batch.tokens, rollout.batch.mask
    with torch.no_grad():
        own, ids = log_softmax(policy, tokens), tokens.response_ids[mask]
        with policy.reference():
            ref = log_softmax(policy, tokens)
    k1 = torch.zeros(mask.shape)
    k1[mask] = picked(own, ids) - picked(ref, ids)
    whole = (torch.tensor(scores) - 0.3 * k1.sum(1)).reshape(4, 4)
    advantage = (whole - whole.mean(1, keepdim=True)).reshape(16, 1).expand(mask.shape)[mask]

    def loss(logp: Tensor, ids: Tensor) -> Tensor:
        # The gradient of the ratio at the policy that sampled is that of its log-probability.
        return -advantage * picked(logp, ids) + 0.3 * DIVERGENCE["k2"](logp, ref, ids)

    wanted = plain(policy, tokens, loss)  # before the learner moves the weights
    same(first_gradient(learner, rollout), wanted, atol=1e-5)


def test_dual_clip_bounds_the_loss_of_a_bad_token(folder):
    policy = started(folder, "all weights")
    keys = {"epochs": 2, "lr": 0.02, "dual_clip": 1.1, "kl": {"coef": 0.0}, "clip": 0.05}
    learner = learner_of(policy, "grpo", ignore_eos=True, group_std=False, **keys)
    rollout = rolled(learner, [float(n % 4) for n in range(16)])
    watched = Watched(learner)
    learner.learn(rollout)
    tokens, mask = rollout.batch.tokens, rollout.batch.mask
    advantage = torch.tensor([-1.5, -0.5, 0.5, 1.5] * 4)[:, None].expand(mask.shape)[mask]
    ids = tokens.response_ids[mask]
    put(policy, watched.weights[0])
    with torch.no_grad():
        old = picked(banned(log_softmax(policy, tokens), policy), ids)
    put(policy, watched.weights[1])

    def loss(logp: Tensor, ids: Tensor) -> Tensor:
        rho = (picked(banned(logp, policy), ids) - old).exp()
        ppo = -torch.minimum(advantage * rho, advantage * rho.clamp(0.95, 1.05))
        bound = (advantage < 0) & (-advantage * 1.1 < ppo)
        assert bound.any()
        return torch.where(bound, -advantage * 1.1, ppo)

    same(watched.gradients[1], plain(policy, tokens, loss), atol=1e-5)


def banned(logp: Tensor, policy: Policy) -> Tensor:
    """The same distribution without its end."""
    [eos] = policy.eos_ids
    logp = logp.clone()
    logp[:, eos] = -torch.inf
    return logp.log_softmax(-1)


def test_the_entropy_bonus_has_the_gradient_of_the_entropy(folder):
    policy = started(folder, "trained adapter")
    learner = away(policy, entropy_coef=0.2, kl={"coef": 0.0})
    rollout = rolled(learner, EQUAL)

    def loss(logp: Tensor, _: Tensor) -> Tensor:
        return 0.2 * (logp.exp() * logp).sum(-1)  # minus c2 H

    wanted = plain(policy, rollout.batch.tokens, loss)
    same(first_gradient(learner, rollout), wanted, atol=1e-5)
    assert max(float(g.abs().max()) for g in wanted.values()) > 1e-3


SCORES = [float(x) for x in np.random.default_rng(0).normal(2.0, 3.0, 16)]


def test_the_score_is_held_within_its_clip_after_it_was_standardised(llama):
    learner = learner_of(
        started(llama, "all weights"), standardise=True, reward_clip=0.8, ignore_eos=True
    )
    z = (np.array(SCORES) - np.mean(SCORES)) / np.std(SCORES)
    given = rolled(learner, SCORES).batch.scores.tolist()
    assert given == pytest.approx(np.clip(z, -0.8, 0.8).tolist(), rel=1e-4)
    assert (np.abs(z) > 0.8).any()


def test_an_unfinished_answer_earns_minus_the_penalty_where_it_is_replaced(folder):
    learner = learner_of(started(folder, "all weights"), eos_mode="replace", eos_penalty=2.0)
    rollout = rolled(learner, SCORES)
    finished = rollout.finished.tolist()
    wanted = [s if f else -2.0 for s, f in zip(SCORES, finished, strict=True)]
    assert rollout.batch.scores.tolist() == pytest.approx(wanted)
    assert True in finished
    assert False in finished


def test_running_moments_are_those_of_all_rewards_so_far(llama):
    learner = learner_of(started(llama, "all weights"), standardise="running", ignore_eos=True)
    seen: list[float] = []
    for at in range(3):
        batch = (np.random.default_rng(at).normal(at * 5, 1 + at, 16)).tolist()
        seen += batch
        given = rolled(learner, batch).batch.scores.tolist()
        wanted = (np.array(batch) - np.mean(seen)) / np.std(seen)
        assert given == pytest.approx(wanted.tolist(), rel=1e-3, abs=1e-4)
        state = learner.state
        assert state.reward_count == len(seen)
        assert state.reward_mean == pytest.approx(np.mean(seen), rel=1e-4)
        assert state.reward_variance == pytest.approx(np.var(seen), rel=1e-3)


class Judge(ShareOf):
    """Gives "good" 1, "bad" -1 and everything else 0, times its sign."""

    def __init__(self, sign: float) -> None:
        self.sign = sign

    def score(self, prompts, completions):
        del prompts
        return [self.sign * {"good": 1.0, "bad": -1.0}.get(c, 0.0) for c in completions]


@pytest.mark.parametrize("sign", [-1.0, 0.0])
def test_a_reward_of_the_wrong_sign_is_refused_before_anything_is_sampled(llama, sign):
    policy = Policy.load(llama)
    config = settings(reward_check={"prompt": "w1", "good": "good", "bad": "bad"}, steps=1)
    said = rf"the good answer {sign:.4g} and the bad one {-sign:.4g}: its sign"
    with pytest.raises(RunError, match=said):
        online(policy, PROMPTS, Judge(sign), config)
    assert online(policy, PROMPTS, Judge(1.0), config)["steps"] == 1


def test_without_the_std_of_the_group_an_advantage_is_the_distance_to_its_mean(llama):
    for std in (False, True):
        learner = learner_of(
            started(llama, "all weights"), "grpo", group_std=std, ignore_eos=True, kl={"coef": 0.0}
        )
        batch = learner.with_advantages(rolled(learner, SCORES)).batch
        groups = np.array(SCORES).reshape(4, 4)
        wanted = groups - groups.mean(1, keepdims=True)
        if std:
            wanted = wanted / groups.std(1, ddof=1, keepdims=True)
        assert batch.advantages[:, 0].tolist() == pytest.approx(wanted.ravel().tolist(), rel=1e-3)


MIXED = list(zip(ASKED, RESPONSES, strict=True))


@pytest.mark.parametrize("row", MIXED)
def test_mixed_in_text_adds_coef_times_its_mean_loss_per_token(folder, row):
    found = []
    for mix in (None, [row]):
        policy = started(folder, "trained adapter")
        config = settings("grpo", epochs=1, max_grad_norm=0.0, mix={"coef": 0.7}, standardise=False)
        learner = Learner(policy, settings=config, mix=mix)
        found.append(first_gradient(learner, rolled(learner, SCORES)))
    policy = started(folder, "trained adapter")
    tokens = policy.encode([row[0]], [row[1]])
    apart = plain(policy, tokens, lambda logp, ids: -0.7 * picked(logp, ids))
    same(found[1], {n: found[0][n] + g for n, g in apart.items()}, atol=1e-5)


@pytest.mark.parametrize("order", [list(range(15, -1, -1)), [3, 0, 9, 14]])
def test_answers_are_known_again_in_any_order_and_number(folder, order):
    """What is learned is what the same rows teach when they are the whole batch."""
    found, lengths = [], []
    for known in (True, False):
        learner = learner_of(started(folder, "trained adapter"), whiten=False)
        answers = learner.generate(TEXTS * 4)
        asked, said = [(TEXTS * 4)[i] for i in order], [answers[i] for i in order]
        scores = [SCORES[i] for i in order]
        watched = Watched(learner)
        if known:
            lengths.append(learner.step(asked, said, scores)["length"])
        else:
            sampled = learner.draw(TEXTS * 4, learner.seed_of(0)).select(torch.tensor(order))
            lengths.append(float(sampled.tokens.response_mask.sum(1).float().mean()))
            learner.learn(learner.experience(asked, sampled, torch.tensor(scores)))
        found.append(watched.gradients[0])
    same(*found)
    assert lengths[0] == pytest.approx(lengths[1])


def test_equal_texts_of_different_tokens_are_not_taken_for_each_other(llama):
    """An answer cut at the limit and one that ended there read the same, but for the penalty."""
    learner = learner_of(started(llama, "all weights"), eos_penalty=1.0, max_new_tokens=1)
    prompts = TEXTS[:1] * 400
    answers = learner.generate(prompts)
    ended = learner.draw(prompts, learner.seed_of(0)).finished
    # Of one token, only the end itself gives an empty text; so do tokens that no text shows.
    empty = [f for a, f in zip(answers, ended, strict=True) if a == ""]
    assert True in empty
    assert False in empty
    given = learner.step(prompts, answers, [0.0] * 400)
    assert given["finished"] == pytest.approx(np.mean(ended))
    assert given["score"] == pytest.approx(np.mean(ended) - 1.0)


def test_an_answer_of_somebody_else_leaves_the_others_their_tokens(folder):
    learner = learner_of(started(folder, "all weights"), eos_penalty=1.0)
    answers = learner.generate(TEXTS * 4)
    sampled = learner.draw(TEXTS * 4, learner.seed_of(0))
    assert not all(sampled.finished[1:])
    given = learner.step(TEXTS * 4, ["w1 w2 w3 w4", *answers[1:]], [0.0] * 16)
    lengths = [5, *sampled.tokens.response_mask.sum(1).tolist()[1:]]  # four words and the end
    assert given["length"] == pytest.approx(np.mean(lengths))
    assert given["finished"] == pytest.approx(np.mean([True, *sampled.finished[1:]]))


def test_minibatches_of_an_epoch_mix_in_different_rows(llama):
    policy = started(llama, "all weights")
    config = settings("grpo", batch=16, epochs=1, minibatches=4, standardise=False)
    learner = Learner(policy, settings=config, mix=[("w1", f"w{n}") for n in range(28)])
    mixed: list[tuple] = []
    encode = policy.encode

    def watch(prompts, responses=None, **keys):
        mixed.append(tuple(responses))
        return encode(prompts, responses, **keys)

    rollout = rolled(learner, SCORES)
    policy.encode = watch  # type: ignore[method-assign]
    learner.learn(rollout)
    assert len(mixed) == len(set(mixed)) == 4


@pytest.mark.parametrize("decay", [0.9, 0.05])
def test_the_policy_that_is_left_is_the_average_of_the_weights(folder, tmp_path, decay):
    config = settings("grpo", steps=5, epochs=1, ema=decay, lr=1e-2, lora={"rank": 0})
    policy = Policy.load(folder)
    steps = [{n: p.detach().double() for n, p in policy.trainable().items()}]
    run = Run.open(tmp_path / "r", stage="align", config=config.model_dump())

    def progress(*_: int) -> None:
        steps.append({n: p.detach().double() for n, p in policy.trainable().items()})

    online(policy, PROMPTS, ShareOf(), config, run=run, progress=progress)
    average = steps[0]
    for n, now in enumerate(steps[1:]):
        d = min(decay, (1 + n) / (10 + n))
        average = {name: d * average[name] + (1 - d) * w for name, w in now.items()}
    left = load_file(tmp_path / "r" / "policy" / "model.safetensors")
    assert len(left) > 10
    for name, tensor in left.items():
        torch.testing.assert_close(tensor.double(), average[name], rtol=0, atol=1e-6)
    assert any(not torch.allclose(left[n].double(), steps[-1][n], atol=1e-4) for n in left)


@pytest.mark.parametrize("rank", [0, 2])
def test_a_frozen_encoder_runs_once_a_batch_and_does_not_change(small_t5, rank):
    lora = Lora(rank=rank) if rank else None
    calls = {}
    for frozen in (True, False):
        policy = Policy.load(small_t5, lora=lora, freeze_encoder=frozen)
        encoder = policy.hf.get_encoder()
        before = {n: p.detach().clone() for n, p in encoder.named_parameters()}
        learner = Learner(policy, settings=settings(epochs=2, freeze_encoder=frozen))
        answers = [learner.generate(TEXTS * 4)]
        learner.step(TEXTS * 4, answers[-1], SCORES)  # the first step checks a few rows besides
        seen: list[int] = []
        handle = encoder.register_forward_hook(lambda *_: seen.append(1))  # noqa: B023
        answers.append(learner.generate(TEXTS * 4))
        learner.step(TEXTS * 4, answers[-1], SCORES)
        handle.remove()
        calls[frozen] = len(seen)
        moved = any(not torch.equal(p, before[n]) for n, p in encoder.named_parameters())
        assert moved != frozen
    assert calls[True] == 1
    assert calls[False] > 1


@pytest.mark.parametrize("lora", [None, Lora(rank=2)], ids=["all weights", "lora"])
def test_recomputed_activations_change_nothing_but_the_memory(folder, tmp_path, lora):
    rows = []
    for saving in (False, True):
        config = settings(steps=3, epochs=1, lr=1e-2, gradient_checkpointing=saving)
        run = Run.open(tmp_path / str(saving), stage="align", config=config.model_dump())
        online(Policy.load(folder, lora=lora), PROMPTS, ShareOf(), config, run=run)
        rows.append([r["align/reward"] for r in run.metrics()])
        rows[-1] += [r["align/kl"] for r in run.metrics()]
    assert rows[1] == pytest.approx(rows[0], rel=1e-3, abs=1e-5)


def test_fewer_bits_without_bitsandbytes_say_what_to_install(llama, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="quantize: 4bit needs bitsandbytes, which is not inst"):
        Policy.load(llama, lora=Lora(rank=2), quantize="4bit")


def test_bfloat16_under_an_adapter_learns_along_the_same_gradient(folder):
    found = []
    answers = learner_of(Policy.load(folder), "grpo").generate(TEXTS * 4)
    for dtype in ("float32", "bfloat16"):
        policy = Policy.load(folder, lora=Lora(rank=2), dtype=dtype)
        base = {n: p.clone() for n, p in policy.model.named_parameters() if "lora" not in n}
        learner = learner_of(policy, "grpo", dtype=dtype)
        watched = Watched(learner)
        # The same words are learned from in both; then what it says itself passes its checks.
        learner.step(TEXTS * 4, answers, SCORES)
        learner.step(TEXTS * 4, learner.generate(TEXTS * 4), SCORES)
        found.append(torch.cat([g.flatten().float() for g in watched.gradients[0].values()]))
        assert len(watched.gradients) == 2
        assert all(torch.equal(p, base[n]) for n, p in policy.model.named_parameters() if n in base)
    assert float(torch.cosine_similarity(found[0], found[1], dim=0)) > 0.99
    assert next(iter(base.values())).dtype == torch.bfloat16
