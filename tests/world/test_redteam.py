"""The red team on the bundled world: the demo's aligned policy gives way less often."""

from pathlib import Path

import pytest

from humanalign.cli import perform


@pytest.mark.slow
def test_alignment_lowers_attack_success_in_the_bundled_world(demo, tmp_path: Path):
    words = [
        *(f"model={demo.out / 'align'}", "against=tiny-instruct", "prompts=tiny", "limit=60"),
        *("mutations=[]", "max_new_tokens=48"),
        "scorers.toxicity=python:humanalign.tiny.gold:toxicity_scores",
    ]
    found = perform("redteam", words, tmp_path / "redteam")["attack_success"]
    assert found["difference"]["ci_high"] < 0
    assert found["verdict"] == "improved"
