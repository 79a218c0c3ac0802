"""A run that dies goes on: killed at any moment, told to stop, or left with damaged files."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from small_policies import train_adapter

from humanalign.align.online import online
from humanalign.cli import run as command
from humanalign.errors import RunError
from humanalign.models import Lora, Policy
from humanalign.run import Run
from humanalign.settings import AlignConfig

from .online_toys import PROMPTS, ShareOf, settings

TESTS = Path(__file__).resolve().parents[1]
ALONE = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(TESTS)}


def steady(path: Path) -> list[dict]:
    """The metrics without the clock, which alone may differ."""
    rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if not k.startswith("time/")} for row in rows]


def outcome(path: Path) -> dict[str, object]:
    """All that a run leaves for others, down to the bytes of its weights."""
    record = json.loads((path / "run.json").read_text())
    left: dict[str, object] = {"metrics": steady(path), "summary": record["summary"]}
    left["status"], left["samples"] = record["status"], (path / "samples.jsonl").read_bytes()
    for folder in ("policy", "best"):
        for file in sorted((path / folder).glob("*.safetensors")):
            left[f"{folder}/{file.name}"] = file.read_bytes()
    return left


def differing(one: dict[str, object], other: dict[str, object]) -> list[str]:
    """The names of what is not the same on both sides."""
    return [name for name in one | other if one.get(name) != other.get(name)]


@pytest.mark.slow
def test_a_run_killed_at_any_moment_ends_bit_for_bit_as_the_one_that_was_not(tmp_path):
    argv = [sys.executable, "-m", "align.kill", str(tmp_path)]
    done = subprocess.run(argv, env=ALONE, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    victims = json.loads((tmp_path / "kills.json").read_text())
    wrong = {}
    for victim in victims:
        whole, killed = outcome(tmp_path / f"{victim['case']}-whole"), outcome(Path(victim["path"]))
        assert {"policy", "best"} <= {name.split("/")[0] for name in whole}
        if differing(whole, killed):
            wrong[victim["path"], str(victim["seconds"])] = differing(whole, killed)
    assert wrong == {}
    assert {v["case"] for v in victims} == {"causal-all", "causal-lora", "t5-all", "t5-lora"}
    assert sum(len(v["seconds"]) for v in victims) >= 20
    # The kills were spread: over the steps, and some while a checkpoint was being written.
    assert len({n for v in victims for n in v["steps"]}) >= 4
    assert sum(v["writing"] for v in victims) >= 1


def started(folder: Path, config: AlignConfig) -> Policy:
    lora = Lora(config.lora.rank) if config.lora.rank else None
    return Policy.load(folder, lora=lora, seed=config.seed)


def aligned(folder: Path, path: Path, config: AlignConfig, *, die_after: int = 0) -> dict:
    """Run to the end, or to the step after which the process is said to die."""

    def progress(done: int, _: int) -> None:
        if done == die_after:
            raise EOFError

    run = Run.open(path, stage="align", config=config.model_dump(), seed=config.seed)
    return online(started(folder, config), PROMPTS, ShareOf(), config, run=run, progress=progress)


FREQUENT = settings(
    steps=6, batch=4, epochs=1, max_new_tokens=3, lora={"rank": 2}, checkpoint={"every": 1}
)


def killed_at_5(folder: Path, path: Path, config: AlignConfig) -> list[Path]:
    """The checkpoints that a run which died after its step 5 has left, oldest first."""
    with pytest.raises(EOFError):
        aligned(folder, path, config, die_after=5)
    return sorted((path / "checkpoints").glob("step-*"))


def cut(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def edit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))


@pytest.mark.parametrize("damage", [cut, edit])
@pytest.mark.parametrize("name", ["trained.safetensors", "optimizer.pt", "loop.json"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_gone_on_from(
    llama, tmp_path, caplog, damage, name
):
    aligned(llama, tmp_path / "whole", FREQUENT)
    _, last = killed_at_5(llama, tmp_path / "r", FREQUENT)
    damage(last / name)
    with caplog.at_level(logging.WARNING, logger="humanalign"):
        aligned(llama, tmp_path / "r", FREQUENT)
    assert differing(outcome(tmp_path / "whole"), outcome(tmp_path / "r")) == []
    assert str(last / name) in caplog.text


def test_without_a_whole_checkpoint_the_run_begins_again(llama, tmp_path):
    aligned(llama, tmp_path / "whole", FREQUENT)
    for checkpoint in killed_at_5(llama, tmp_path / "r", FREQUENT):
        edit(checkpoint / "trained.safetensors")
    aligned(llama, tmp_path / "r", FREQUENT)
    assert differing(outcome(tmp_path / "whole"), outcome(tmp_path / "r")) == []


def test_what_is_written_after_a_damaged_checkpoint_outlives_it(llama, tmp_path):
    for checkpoint in killed_at_5(llama, tmp_path / "r", FREQUENT):
        edit(checkpoint / "trained.safetensors")
    with pytest.raises(EOFError):
        aligned(llama, tmp_path / "r", FREQUENT, die_after=3)
    left = sorted(p.name for p in (tmp_path / "r" / "checkpoints").glob("step-*"))
    assert left == ["step-000002", "step-000003"]


@pytest.mark.parametrize("keep", [1, 3])
def test_as_many_checkpoints_are_kept_as_was_asked_for(llama, tmp_path, keep):
    config = FREQUENT.model_copy(
        update={"checkpoint": FREQUENT.checkpoint.model_copy(update={"keep": keep})}
    )
    left = [p.name for p in killed_at_5(llama, tmp_path / "r", config)]
    assert left == [f"step-{n:06d}" for n in range(6 - keep, 6)]


def test_a_run_killed_while_its_first_file_was_written_begins_again(llama, tmp_path):
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / ".run.json.4711.partial").write_text('{"stage": "al')
    assert aligned(llama, tmp_path / "r", FREQUENT)["steps"] == 6


@pytest.mark.parametrize("rank", [0, 2])
def test_a_policy_that_has_learned_is_refused_where_a_run_goes_on(folder, tmp_path, rank):
    config = settings(**{**FREQUENT.model_dump(), "lora": {"rank": rank}})
    killed_at_5(folder, tmp_path / "r", config)
    run = Run.open(tmp_path / "r", stage="align", config=config.model_dump(), seed=config.seed)
    policy = started(folder, config)
    if rank:
        train_adapter(policy, 0.01)
    else:
        next(iter(policy.trainable().values())).data += 1e-3
    with pytest.raises(RunError, match="is not the policy this run started from") as caught:
        online(policy, PROMPTS, ShareOf(), config, run=run)
    assert str(caught.value).endswith("load the policy anew, as the run began")


@pytest.fixture
def one_thread() -> Iterator[None]:
    """What the commands beside the test have; sums of many numbers depend on it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def interrupted(argv: list[str], path: Path, number: int, rows: int) -> tuple[int, int]:
    """Run the command until it has written `rows` metrics, send it a signal.

    Returns the steps of its metrics and of its checkpoint when it ended.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "humanalign", *argv],
        stderr=subprocess.PIPE,
        text=True,
        env=ALONE,
        # A suite started in the background ignores Ctrl-C, and its children would too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        deadline = time.monotonic() + 120
        while not (path / "metrics.jsonl").exists() or len(steady(path)) < rows:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert "Traceback" not in err
    [*_, checkpoint] = sorted((path / "checkpoints").glob("step-*"))
    return steady(path)[-1]["step"], int(checkpoint.name.removeprefix("step-"))


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_a_command_told_to_stop_saves_its_step_and_then_ends_bit_for_bit(llama, tmp_path):
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("\n".join(p.text for p in PROMPTS))
    argv = f"""align model={llama} prompts={prompts} reward=rule:length steps=60 batch=8 epochs=2
        minibatches=2 max_new_tokens=5 lora.rank=2 lr=1e-3 schedule=linear kl.target=.5 ema=.9
        standardise=running checkpoint.every=0 checkpoint.best=true --run""".split()
    assert command([*argv, str(tmp_path / "whole")]) == 0
    path, reached = tmp_path / "r", 0
    for number in (signal.SIGTERM, signal.SIGINT):
        said, saved = interrupted([*argv, str(path)], path, number, reached + 2)
        assert saved == said >= reached + 2
        reached = saved
    assert command([*argv, str(path)]) == 0
    assert differing(outcome(tmp_path / "whole"), outcome(path)) == []
