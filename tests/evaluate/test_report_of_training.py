"""What the report says of a training run: which weights were kept, what rang, what grew."""

import json

import pytest
from report_page import Page

from humanalign.evaluate.monitor.monitor import Monitor
from humanalign.evaluate.report.page import report
from humanalign.run import Run
from humanalign.types import Shown


def trained(folder, name, alerts=(), **summary):
    """The page's text for a folder in which a run of align ends with `summary`."""
    run = Run.open(folder / name, stage="align", config={"steps": 6})
    run.append("alerts.jsonl", alerts)
    run.finish({"method": "ppo", "steps": 6, **summary})
    return Page(report(folder).read_text("utf-8")).text


def test_what_the_monitor_writes_of_phrases_is_what_the_page_says(tmp_path):
    """Half of the answers before hold the phrase, all of them after."""
    monitor = Monitor()
    for step in range(4):
        texts = ["most awesome talk" if step > 1 or i % 2 else f"a{i} b{i}" for i in range(64)]
        asked, ask = ["q"] * 64, lambda *_: pytest.fail("no prompts")
        shown = Shown(step, asked, texts, [1.0] * 64, [True] * 64, {"kl_k1": 0.1}, ask)
        monitor.see(shown)
    text = trained(tmp_path, "align", monitor=monitor.summary())
    assert "Share of answers that hold it" in text
    assert "most awesome talk 50.0 % 100.0 %" in text


def alert(step, rule="gold_falls"):
    said = f"Gold fell by {step}."
    return {"step": step, "rule": rule, "level": "danger", "sentence": said, "value": 0.1}


def test_alerts_of_one_rule_are_one_with_their_count_and_their_run(tmp_path):
    trained(tmp_path, "one", [alert(step) for step in (2, 3, 5)])
    top = trained(tmp_path, "two", [alert(4)]).split("Align the policy")[0]
    assert "Gold fell by 2. (one, step 2, 3 times in all)" in top
    assert "Gold fell by 4. (two, step 4)" in top
    assert "Gold fell by 3." not in top


def test_a_run_that_went_back_tells_the_numbers_of_the_weights_it_kept(tmp_path):
    look = {"value": 1.25, "ci_low": 1.0, "ci_high": 1.5, "n": 40}
    zero = {"value": 0.0, "ci_low": 0.0, "ci_high": 0.0, "n": 40}
    text = trained(
        *(tmp_path, "align"),
        **{"reward_before": 1.19, "reward_after": None, "kl": None, "kept_step": 0},
        kept={"step": 0, "kl": zero, "proxy": look, "gold": None},
    )
    assert "Training went on to step 6; the weights that were kept are the model before." in text
    assert "reward 1.25 [1.00, 1.50], n 40; distance in nats 0 [0, 0], n 40." in text
    assert "the reward went from" not in text


def test_without_a_scorer_held_out_none_is_said_to_watch(tmp_path):
    assert "No scorer was held out" in trained(tmp_path, "align", monitor={"looks": []})


def test_a_number_of_four_hundred_digits_is_no_number(tmp_path):
    (tmp_path / "align").mkdir()
    huge = 10**400
    row = {"step": 1, "align/reward": huge, "time/score": huge}
    (tmp_path / "align" / "metrics.jsonl").write_text(json.dumps(row) + "\n")
    record = {"stage": "align", "id": "a", "seconds": huge, "summary": {"kl": huge}}
    (tmp_path / "align" / "run.json").write_text(json.dumps(record))
    assert "Align the policy" in Page(report(tmp_path).read_text("utf-8")).text
