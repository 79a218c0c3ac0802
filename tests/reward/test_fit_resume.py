"""A fit that dies or is told to stop goes on, and ends bit for bit as it would have."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from humanalign.cli import run as command
from humanalign.models import Lora
from humanalign.reward.fit import fit_reward
from humanalign.reward.recipe import Recipe
from humanalign.rows import write_rows

from .test_fit import simulated_pairs

ALONE = {**os.environ, "OMP_NUM_THREADS": "1"}
EVERYTHING = {"lr": 1e-2, "epochs": 3, "batch": 4, "dropout": 0.2, "average": 0.6, "patience": 2}


def outcome(path: Path) -> dict[str, object]:
    """All that a fit leaves for others, less the clock, down to the bytes of its weights."""
    summary = json.loads((path / "run.json").read_text())["summary"]
    del summary["fit_seconds"]
    weights = {f.name: f.read_bytes() for f in sorted((path / "model").glob("*.safetensors"))}
    return {"summary": summary, "metrics": (path / "metrics.jsonl").read_text(), **weights}


@pytest.mark.parametrize("kind", [{"lora": Lora(rank=2)}, {"pooling": "mean", "centring": 0.01}])
def test_a_fit_that_was_killed_ends_bit_for_bit_as_one_that_was_not(encoder, tmp_path, kind):
    def fit(path: Path, die_after: int = 0) -> None:
        def progress(done: int, _: int) -> None:
            if done == die_after:
                raise EOFError

        fit_reward(
            encoder,
            simulated_pairs(14, seed=1),
            recipe=Recipe(**EVERYTHING, **kind),
            run=path,
            device="cpu",
            checkpoint_every=2,
            progress=progress,
        )

    fit(tmp_path / "whole")
    for kill in (1, 5):
        with pytest.raises(EOFError):
            fit(tmp_path / "r", die_after=kill)
    fit(tmp_path / "r")
    whole, killed = outcome(tmp_path / "whole"), outcome(tmp_path / "r")
    assert {"model.safetensors", "head.safetensors"} <= set(whole)
    assert [name for name in whole | killed if whole.get(name) != killed.get(name)] == []


@pytest.fixture
def one_thread() -> Iterator[None]:
    """What the command beside the test has; sums of many numbers depend on it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_ctrl_c_writes_a_checkpoint_and_the_same_command_goes_on(encoder, tmp_path):
    write_rows(tmp_path / "pairs.jsonl", [p.as_row() for p in simulated_pairs(60, seed=1)])
    argv = f"""reward model={encoder} pairs={tmp_path / "pairs.jsonl"} lr=1e-3 epochs=20 batch=4
        dropout=.1 average=.9 checkpoint.every=0 --run""".split()
    assert command([*argv, str(tmp_path / "whole")]) == 0
    path = tmp_path / "r"
    process = subprocess.Popen(
        [sys.executable, "-m", "humanalign", *argv, str(path)],
        stderr=subprocess.PIPE,
        text=True,
        env=ALONE,
        # A suite started in the background ignores Ctrl-C, and its children would too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        deadline = time.monotonic() + 120
        while not (path / "metrics.jsonl").exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert "Traceback" not in err
    [checkpoint] = (path / "checkpoints").glob("step-*")
    assert 0 < int(checkpoint.name.removeprefix("step-")) < 240
    assert command([*argv, str(path)]) == 0
    assert outcome(path) == outcome(tmp_path / "whole")
