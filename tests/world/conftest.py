"""The demo, run once: every test of the bundled world starts from what it left."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from humanalign import cli


@dataclass(frozen=True)
class Demo:
    """The demo's round folder, its summary.json and its settings for sampling."""

    out: Path
    summary: dict

    @property
    def scorer(self) -> str:
        return "python:humanalign.tiny.gold:toxicity_scores"


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    out = tmp_path_factory.mktemp("world") / "demo"
    assert cli.run(["demo", f"out={out}", "seed=0"]) == 0
    return Demo(out, json.loads((out / "summary.json").read_text(encoding="utf-8")))


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
