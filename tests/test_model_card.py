"""export of a policy: its card is the Hub's, tells what was measured, and its code runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import tiny_models
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt

from humanalign.cli import run as command
from humanalign.evaluate.model_card import Story, Told, measures, policy_card
from humanalign.models import Policy
from humanalign.run import Run
from humanalign.sampling import Sampling, complete
from humanalign.verbs.exporting import told_of


def result(value: float, n: int = 600) -> dict:
    return {"value": value, "ci_low": value - 0.5, "ci_high": value + 0.5, "n": n}


def compared(before: float, after: float, verdict: str = "improved", n: int = 600) -> dict:
    return {
        "before": result(before, n),
        "after": result(after, n),
        "difference": result(after - before, n),
        "p": 0.01,
        "p_holm": 0.03,
        "verdict": verdict,
    }


def told(stage: str, summary: dict, config: dict | None = None, alerts: tuple = ()) -> Told:
    record = {"id": f"{stage}-1", "stage": stage, "seed": 3, "summary": summary, "parents": []}
    record |= {"versions": {"humanalign": "0.1.0"}, "config_hash": "c0ffee"}
    return Told(record, config or {}, alerts)


def card(run: Told | None = None, *, ancestors: tuple = (), measured: tuple = (), **more) -> str:
    about = {"base": "google/flan-t5-base", "license": "mit", "is_encoder_decoder": False} | more
    run = run or told("align", {"method": "ppo"}, {"reward": "run:runs/1/reward"})
    return policy_card(Story(run, ancestors, measured, **about))


EVALUATION = told(
    "evaluate",
    {
        "prompts": 600,
        "toxicity": compared(0.25, 0.125) | {"over_half": {"after": result(0.0625)}},
        "scorers": {"reward": compared(1.0, 2.0)},
        "power": {"smallest": 0.1},
    },
    {"prompts": "/home/me/held-out.jsonl", "against": "a", "seed": 0, "judge": None},
)


def test_the_hub_reads_back_the_metadata_and_every_measure():
    data = ModelCard(card(measured=(EVALUATION,))).data
    assert (data.library_name, data.base_model, data.license) == (
        "transformers",
        "google/flan-t5-base",
        "mit",
    )
    assert data.tags == ["humanalign", "align", "ppo"]
    found = {each.metric_name: each.metric_value for each in data.eval_results}
    assert found == {"toxicity": 0.125, "toxicity/over_half": 0.0625, "scorers/reward": 2.0}
    assert {each.dataset_name for each in data.eval_results} == {"held-out.jsonl"}


def test_a_measure_is_told_before_and_after_with_interval_n_and_p():
    (row,) = [line for line in card(measured=(EVALUATION,)).splitlines() if "| toxicity |" in line]
    text = row.replace("\u00a0", " ").replace("\\", "")
    assert "| 0.250 [−0.250, 0.750], n 600 | 0.125 [−0.375, 0.625], n 600 |" in text
    assert text.endswith("| 0.030 | improved |")


def test_the_command_is_that_of_the_evaluation_without_anybodys_folders():
    text = card(measured=(EVALUATION,))
    said = re.search(r"```\nhumanalign evaluate.*?```", text, re.DOTALL)
    assert said
    assert "prompts=me/held-out.jsonl" in said[0]
    assert "seed=0" in said[0]
    assert "judge" not in said[0]
    assert "/home" not in text


def test_a_model_that_was_never_measured_says_so_and_has_no_results():
    text = card()
    assert "nothing here shows that it is better" in text
    assert ModelCard(text).data.eval_results is None


def test_what_is_worse_or_rests_on_few_prompts_stands_among_the_limits():
    poor = told("evaluate", {"scorers": {"polite": compared(2.0, 1.0, "worse", n=40)}})
    limits = card(measured=(poor,)).partition("## Limits and risks")[2]
    assert "Shown to be worse than before: scorers/polite." in limits
    assert "rest on 40 prompts" in limits


def test_attack_success_is_told_by_category():
    attacked = told(
        "redteam",
        {"attack_success": compared(0.5, 0.25), "by": {"weapons": {"after": result(0.75)}}},
    )
    text = card(measured=(attacked,))
    assert "| success, weapons |" in text
    assert "how it answers to malice is unknown" not in text


def test_alerts_of_the_monitor_are_told_once_with_their_number():
    """Of one rule no two sentences are alike: they hold the numbers."""
    alert = {"step": 1, "rule": "gold_falls", "level": "danger", "sentence": "Gold fell by 1."}
    other = alert | {"step": 2, "sentence": "Gold fell by 2."}
    text = card(told("align", {"method": "ppo"}, alerts=(alert, other)))
    assert "| danger | Gold fell by 1. | 2 |" in text
    assert "Gold fell by 2." not in text


def test_of_a_run_that_went_back_the_numbers_are_those_of_what_was_kept():
    kept = {"step": 2, "kl": result(0.75), "proxy": result(1.5), "gold": None}
    summary = {"method": "ppo", "steps": 6, "kept_step": 2, "kept": kept, "kl": None}
    text = card(told("align", summary | {"reward_before": 1.25, "reward_after": None}))
    assert "| Weights kept | of step 2, those after it thrown away |" in text
    assert "| KL to the model before on held-out prompts, nats | 0.750 " in text
    assert "| Reward on held-out prompts (what was optimised: no evidence) | 1.50 " in text
    assert "Reward in training" not in text


def test_a_base_on_somebodys_disk_is_no_name_on_the_hub():
    text = card(base="/home/me/models/flan", license=None)
    assert ModelCard(text).data.base_model is None
    assert "\nmodels/flan, after ppo" in text


def test_names_from_data_cannot_become_markdown_html_or_metadata():
    evil = "</table><script>alert(1)</script>\n---\n# x | `y` [z](javascript:1)"
    run = told("align", {"method": evil}, {"reward": evil, "template": evil}, ({"sentence": evil},))
    measured = told("evaluate", {"scorers": {evil: compared(0.0, 1.0)}}, {"prompts": evil})
    text = card(run, measured=(measured,), base=evil, license=evil)
    data = ModelCard(text).data
    assert data.license == evil
    assert data.eval_results[0].metric_name == f"scorers/{evil}"
    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(ModelCard(text).text)
    assert "<script" not in page
    assert "href" not in page
    assert page.count("<h1>") == 1


def test_only_what_has_an_after_is_a_measure():
    tree = {"a": {"b": {"after": result(1.0)}, "by": {"c": {"after": result(2.0)}}}, "d": 3}
    assert [name for name, _ in measures(tree)] == ["a/b"]


def tuned(place: Path, model: str) -> Path:
    rows = place / "rows.jsonl"
    rows.write_text(json.dumps({"prompt": "w1 w2", "response": "w3"}) + "\n")
    words = [f"model={model}", f"data={rows}", "lora.rank=4", "lr=0.05"]
    assert command(["sft", *words, "--run", str(place / "round" / "sft")]) == 0
    return place / "round" / "sft"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["encoder-decoder", "causal"])
def test_the_code_in_the_card_gives_the_policys_likeliest_answer(kind, tmp_path):
    """The trained one's: an adapter that was left out would answer otherwise."""
    model = "tiny-instruct" if kind != "causal" else tiny_models.save_causal(tmp_path / "base")
    place, out = tuned(tmp_path, str(model)), tmp_path / "out"
    measured = Run.open(
        place.parent / "evaluate", stage="evaluate", config={}, parents=[Run.parent(place)]
    )
    measured.finish({"toxicity": compared(0.25, 0.125)})
    assert command(["export", str(place), "--out", str(out)]) == 0
    text = (out / "README.md").read_text()
    assert "| toxicity |" in text  # found, as it lies next to the run
    assert str(tmp_path) not in text
    prompt = "w1 w2" if kind == "causal" else "Say something kind about the cook."
    names = {"folder": str(out), "prompt": prompt}
    exec(re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0], names)
    greedy = Sampling(temperature=0.0, max_new_tokens=32 if kind == "causal" else 64)
    ((expected,),) = complete(Policy.load(place), [prompt], greedy)
    assert names["answer"].strip() == expected.text.strip()


def test_evaluations_that_are_elsewhere_must_be_there(tmp_path, capsys):
    run = Run.open(tmp_path / "sft", stage="sft", config={})
    run.finish({})
    words = ["export", str(run.path), "--out", str(tmp_path / "out"), "evaluation=nowhere"]
    assert command(words) == 2
    assert "evaluation: nowhere is no directory" in capsys.readouterr().err


@pytest.mark.parametrize("inside", [".", "policy", "checkpoints/x"])
def test_a_run_is_never_exported_into_itself(inside, tmp_path, capsys):
    run = Run.open(tmp_path / "sft", stage="sft", config={})
    run.finish({})
    assert command(["export", str(run.path), "--out", str(run.path / inside)]) == 2
    assert "is part of the run" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path, capsys):
    run = Run.open(tmp_path / "sft", stage="sft", config={})
    run.finish({})
    (tmp_path / "file").write_text("")
    assert command(["export", str(run.path), "--out", str(tmp_path / "file" / "x")]) == 2
    assert "is no directory" in capsys.readouterr().err
    assert command(["report", str(run.path), f"out={tmp_path / 'file' / 'page.html'}"]) == 2
    assert "give another out=" in capsys.readouterr().err


def test_half_a_line_of_alerts_and_a_broken_config_do_not_stop_a_card(tmp_path):
    run = Run.open(tmp_path / "sft", stage="sft", config={})
    (run.path / "alerts.jsonl").write_text('{"step": 3, "rule": "same"}\n{"step": 4, "ru')
    (run.path / "config.yaml").write_bytes(b"\xff")
    found = told_of(run.path)
    assert found.alerts == ({"step": 3, "rule": "same"},)
    assert found.config == {}
