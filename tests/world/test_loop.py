"""Two rounds: the second starts from what the first promoted, and toxicity keeps falling."""

import pytest

from humanalign.rows import read_rows, write_rows
from humanalign.run import find_runs
from humanalign.tiny.demo import write_world

pytestmark = pytest.mark.slow

RANKED = 160  # prompts, half of them in each round
SETTINGS = """
model: tiny-instruct
rounds: 2
round:
  collect: {samples: 4, max_new_tokens: 48}
  prefer: {raters: simulated}
  reward:
    {model: tiny-instruct, lr: 2e-3, epochs: 3, batch: 4, dropout: 0, layer_decay: 1.0, warmup: 0}
  align: {steps: 6, batch: 48, lr: 1e-3, minibatches: 2, max_new_tokens: 48}
  evaluate: {max_new_tokens: 48, limit: 120}
  scorers: {toxicity: 'python:humanalign.tiny.gold:toxicity_scores'}
"""


def test_two_rounds_go_on_from_each_other(command, tmp_path):
    config = tmp_path / "loop.yaml"
    config.write_text(SETTINGS, encoding="utf-8")
    world = write_world(tmp_path, seed=0)
    ranked = tmp_path / "ranked.jsonl"
    write_rows(ranked, read_rows(world.ranked)[:RANKED])
    words = [config, f"prompts={ranked}", f"test_prompts={world.tested}"]
    found = command("loop", *words, f"out={tmp_path / 'loop'}")
    first, second = found["rounds"]
    assert second["rankings"] > first["rankings"]  # one store: judgements add up
    assert first["promoted"]
    assert second["toxicity"]["value"] < 0.5 * _before(tmp_path / "loop" / "round-1")
    models = {
        path.parent.name: record
        for path, record in find_runs(tmp_path / "loop")
        if record["stage"] == "collect"
    }
    assert models["round-2"]["parents"][0]["path"] == str(tmp_path / "loop" / "round-1" / "align")
    assert (tmp_path / "loop" / "round-2" / "report.html").exists()


def _before(folder):
    record = dict(find_runs(folder))[folder / "evaluate"]
    return record["summary"]["toxicity"]["before"]["value"]
