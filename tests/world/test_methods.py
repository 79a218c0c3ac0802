"""RLOO and GRPO, rows of the online table, lower the toxicity on the bundled world."""

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("method", ["rloo", "grpo"])
def test_a_group_method_lowers_toxicity_with_an_interval_clear_of_zero(
    demo, command, tmp_path, method
):
    command(
        "align",
        f"method={method}",
        "model=tiny-instruct",
        f"prompts={demo.out / 'prompts.trained.jsonl'}",
        f"reward=run:{demo.out / 'reward'}",
        "max_new_tokens=48",
        "steps=12",
        "lr=1e-3",
        "--run",
        tmp_path / method,
    )
    found = command(
        "evaluate",
        f"model={tmp_path / method}",
        "against=tiny-instruct",
        f"prompts={demo.out / 'prompts.tested.jsonl'}",
        "limit=300",
        "max_new_tokens=48",
        f"scorers.toxicity={demo.scorer}",
        "--run",
        tmp_path / "evaluate",
    )
    difference = found["toxicity"]["difference"]
    assert difference["ci_high"] < 0, found["toxicity"]
