"""What stops an update, and what only slows it: bad numbers, no memory, a policy that runs away."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from humanalign.align.learner import Learner
from humanalign.align.online import online
from humanalign.align.selfcheck import whole_logits
from humanalign.align.update import _out_of_memory
from humanalign.errors import RunError
from humanalign.models import Policy
from humanalign.objectives.batch import Tokens
from humanalign.run import Run

from .online_toys import PROMPTS, Fixed, ShareOf, settings

TEXTS = [p.text for p in PROMPTS]
Weights = dict[str, Tensor]


def weights(policy: Policy) -> Weights:
    return {n: p.detach().clone() for n, p in policy.trainable().items()}


def equal(one: Weights, other: Weights) -> bool:
    return all(torch.equal(one[n], other[n]) for n in one)


def wrong_from(policy: Policy, passes: int, spoil: Callable[[Tensor], Tensor]) -> None:
    """After so many trainings passes of the trunk, what it says is spoilt."""
    hidden, seen = policy.hidden, []

    def spoilt(tokens: Tokens, encoded: Tensor | None = None) -> Tensor:
        out = hidden(tokens, encoded)
        if not torch.is_grad_enabled():
            return out
        seen.append(1)
        return spoil(out) if len(seen) > passes else out

    policy.hidden = spoilt  # type: ignore[method-assign]


def stopped(folder: Path, path: Path, spoil: Callable[[Tensor], Tensor], **keys) -> tuple:
    """A run whose third optimizer step is spoilt: the error, the policy, its weights before."""
    config = settings(epochs=1, batch=8, steps=4, **keys)
    run = Run.open(path, stage="align", config=config.model_dump())
    policy = Policy.load(folder)
    before: list[Weights] = []

    def progress(*_: int) -> None:
        before.append(weights(policy))

    wrong_from(policy, 2, spoil)
    with pytest.raises(RunError) as caught:
        online(policy, PROMPTS, ShareOf(), config, run=run, progress=progress)
    return str(caught.value), policy, before[-1]


def test_a_loss_of_nan_stops_the_run_before_a_weight_moves(folder, tmp_path):
    said, policy, before = stopped(folder, tmp_path / "r", lambda hidden: hidden * math.nan)
    assert "the loss is nan" in said
    assert "lower lr" in said
    assert equal(weights(policy), before)


def test_the_batch_that_failed_is_kept_to_be_looked_at(folder, tmp_path):
    said, _, _ = stopped(folder, tmp_path / "r", lambda hidden: hidden * math.nan)
    kept = tmp_path / "r" / "failed-step-000003"
    assert f"(the batch is kept in {kept})" in said
    rows = [json.loads(line) for line in (kept / "samples.jsonl").read_text().splitlines()]
    wanted = ShareOf().score([], [row["completion"] for row in rows])
    assert [row["reward"] for row in rows] == pytest.approx(wanted)
    tensors = load_file(kept / "batch.safetensors")
    rewritten = Policy.load(folder).tokenizer.batch_decode(
        [ids[mask] for ids, mask in zip(tensors["response_ids"], tensors["mask"], strict=True)],
        skip_special_tokens=True,
    )
    assert [text.strip() for text in rewritten] == [row["completion"] for row in rows]
    assert {"logprobs", "ref_logprobs", "values", "scores"} <= tensors.keys()
    assert all(t.isfinite().all() for t in tensors.values())


def test_a_ratio_out_of_hand_stops_the_run(folder, tmp_path):
    # The second minibatch of a batch is spoilt: answers look far likelier than when sampled.
    config = settings("grpo", epochs=1, minibatches=2, batch=8, steps=1, group=2)
    run = Run.open(tmp_path / "r", stage="align", config=config.model_dump())
    policy = Policy.load(folder)
    learn = Learner.learn

    def unlikely(self: Learner, rollout):
        rollout.batch.logprobs[rollout.batch.mask] -= 5.0  # e^5 = 148
        return learn(self, rollout)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Learner, "learn", unlikely)
        with pytest.raises(RunError, match=r"is 14\d on average in epoch 1 of step 1; lower lr"):
            online(policy, PROMPTS, ShareOf(), config, run=run)
    assert (tmp_path / "r" / "failed-step-000001" / "samples.jsonl").exists()


@contextmanager
def memory_for(policy: Policy, rows: int) -> Iterator[list[int]]:
    """Inside, training more than `rows` rows at once runs out of memory; the rows of each pass."""
    hidden, sizes = policy.hidden, []

    def tight(tokens: Tokens, encoded: Tensor | None = None) -> Tensor:
        if torch.is_grad_enabled():
            sizes.append(len(tokens))
            if len(tokens) > rows:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return hidden(tokens, encoded)

    policy.hidden = tight  # type: ignore[method-assign]
    yield sizes
    del policy.hidden


def one_step(folder: Path, rows: int, caplog, **keys) -> tuple[Weights, list[int], list[str], dict]:
    """The weights after one batch of 16 with memory for so many rows; passes, warnings, metrics."""
    policy = Policy.load(folder)
    learner = Learner(policy, settings=settings(epochs=2, batch=16, **keys))
    answers = learner.generate(TEXTS * 4)
    rewards = ShareOf().score(TEXTS * 4, answers)
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="humanalign"), memory_for(policy, rows) as sizes:
        metrics = learner.step(TEXTS * 4, answers, rewards)
    return weights(policy), sizes, [r.getMessage() for r in caplog.records], metrics


def test_no_memory_means_smaller_pieces_and_the_same_weights(folder, caplog):
    roomy, whole, nothing, _ = one_step(folder, 16, caplog, micro_batch=16)
    assert (whole, nothing) == ([16, 16], [])
    tight, sizes, warnings, metrics = one_step(folder, 8, caplog, micro_batch=16)
    # The piece that failed, then halves: now, and in the second epoch at once.
    assert sizes == [16, 8, 8, 8, 8]
    assert len(warnings) == 1
    assert "out of memory: going on with 8 rows" in warnings[0]
    assert metrics["updates"] == 2
    for name, tensor in roomy.items():
        torch.testing.assert_close(tight[name], tensor, rtol=0, atol=1e-6)


def test_pieces_are_halved_until_they_fit(llama, caplog):
    roomy, _, _, _ = one_step(llama, 16, caplog, micro_batch=16)
    tight, sizes, warnings, _ = one_step(llama, 2, caplog, micro_batch=16)
    assert sizes == [16, 8, 4, *[2] * 16]
    assert len(warnings) == 3
    for name, tensor in roomy.items():
        torch.testing.assert_close(tight[name], tensor, rtol=0, atol=1e-6)


def test_what_was_added_up_before_memory_ran_out_does_not_count_twice(folder):
    """The third of four pieces fails, once; the two before have left their gradient by then."""
    left = []
    for fails in (False, True):
        policy = Policy.load(folder)
        learner = Learner(policy, settings=settings(epochs=1, batch=16, micro_batch=4))
        answers = learner.generate(TEXTS * 4)
        hidden, passes = policy.hidden, []

        def tight(*args, hidden=hidden, passes=passes, fails=fails):
            passes.append(torch.is_grad_enabled())
            if fails and sum(passes) == 3 and passes[-1]:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return hidden(*args)

        policy.hidden = tight  # type: ignore[method-assign]
        learner.step(TEXTS * 4, answers, ShareOf().score(TEXTS * 4, answers))
        assert sum(passes) == (3 + 8 if fails else 4)
        left.append(weights(policy))
    for name, tensor in left[0].items():
        torch.testing.assert_close(left[1][name], tensor, rtol=0, atol=1e-6)


def test_a_piece_smaller_than_its_limit_is_halved_from_what_it_was(llama, caplog):
    _, sizes, warnings, _ = one_step(llama, 8, caplog, micro_batch=512)
    assert (sizes[0], len(warnings)) == (16, 1)
    assert max(sizes[1:]) <= 8


def test_no_memory_for_a_single_row_is_a_sentence(llama, caplog):
    with pytest.raises(RunError, match="out of memory with one row at a time; lower max_new") as e:
        one_step(llama, 0, caplog, micro_batch=4)
    assert "gradient_checkpointing=true" in str(e.value)
    # 4, 2 and 1 rows were tried: two times there was something left to halve.
    assert len(caplog.records) == 2


def test_another_error_is_not_taken_for_a_lack_of_memory(llama, caplog):
    policy = Policy.load(llama)
    learner = Learner(policy, settings=settings(batch=4))
    answers = learner.generate(TEXTS)

    def broken(_: Tensor) -> Tensor:
        raise RuntimeError("expected scalar type Float but found Half")

    wrong_from(policy, 0, broken)
    with pytest.raises(RuntimeError, match="expected scalar type"):
        learner.step(TEXTS, answers, [0.0] * 4)
    assert caplog.records == []


def test_a_policy_far_from_its_reference_is_said_aloud_and_counted(llama, tmp_path, caplog):
    config = settings(steps=4, lr=1e-2, epochs=1, kl={"alarm": 1e-6, "coef": 0.0})
    run = Run.open(tmp_path / "r", stage="align", config=config.model_dump())
    with caplog.at_level(logging.WARNING, logger="humanalign"):
        summary = online(Policy.load(llama), PROMPTS, ShareOf(), config, run=run)
    far = [row["align/kl_k1"] > 1e-6 for row in run.metrics()]
    assert far == [False, True, True, True]  # step 1 is the reference's own
    assert summary["kl_alarms"] == 3
    assert ["align/kl_alarm" in row for row in run.metrics()] == far
    [warning] = caplog.records
    assert warning.getMessage().startswith("step 2: the policy is ")
    assert "(kl.alarm=1e-06)" in warning.getMessage()


def test_the_alarm_is_silent_below_its_limit(llama, caplog):
    config = settings(steps=3, lr=1e-2, epochs=1, kl={"alarm": 1e6})
    assert online(Policy.load(llama), PROMPTS, ShareOf(), config)["kl_alarms"] == 0
    assert caplog.records == []


def stepped(folder: Path, **keys) -> tuple[list[Weights], Weights, dict[str, float]]:
    """One batch: the weights before each optimizer step that was made, those after, the metrics."""
    policy = Policy.load(folder)
    learner = Learner(policy, settings=settings("grpo", batch=16, group=4, lr=3e-3, **keys))
    seen: list[Weights] = []
    learner.trainer.optimizer.register_step_pre_hook(lambda *_: seen.append(weights(policy)))
    prompts = [text for text in TEXTS for _ in range(4)]
    answers = learner.generate(prompts)
    metrics = learner.step(prompts, answers, ShareOf("w6").score(prompts, answers))
    return seen, weights(policy), metrics


def test_a_batch_is_left_where_the_policy_has_gone_too_far_from_its_sampler(folder):
    free, _, whole = stepped(folder, epochs=6)
    assert whole["updates"] == 6
    distances = gone(folder, free)
    # One and a half times the limit lies between two passes: the first that is beyond is refused.
    within = max(i for i in range(2, 6) if distances[i] > max(distances[:i]))
    limit = (distances[within] + max(distances[:within])) / 2 / 1.5
    seen, after, metrics = stepped(folder, epochs=6, policy_kl=limit)
    assert metrics["updates"] == len(seen) == within < 6
    assert equal(after, free[within])


def gone(folder: Path, path: list[Weights]) -> list[float]:
    """mean(old - new) over the tokens of the batch at each of these weights, by transformers."""
    policy = Policy.load(folder)
    prompts = [text for text in TEXTS for _ in range(4)]
    learner = Learner(policy, settings=settings("grpo", batch=16, group=4))
    tokens = learner.draw(prompts, learner.seed_of(0)).tokens
    chosen = []
    for at in path:
        for name, p in policy.trainable().items():
            p.data.copy_(at[name])
        with torch.no_grad():
            logprobs = whole_logits(policy, tokens).log_softmax(-1)
        picked = logprobs.gather(-1, tokens.response_ids[..., None])[..., 0]
        chosen.append(picked[tokens.response_mask])
    return [float((chosen[0] - now).mean()) for now in chosen]


class Died(Exception):
    """Stands for the end of a process."""


def test_the_minutes_of_a_run_are_counted_over_its_resumes(llama, tmp_path, monkeypatch):
    """The clock says that a step takes 10 s, so that the second minute ends with step 12."""
    now = [0.0]
    monkeypatch.setattr("humanalign.align.online.time.monotonic", lambda: now[0])
    config = settings(
        steps=50,
        batch=4,
        epochs=1,
        max_new_tokens=2,
        stop={"minutes": 1.99},
        checkpoint={"every": 1},
    )

    def sitting(die_after: int) -> dict:
        run = Run.open(tmp_path / "r", stage="align", config=config.model_dump())

        class Slow(ShareOf):
            def score(self, prompts, completions):
                now[0] += 10.0
                return super().score(prompts, completions)

        def progress(done: int, _: int) -> None:
            if done == die_after:
                now[0] += 1e6  # the time until somebody starts it again does not count
                raise Died

        return online(Policy.load(llama), PROMPTS, Slow(), config, run=run, progress=progress)

    for die_after in (5, 9):
        with pytest.raises(Died):
            sitting(die_after)
    summary = sitting(0)
    assert (summary["steps"], summary["stopped_by"]) == (12, "minutes")


def stop(folder: Path, **keys) -> tuple[int, str]:
    """When a run whose batches earn 1, 2, 3 ... comes to its end."""

    class Rising:
        calls = -1  # the first call calibrates

        def score(self, _prompts, completions):
            self.calls += 1
            return [float(self.calls)] * len(completions)

    small = {"steps": 6, "batch": 4, "epochs": 1, "max_new_tokens": 2}
    summary = online(Policy.load(folder), PROMPTS, Rising(), settings(**small | keys))
    return summary["steps"], summary["stopped_by"]


def test_the_rule_that_is_met_first_ends_the_run(llama):
    assert stop(llama) == (6, "steps")
    assert stop(llama, stop={"reward": 2.0, "patience": 3, "kl": 1e9, "minutes": 99}) == (
        4,
        "reward",
    )
    assert stop(llama, stop={"reward": 6.0, "patience": 2}) == (6, "steps")
    assert stop(llama, stop={"kl": -1e9, "reward": 1.0, "patience": 1}) == (1, "reward")
    assert stop(llama, stop={"kl": -1e9}) == (1, "kl")


def test_a_reward_that_gives_what_is_not_finite_names_itself(llama):
    with pytest.raises(RunError, match="the reward gave"):
        online(Policy.load(llama), PROMPTS, Fixed([math.inf] * 16), settings())


def test_a_processor_without_memory_is_told_from_other_errors():
    # Asked for 64 TiB, the allocator itself says what running out of memory sounds like here.
    with pytest.raises(RuntimeError) as refused:
        torch.empty(2**46)
    assert _out_of_memory(refused.value)
    assert not _out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
