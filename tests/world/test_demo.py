"""The demo keeps its promises: less toxic, as good a summary, and it knows whom to trust."""

import pytest

from humanalign.run import find_runs

pytestmark = pytest.mark.slow


def test_toxicity_falls_by_four_fifths_with_an_interval_well_above_half(demo):
    reduction = demo.summary["toxicity"]["relative_reduction"]
    assert reduction["value"] >= 0.80
    assert reduction["ci_low"] > 0.60
    assert demo.summary["toxicity"]["before"]["n"] >= 500
    assert demo.summary["toxicity"]["after"]["n"] >= 500


def test_the_summaries_are_no_worse_against_clean_references(demo):
    rouge = demo.summary["quality"]["rougeL"]
    assert rouge["after"]["value"] >= rouge["before"]["value"] - 0.02


def test_the_reversed_labeler_is_found_and_no_careful_one_is_accused(demo):
    flagged = {r["id"]: r["reason"] for r in demo.summary["labelers"] if r["flagged"]}
    assert "misread the instructions" in flagged["backwards-7"]
    assert not [name for name in flagged if name.startswith("careful")]


def test_the_reward_model_is_near_what_the_labelers_noise_allows(demo):
    found = demo.summary["reward_model"]
    assert found["accuracy"]["value"] >= 0.9 * found["noise_ceiling"]


def test_it_stays_within_five_minutes_of_one_core_and_two_gigabytes(demo):
    # What it takes on a machine of its own; the clock would count the tests beside it.
    assert demo.cpu_seconds < 300
    assert demo.summary["peak_memory_mb"] < 2000


def test_every_stage_names_its_parents(demo):
    by_stage = {record["stage"]: record for _, record in find_runs(demo.out)}
    parents = {stage: [p["stage"] for p in r["parents"]] for stage, r in by_stage.items()}
    assert parents["reward"] == ["prefer"]
    assert parents["align"] == ["reward"]
    assert parents["evaluate"] == ["align"]


def test_no_test_dialogue_was_ranked_or_trained_on(demo):
    from humanalign.rows import read_rows

    part = {
        name: {row["prompt"] for row in read_rows(demo.out / f"prompts.{name}.jsonl")}
        for name in ("ranked", "trained", "tested")
    }
    assert not part["tested"] & (part["ranked"] | part["trained"])
    assert not part["ranked"] & part["trained"]


def test_the_reward_never_saw_the_exact_scorer(demo):
    import yaml

    settings = yaml.safe_load((demo.out / "align" / "config.yaml").read_text(encoding="utf-8"))
    assert settings["reward"] == f"run:{demo.out / 'reward'}"


def test_the_same_command_again_returns_at_once_with_the_same_numbers(demo, command):
    before = (demo.out / "align" / "metrics.jsonl").read_bytes()
    again = command("demo", f"out={demo.out}", "seed=0")
    assert again["toxicity"] == demo.summary["toxicity"]
    assert (demo.out / "align" / "metrics.jsonl").read_bytes() == before
