"""The bench of a reward's fit beside trl's: what it compares, and one small run of it."""

from __future__ import annotations

import json
import sys

import pytest

from bench import peers, reward_speed


def report(rate: float, right: list[float], before: list[float]) -> dict:
    rates = {"pairs_per_second": rate, "pairs_per_cpu_second": 2 * rate}
    return {**rates, "right": right, "before": before}


def test_ratios_are_taken_block_by_block_and_accuracy_pair_by_pair():
    ours = [report(6.0, [1, 1, 0, 1], [0.5, 1.0]), report(10.0, [1, 0, 0, 1], [0.5, 1.0])]
    theirs = [report(2.0, [1, 0, 0, 1], [0.5, 1.25]), report(5.0, [1, 0, 0, 1], [0.5, 1.0])]
    found = reward_speed.compared(ours, theirs)
    assert found["ratios"]["pairs_per_second"] == [2.0, 3.0]
    assert found["start_apart"] == 0.25
    assert [each["value"] for each in found["accuracy"]] == [0.625, 0.5]
    assert found["difference"]["value"] == 0.125


@pytest.mark.slow
@pytest.mark.skipif(
    peers.folder("trl-1.12") is None,
    reason="`make test` does not install trl 1.12; `python -m bench.peers trl-1.12` does",
)
def test_both_sides_start_alike_and_take_the_same_steps(shared, minilm, tmp_path, monkeypatch):
    out = tmp_path / "found.json"
    sizes = "--pairs 8 --held-out 3 --batch 4 --max-tokens 24 --blocks 1 --warmup 1"
    data = shared / "data/hh_rlhf/harmless_base_test.shared.jsonl.gz"
    where = f"--model {minilm} --data {data} --precision fp32 --json {out}"
    monkeypatch.setattr(sys, "argv", ["reward_speed", *sizes.split(), *where.split()])
    assert reward_speed.main() == 0
    row = json.loads(out.read_text())["rows"][0]
    assert row["start_apart"] < 1e-4
    assert [side[0]["steps"] for side in row["reports"].values()] == [2, 2]
