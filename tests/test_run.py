"""A run directory: what it keeps, when it resumes, and what it refuses."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from humanalign.errors import DataError, RunError
from humanalign.rows import read_rows
from humanalign.run import Run, find_runs, flatten

CONFIG = {"model": "a", "kl": {"coef": 0.05, "target": None}, "lr": 1e-5}


def opened(path: Path, stage: str = "align", **changes: object) -> Run:
    return Run.open(path, stage=stage, config=CONFIG | changes)


def saved(run: Run, step: int, text: str, keep: int = 2) -> None:
    with run.checkpoint(step, keep) as folder:
        (folder / "weights").write_text(text)


def test_the_same_command_resumes_the_same_run(tmp_path):
    first = opened(tmp_path / "r")
    assert opened(tmp_path / "r").ref == first.ref


def test_another_config_is_refused_with_the_first_key_that_differs(tmp_path):
    opened(tmp_path / "r")
    with pytest.raises(RunError, match=r"kl\.coef=0\.05, now it is 0\.1") as caught:
        opened(tmp_path / "r", kl={"coef": 0.1, "target": 6}, lr=2.0)
    assert "lr" not in str(caught.value)


def test_a_key_that_is_new_counts_as_different(tmp_path):
    opened(tmp_path / "r")
    with pytest.raises(RunError, match="extra=None, now it is 1"):
        opened(tmp_path / "r", extra=1)


def test_another_stage_is_refused(tmp_path):
    opened(tmp_path / "r", stage="sft")
    with pytest.raises(RunError, match="stage 'sft', not 'align'"):
        opened(tmp_path / "r")


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    for refuse in (opened, lambda path: Run.begun(path, stage="align", config=CONFIG)):
        with pytest.raises(RunError, match="not empty"):
            refuse(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_asking_whether_a_run_has_begun_writes_nothing(tmp_path):
    assert Run.begun(tmp_path / "r", stage="align", config=CONFIG) is None
    assert list(tmp_path.iterdir()) == []
    run = opened(tmp_path / "r")
    again = Run.begun(tmp_path / "r", stage="align", config=CONFIG)
    assert again is not None
    assert again.ref == run.ref


def test_an_unfinished_run_is_no_parent_and_a_finished_one_is(tmp_path):
    run = opened(tmp_path / "r")
    with pytest.raises(RunError, match="running, not finished"):
        Run.parent(tmp_path / "r")
    run.finish({"steps": 3})
    assert Run.parent(tmp_path / "r", stage="align") == run.ref
    with pytest.raises(RunError, match="'align', expected 'reward'"):
        Run.parent(tmp_path / "r", stage="reward")


def test_a_directory_without_a_run_and_a_damaged_run_are_told_apart(tmp_path):
    with pytest.raises(RunError, match=r"run\.json is missing"):
        Run.parent(tmp_path)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(RunError, match="damaged"):
        Run.parent(tmp_path)


def test_the_lineage_names_the_parents(tmp_path):
    base = opened(tmp_path / "reward", stage="reward").finish({})
    child = Run.open(tmp_path / "ppo", stage="align", config={}, parents=[base])
    assert child.ref.parents == (base.id,)
    written = json.loads((tmp_path / "ppo" / "run.json").read_text())
    assert written["parents"] == [
        {"id": base.id, "stage": "reward", "path": str(tmp_path / "reward")}
    ]
    assert [path.name for path, _ in find_runs(tmp_path)] == ["reward", "ppo"]


def test_the_summary_and_the_hash_of_the_data_are_written(tmp_path):
    run = opened(tmp_path / "r")
    path = run.record("pairs.train", [{"prompt": "é"}])
    run.finish({"steps": 3})
    written = json.loads((tmp_path / "r" / "run.json").read_text())
    assert written["summary"] == {"steps": 3}
    assert written["data"] == {
        "pairs.train.jsonl": hashlib.sha256('{"prompt": "é"}\n'.encode()).hexdigest()
    }
    assert path == tmp_path / "r" / "data" / "pairs.train.jsonl"


def test_a_checkpoint_that_fails_half_way_is_not_there(tmp_path):
    run = opened(tmp_path / "r")
    saved(run, 1, "one")
    with pytest.raises(TypeError):
        saved(run, 2, None)  # dies while it writes
    assert run.latest_checkpoint() == (1, tmp_path / "r/checkpoints/step-000001")


def test_only_the_newest_checkpoints_are_kept_and_the_latest_is_named(tmp_path):
    run = opened(tmp_path / "r")
    for step in (5, 10, 15):
        saved(run, step, str(step), keep=2)
    folder = tmp_path / "r" / "checkpoints"
    names = sorted(p.name for p in folder.glob("step-*"))
    assert names == ["step-000010", "step-000015"]
    assert (folder / "latest").read_text() == "step-000015"


def damage_content(folder: Path) -> None:
    (folder / "weights").write_text("twp")


def damage_length(folder: Path) -> None:
    (folder / "weights").write_text("")


def damage_list(folder: Path) -> None:
    (folder / "sha256.json").write_text('{"weigh')


def lose_list(folder: Path) -> None:
    (folder / "sha256.json").unlink()


def lose_file(folder: Path) -> None:
    (folder / "weights").unlink()


@pytest.mark.parametrize(
    "damage", [damage_content, damage_length, damage_list, lose_list, lose_file]
)
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(damage, tmp_path):
    run = opened(tmp_path / "r")
    saved(run, 1, "one")
    saved(run, 2, "two")
    damage(tmp_path / "r/checkpoints/step-000002")
    assert run.latest_checkpoint() == (1, tmp_path / "r/checkpoints/step-000001")


def test_rewinding_drops_later_rows_and_the_half_line_of_a_killed_process(tmp_path):
    run = opened(tmp_path / "r")
    for step in (1, 2, 3):
        run.log(step, {"align/kl": step / 2})
    with (tmp_path / "r" / "metrics.jsonl").open("a") as f:
        f.write('{"step": 2, "align/k')
    run.rewind(2)
    assert run.metrics() == [{"step": 1, "align/kl": 0.5}, {"step": 2, "align/kl": 1.0}]


@pytest.mark.parametrize("line", ["3", "[1]", "{}", "nul"])
def test_a_line_that_is_no_row_with_a_step_counts_for_none(line, tmp_path):
    run = opened(tmp_path / "r")
    run.log(1, {"align/kl": 0.5})
    with (tmp_path / "r" / "metrics.jsonl").open("a") as f:
        f.write(f"{line}\n")
    assert run.last_step() == 1
    run.rewind(9)
    assert run.metrics() == [{"step": 1, "align/kl": 0.5}]


@pytest.mark.parametrize(("step", "free"), [(0, True), (1, False)])
def test_a_mistake_frees_the_directory_until_a_step_was_taken_and_a_look_is_none(
    step, free, tmp_path
):
    run = opened(tmp_path / "r")
    run.log(step, {"monitor/gold": 0.5})
    run.append("rollouts.jsonl", [{"step": step}])
    with pytest.raises(DataError), run.unless_mistaken():
        raise DataError("no")
    assert (tmp_path / "r").exists() != free


def test_a_mistake_does_not_unname_a_run_that_holds_more_than_its_beginnings(tmp_path):
    run = opened(tmp_path / "r")
    saved(run, 1, "one")
    with pytest.raises(DataError), run.unless_mistaken():
        raise DataError("no")
    assert opened(tmp_path / "r").ref == run.ref


def test_the_seconds_of_every_sitting_add_up(tmp_path):
    run = opened(tmp_path / "r")
    run._opened -= 100
    run.pause()
    again = opened(tmp_path / "r")
    again._opened -= 20
    again.finish({})
    seconds = json.loads((tmp_path / "r" / "run.json").read_text())["seconds"]
    assert seconds == pytest.approx(120, abs=5)


def test_flattening_gives_the_dotted_spelling():
    assert flatten({"a": {"b": {"c": 1}}, "d": 2, "e": {}}) == {"a.b.c": 1, "d": 2, "e": {}}


def test_a_folder_left_by_a_run_killed_while_opening_is_used_again(tmp_path):
    (tmp_path / "r" / "data").mkdir(parents=True)
    (tmp_path / "r" / "config.yaml").write_text("a: 1\n", encoding="utf-8")
    assert not Run.open(tmp_path / "r", stage="collect", config={"a": 2}).finished


def test_a_key_that_an_older_version_lacked_stands_at_its_default(tmp_path):
    old = opened(tmp_path / "r")
    today = CONFIG | {"monitor": {"on": True, "rollouts": 5}, "log_with": ["wandb"]}
    defaults = {"monitor.on": True, "monitor.rollouts": 10, "log_with": None}
    again = Run.open(tmp_path / "r", stage="align", config=today, defaults=defaults)
    assert again.ref == old.ref
    with pytest.raises(RunError, match=r"monitor\.on=False, now it is True"):
        Run.open(tmp_path / "r", stage="align", config=today, defaults={"monitor.on": False})


@pytest.mark.parametrize("content", [b"\xff", b"[1]", b"{}", b"[" * 100_000])
def test_a_damaged_run_does_not_hide_the_others(content, tmp_path, caplog):
    opened(tmp_path / "whole")
    (tmp_path / "dmg").mkdir()
    (tmp_path / "dmg" / "run.json").write_bytes(content)
    assert [path.name for path, _ in find_runs(tmp_path)] == ["whole"]
    assert "is damaged" in caplog.text


def test_how_many_steps_a_run_will_have_is_told_before_the_first(tmp_path):
    opened(tmp_path / "r").expect(12)
    assert json.loads((tmp_path / "r" / "run.json").read_text())["steps"] == 12


def test_half_a_character_does_not_keep_a_run_from_ending(tmp_path):
    run = opened(tmp_path / "r")
    run.samples([{"completion": "\ud800"}])
    run.finish({"phrase": "\ud800"})
    assert read_rows(tmp_path / "r" / "samples.jsonl") == [{"completion": "\ud800"}]
    assert json.loads((tmp_path / "r" / "run.json").read_text())["summary"] == {"phrase": "?"}
