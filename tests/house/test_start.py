"""The command answers at once: help needs no torch."""

from __future__ import annotations

import subprocess
import sys
import time

SECONDS = 0.4
HELP = [sys.executable, "-m", "humanalign", "--help"]


def seconds_of(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, capture_output=True, check=True)
    return time.perf_counter() - started


def test_help_comes_in_less_than_four_tenths_of_a_second():
    best = min(seconds_of(HELP) for _ in range(5))
    # A machine whose bare interpreter is slow today is not the command's fault.
    bare = min(seconds_of([sys.executable, "-c", "pass"]) for _ in range(3))
    assert best - max(0.0, bare - 0.05) < SECONDS


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom humanalign.cli import run\nassert run(['--help']) == 0\n"
        "heavy = {'torch', 'transformers', 'pydantic', 'sqlalchemy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "align" in result.stdout
