"""The demo, run once: every test of the bundled world starts from what it left."""

import fcntl
import json
import os
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from humanalign import cli


@dataclass(frozen=True)
class Demo:
    """The demo's round folder, its summary.json and the seconds it had of one core."""

    out: Path
    summary: dict
    cpu_seconds: float

    @property
    def scorer(self) -> str:
        return "python:humanalign.tiny.gold:toxicity_scores"


@pytest.fixture(scope="session")
def demo(between_workers: Path) -> Demo:
    out, cost = between_workers / "demo", between_workers / "demo.cost.json"
    with (between_workers / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another worker may be at it
        if not cost.exists():
            cost.write_text(json.dumps(_run_alone(["demo", f"out={out}", "seed=0"])))
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    return Demo(out, summary, json.loads(cost.read_text()))


def _run_alone(words: list[str]) -> float:
    """Run a command in its own process and return the seconds that it had of one core.

    Its peak memory is then its own, and not that of the tests before it.
    """
    before = _cpu_seconds_of_children()
    done = subprocess.run(
        [sys.executable, "-m", "humanalign", *words],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return _cpu_seconds_of_children() - before


def _cpu_seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]):
    """Run a humanalign command line that must succeed; returns its --json result."""

    def perform(*words: object) -> dict:
        capsys.readouterr()
        code = cli.run([str(w) for w in words] + ["--json"])
        printed = capsys.readouterr()
        assert code == 0, printed.err
        return json.loads(printed.out.splitlines()[-1])

    return perform
