"""The online loop: it counts its steps, learns what is easy, stops when told, resumes exactly."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from small_policies import PROMPTS as TEXTS
from small_policies import train_adapter

from humanalign.align.online import online
from humanalign.errors import RunError
from humanalign.models import Lora, Policy
from humanalign.run import Run
from humanalign.sampling import Sampling, complete
from humanalign.settings import AlignConfig
from humanalign.types import RewardModel

from .online_toys import PROMPTS, Fixed, ShareOf, settings


def opened(path: Path, config: AlignConfig) -> Run:
    return Run.open(path, stage="align", config=config.model_dump(), seed=config.seed)


@pytest.mark.parametrize(
    ("epochs", "minibatches", "batch"), [(1, 1, 8), (2, 4, 8), (3, 4, 10), (1, 4, 5)]
)
def test_optimizer_steps_are_counted_as_configured(llama, epochs, minibatches, batch):
    config = settings(epochs=epochs, minibatches=minibatches, batch=batch, max_new_tokens=3)
    summary = online(Policy.load(llama), PROMPTS, ShareOf(), config)
    assert summary["optimizer_steps"] == 2 * epochs * minibatches
    assert summary["steps"] == 2


def shares(policy: Policy, seed: int) -> np.ndarray:
    """Reward of 128 fresh answers."""
    sampling = Sampling(max_new_tokens=6, ignore_eos=True)
    answers = complete(policy, [TEXTS[0]] * 128, sampling, seed=seed)
    return np.array(ShareOf().score([], [a[0].text for a in answers]))


@pytest.mark.parametrize("method", ["ppo", "rloo", "grpo"])
@pytest.mark.parametrize(
    ("kind", "lora"),
    [("llama", None), ("small_t5", Lora(rank=4))],
    ids=["causal, all weights", "encoder-decoder, lora"],
)
def test_an_easy_task_is_learned_in_25_steps(request, method, kind, lora):
    folder = request.getfixturevalue(kind)
    policy = Policy.load(folder, lora=lora)
    before = shares(policy, seed=1)
    config = settings(
        method,
        steps=25,
        batch=32,
        epochs=2,
        lr=5e-3 if lora is None else 2e-2,
        ignore_eos=True,
        kl={"coef": 0.01},
    )
    summary = online(policy, PROMPTS, ShareOf(), config)
    after = shares(policy, seed=2)
    error = np.sqrt((before.var() + after.var()) / 128)
    assert after.mean() - before.mean() - 2 * error > 0.2
    assert summary["reward_after"] == pytest.approx(after.mean(), abs=0.2)
    assert summary["kl"] > 0


class Killed(Exception):
    """Stands for a process that dies."""


def align(run: Run, folder: Path, config: AlignConfig, die_after: int = 0) -> dict:
    def progress(done: int, total: int) -> None:
        assert total == config.steps
        if done == die_after:
            raise Killed

    lora = Lora(config.lora.rank) if config.lora.rank else None
    policy = Policy.load(folder, lora=lora, seed=config.seed)
    return online(policy, PROMPTS, ShareOf(), config, run=run, progress=progress)


def steady(run: Run) -> list[dict]:
    """The metrics without the clock, which alone may differ."""
    return [{k: v for k, v in row.items() if not k.startswith("time/")} for row in run.metrics()]


def weights(run: Run) -> dict[str, torch.Tensor]:
    [file] = (run.path / "policy").glob("*.safetensors")
    return load_file(file)


def same_weights(a: Run, b: Run) -> bool:
    left, right = weights(a), weights(b)
    return left.keys() == right.keys() and all(torch.equal(left[n], right[n]) for n in left)


@pytest.mark.parametrize("die_after", [1, 3])
@pytest.mark.parametrize(
    "keys",
    [
        {"method": "ppo", "kl": {"target": 0.5}, "schedule": "linear"},
        {"method": "grpo", "lora": {"rank": 0}},
    ],
    ids=["ppo", "grpo"],
)
def test_a_killed_run_ends_bit_for_bit_as_if_it_had_not_been(folder, keys, die_after, tmp_path):
    config = settings(**keys, steps=5, epochs=2, minibatches=2, checkpoint={"every": 2})
    whole = opened(tmp_path / "whole", config)
    summary = align(whole, folder, config)
    with pytest.raises(Killed):
        align(opened(tmp_path / "killed", config), folder, config, die_after)
    killed = opened(tmp_path / "killed", config)
    assert align(killed, folder, config) == summary
    assert steady(killed) == steady(whole)
    assert [row["step"] for row in whole.metrics()] == [1, 2, 3, 4, 5]
    assert same_weights(killed, whole)
    for name in ("samples.jsonl",):
        assert (killed.path / name).read_text() == (whole.path / name).read_text()


def test_a_run_killed_between_its_last_checkpoint_and_its_end_still_tells_all(llama, tmp_path):
    config = settings(steps=4, checkpoint={"every": 2})
    summary = align(opened(tmp_path / "whole", config), llama, config)
    with pytest.raises(Killed):
        align(opened(tmp_path / "killed", config), llama, config, die_after=4)
    killed = opened(tmp_path / "killed", config)
    assert align(killed, llama, config) == summary
    assert {"reward_before", "reward_after", "kl", "stopped_by"} <= summary.keys()
    assert len((killed.path / "samples.jsonl").read_text().splitlines()) == 16


def test_the_state_of_the_stop_rule_survives_a_kill(llama, tmp_path):
    config = settings(
        steps=9, stop={"reward": 0.5, "patience": 4}, checkpoint={"every": 2}, ignore_eos=True
    )

    def always(run: Run, die_after: int) -> dict:
        def progress(done: int, _: int) -> None:
            if done == die_after:
                raise Killed

        fixed = Fixed([1.0] * 16)
        return online(Policy.load(llama), PROMPTS, fixed, config, run=run, progress=progress)

    with pytest.raises(Killed):
        always(opened(tmp_path / "r", config), die_after=3)
    summary = always(opened(tmp_path / "r", config), die_after=0)
    assert (summary["steps"], summary["stopped_by"]) == (4, "reward")


class Rising:
    """1, 2, 3 ... a batch after the other; the first call calibrates."""

    def __init__(self) -> None:
        self.calls = -1

    def score(self, prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
        del prompts
        self.calls += 1
        return [float(self.calls)] * len(completions)


def stopped(llama: Path, reward: RewardModel, **keys: object) -> tuple[int, str]:
    summary = online(Policy.load(llama), PROMPTS, reward, settings(steps=8, **keys))
    return summary["steps"], summary["stopped_by"]


def test_it_stops_when_the_reward_was_reached_often_enough_in_a_row(llama):
    assert stopped(llama, Rising(), stop={"reward": 3.0, "patience": 2}) == (4, "reward")


def test_one_step_below_the_threshold_starts_the_count_again(llama):
    class UpAndDown(Rising):
        def score(self, prompts, completions):
            super().score(prompts, completions)
            return [float([0, 1, 1, 0, 1, 1, 1][min(self.calls, 6)])] * len(completions)

    assert stopped(llama, UpAndDown(), stop={"reward": 1.0, "patience": 3}) == (6, "reward")


def test_it_stops_when_the_kl_budget_is_spent(llama):
    # Nothing is spent at step 1, whose answers are the reference's own.
    assert stopped(llama, ShareOf(), stop={"kl": 1e-9}, lr=1e-2) == (2, "kl")


def test_it_stops_after_its_minutes(llama):
    assert stopped(llama, ShareOf(), stop={"minutes": 1e-9}) == (1, "minutes")


def test_it_stops_at_the_maximum_of_steps(llama):
    assert stopped(llama, ShareOf(), stop={"reward": 2.0}) == (8, "steps")


def coefs(llama: Path, path: Path, target: float | None) -> list[float]:
    config = settings(
        steps=3, lr=1e-2, epochs=1, kl={"coef": 0.1, "target": target, "horizon": 160}
    )
    run = opened(path, config)
    online(Policy.load(llama), PROMPTS, ShareOf(), config, run=run)
    return [row["align/kl_coef"] for row in run.metrics()]


def test_the_coefficient_rises_above_its_target_and_falls_below_it(llama, tmp_path):
    # Ziegler et al. 2019: the error is clipped to +-.2 and a step is 16 of 160 episodes, so the
    # coefficient moves by 2 % a step. At step 1 the KL is 0, below any target.
    assert coefs(llama, tmp_path / "fixed", None) == [0.1, 0.1, 0.1]
    tight = coefs(llama, tmp_path / "tight", 1e-6)
    assert tight == pytest.approx([0.1, 0.1 * 0.98, 0.1 * 0.98 * 1.02])
    loose = coefs(llama, tmp_path / "loose", 1e6)
    assert loose == pytest.approx([0.1, 0.1 * 0.98, 0.1 * 0.98**2])


def test_the_first_row_says_that_nothing_has_moved_yet(folder, tmp_path):
    config = settings(steps=1, epochs=1)
    run = opened(tmp_path / "r", config)
    policy = train_adapter(Policy.load(folder, lora=Lora(rank=2)))
    online(policy, PROMPTS, ShareOf(), config, run=run)
    [row] = run.metrics()
    assert row["align/kl"] == 0.0
    assert row["align/clip_fraction"] == 0.0
    assert abs(row["align/policy_kl"]) < 1e-5
    assert {"time/step", "time/rollout", "time/update", "align/entropy"} <= row.keys()


def test_an_aligned_policy_is_loaded_from_its_run(folder, tmp_path):
    config = settings(lora={"rank": 2})
    run = opened(tmp_path / "r", config)
    policy = Policy.load(folder, lora=Lora(rank=2))
    online(policy, PROMPTS, ShareOf(), config, run=run)
    tokens = policy.encode(TEXTS, ["w1", "w2", "w3"])
    with torch.no_grad():
        assert torch.equal(Policy.load(tmp_path / "r").logprobs(tokens), policy.logprobs(tokens))
    written = json.loads((tmp_path / "r" / "run.json").read_text())
    assert written["summary"]["method"] == "ppo"


def test_a_prompt_set_smaller_than_the_batch_is_gone_through_evenly(llama):
    seen: list[str] = []

    class Watch(ShareOf):
        def score(self, prompts, completions):
            seen.extend(prompts)
            return super().score(prompts, completions)

    online(Policy.load(llama), PROMPTS, Watch(), settings(steps=3, batch=8, max_new_tokens=2))
    steps = seen[8:]  # the first batch calibrates
    assert {text: steps.count(text) for text in set(steps)} == {p.text: 6 for p in PROMPTS}


def test_a_group_holds_the_answers_to_one_prompt(llama):
    seen: list[list[str]] = []

    class Watch(ShareOf):
        def score(self, prompts, completions):
            seen.append(list(prompts))
            return super().score(prompts, completions)

    config = settings("rloo", steps=1, batch=8, group=4, max_new_tokens=2)
    online(Policy.load(llama), PROMPTS, Watch(), config)
    assert [[len(set(p[i : i + 4])) for i in (0, 4)] for p in seen] == [[1, 1], [1, 1]]


def test_a_loss_that_explodes_stops_the_run_with_a_sentence(llama):
    config = settings(lr=1e30, steps=4, epochs=4)
    with pytest.raises(RunError, match=r"lower lr|not finite"):
        online(Policy.load(llama), PROMPTS, ShareOf(), config)
