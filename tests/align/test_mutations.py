"""Every damaged line of the PPO loop makes a test fail: the tests can tell right from wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .damage import MUTATIONS

TESTS = Path(__file__).resolve().parents[1]


def test_the_table_of_damage_covers_every_file_of_the_loop():
    files = {m.file for m in MUTATIONS}
    loop = {"learner", "update", "rollout", "chunks", "pieces"}
    assert {f"align/{name}.py" for name in loop} <= files
    assert {"sampling.py", "models.py", "adapters.py", "decoding.py", "train.py"} <= files
    assert len({(m.file, m.old, m.new) for m in MUTATIONS}) == len(MUTATIONS) >= 35


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="a mutation is a forked process")
def test_every_damaged_line_of_the_loop_is_noticed():
    # A process of its own: it forks, which threads of this one would not survive.
    env = os.environ | {"PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "align.mutations"], env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
