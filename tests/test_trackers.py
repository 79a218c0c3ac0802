"""Loggers: what TensorBoard's files, wandb and trackio have got, through accelerate's classes."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from accelerate import tracking

from humanalign import trackers
from humanalign.cli import run as command
from humanalign.errors import ConfigError
from humanalign.run import Run
from humanalign.settings import AlignConfig, EvaluateConfig, RewardConfig, SftConfig
from humanalign.trackers import numbers_of, require, track

CONFIG = {"model": "a", "lr": 0.5, "kl": {"coef": 0.05, "target": None}, "targets": ["q", "v"]}
SUMMARY = {
    "kl": 0.25,
    "method": "ppo",
    "accuracy": {"value": 0.75, "ci_low": 0.5, "ci_high": 1.0, "n": 4},
    "card": {"deep": 1.0},
}


def opened(place: Path, *names: str) -> Run:
    run = Run.open(place / "round" / "align", stage="align", config=CONFIG)
    track(run, names)
    return run


def train(run: Run, steps: range, name: str = "align/reward") -> None:
    for step in steps:
        run.log(step, {name: step / 2})


def events(place: Path) -> list:
    """The events of a folder in the order of their files: TFRecords, their checksums unread."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    found = []
    for file in sorted(place.glob("events.*")):
        data, at = file.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack_from("<Q", data, at)
            found.append(event_pb2.Event.FromString(data[at + 12 : at + 12 + length]))
            at += 16 + length
    return found


def shown(place: Path, name: str) -> list[tuple[int, float]]:
    """What TensorBoard shows of a scalar: a restart at step s forgets what came from s on."""
    kept: list[tuple[int, float]] = []
    for event in events(place):
        if event.HasField("session_log") and event.step:
            kept = [point for point in kept if point[0] < event.step]
        kept += [(event.step, v.simple_value) for v in event.summary.value if v.tag == name]
    return kept


class FakeRun:
    """What accelerate asks of a wandb or trackio run."""

    def __init__(self, held: int) -> None:
        self.rows: list[tuple[int, dict]] = []
        self.closed = False
        self.starting_step = held + 1
        self.broken = False

    def log(self, values: dict, step: int) -> None:
        if self.broken:
            raise ConnectionError("no route to the server")
        self.rows.append((step, values))

    def finish(self) -> None:
        self.closed = True


@pytest.fixture
def fake(monkeypatch):
    """Stands in for wandb and trackio; `held` is the last step that the server has."""
    seen = SimpleNamespace(runs=[], asked=[], config={}, held=-1)

    def init(**asked: object) -> FakeRun:
        print("hello from a logger")
        seen.asked.append(asked)
        seen.runs.append(FakeRun(seen.held))
        return seen.runs[-1]

    def update(values: dict, allow_val_change: bool) -> None:
        assert allow_val_change
        seen.config = dict(values)

    for name in ("wandb", "trackio"):
        module = ModuleType(name)
        module.__dict__.update(init=init, config=SimpleNamespace(update=update))
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(trackers, "find_spec", lambda _: True)
    return seen


def test_tensorboard_gets_every_row_under_its_name_and_step(tmp_path):
    run = opened(tmp_path, "tensorboard")
    train(run, range(1, 4))
    run.finish(SUMMARY)
    place = run.path / "tensorboard"
    assert shown(place, "align/reward") == [(1, 0.5), (2, 1.0), (3, 1.5)]
    assert shown(place, "summary/kl") == [(3, 0.25)]
    assert shown(place, "summary/accuracy/ci_low") == [(3, 0.5)]


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_the_row_of_the_reference_before_the_first_step_is_sent_too(name, fake, tmp_path):
    run = opened(tmp_path, name)
    run.rewind(-1)  # as align does before its first step
    train(run, range(2))
    assert [step for step, _ in fake.runs[0].rows] == [0, 1]


def test_tensorboard_forgets_the_steps_that_a_resumed_run_does_again(tmp_path):
    train(opened(tmp_path, "tensorboard"), range(1, 6))
    again = opened(tmp_path, "tensorboard")
    again.rewind(3)
    for step in (4, 5, 6):
        again.log(step, {"align/reward": 10.0 + step})
    again.finish({})
    expected = [(1, 0.5), (2, 1.0), (3, 1.5), (4, 14.0), (5, 15.0), (6, 16.0)]
    assert shown(again.path / "tensorboard", "align/reward") == expected


def test_hyper_parameters_are_the_settings_and_the_lineage(tmp_path):
    parent = Run.open(tmp_path / "reward", stage="reward", config={}).finish({})
    run = Run.open(tmp_path / "align", stage="align", config=CONFIG, parents=[parent], seed=7)
    track(run, ["tensorboard"])
    train(run, range(1, 2))
    run.finish({})
    (written,) = (run.path / "tensorboard").rglob("hparams.yml")
    told = written.read_text()
    for line in ("kl.coef: 0.05", "kl.target: 'null'", 'targets: \'["q", "v"]\'', "run.seed: 7"):
        assert line in told
    assert parent.id in told


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_the_others_get_rows_settings_and_final_numbers(name, fake, tmp_path, capsys):
    run = opened(tmp_path, name)
    train(run, range(1, 3))
    run.finish(SUMMARY)
    (made,) = fake.runs
    final = {"kl": 0.25, "accuracy": 0.75, "accuracy/ci_low": 0.5, "accuracy/ci_high": 1.0}
    final = {f"summary/{k}": v for k, v in (final | {"accuracy/n": 4.0}).items()}
    rows = [(1, {"align/reward": 0.5}), (2, {"align/reward": 1.0}), (2, final)]
    assert (made.rows, made.closed) == (rows, True)
    assert fake.config["kl.coef"] == 0.05
    assert fake.asked[0]["project"] == "humanalign"
    assert "hello" not in capsys.readouterr().out  # the last line of stdout may be a result


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_a_resumed_run_is_the_same_one_without_steps_twice(name, fake, tmp_path):
    train(opened(tmp_path, name), range(1, 6))
    again = opened(tmp_path, name)
    again.rewind(3)
    fake.held = 5
    train(again, range(4, 8))
    first, second = fake.asked
    assert first == second
    assert first["resume"] == "allow"
    assert [step for step, _ in fake.runs[1].rows] == [6, 7]


def test_what_a_killed_process_could_not_deliver_is_sent_by_the_next(fake, tmp_path):
    train(opened(tmp_path, "wandb"), range(1, 6))
    again = opened(tmp_path, "wandb")
    again.rewind(3)
    fake.held = 1
    train(again, range(4, 6))
    assert fake.runs[1].rows == [(s, {"align/reward": s / 2}) for s in (2, 3, 4, 5)]


def test_a_run_started_anew_in_an_emptied_folder_is_another_one(fake, tmp_path):
    for place in ("one", "two"):
        train(opened(tmp_path / place, "wandb"), range(1, 2))
    first, second = (asked["id"] for asked in fake.asked)
    assert first != second


@pytest.mark.parametrize("fault", ["start", "row"])
def test_a_server_that_fails_is_warned_of_once_and_the_run_goes_on(fault, fake, tmp_path, caplog):
    run = opened(tmp_path, "wandb", "tensorboard")
    if fault == "start":
        sys.modules["wandb"].init = lambda **_: 1 / 0  # type: ignore[attr-defined]
        train(run, range(1, 4))
    else:
        train(run, range(1, 2))
        fake.runs[0].broken = True
        train(run, range(2, 4))
    run.finish(SUMMARY)
    warned = [r.getMessage() for r in caplog.records if r.name == "humanalign"]
    assert len(warned) == 1
    assert "wandb: logging stops here, the run goes on" in warned[0]
    assert [step for step, _ in shown(run.path / "tensorboard", "align/reward")] == [1, 2, 3]
    assert run.finished


def test_a_missing_package_is_one_sentence_before_any_work(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(trackers, "find_spec", lambda _: None)
    place = tmp_path / "run"
    words = ["model=tiny-instruct", "prompts=none.jsonl", "reward=rule:length", "log_with=wandb"]
    assert command(["align", *words, "--run", str(place)]) == 2
    said = capsys.readouterr().err
    assert "log_with: wandb needs the package wandb" in said
    assert "none.jsonl" not in said
    assert not place.exists()


def test_any_package_that_accelerate_takes_is_enough(monkeypatch):
    monkeypatch.setattr(trackers, "find_spec", lambda name: name == "tensorboard" or None)
    require(["tensorboard"])
    with pytest.raises(ConfigError, match="trackio"):
        require(["tensorboard", "trackio"])


@pytest.mark.parametrize("kind", [SftConfig, RewardConfig, AlignConfig, EvaluateConfig])
def test_every_verb_that_trains_or_measures_knows_the_key(kind):
    assert "log_with" in kind.model_fields


def test_a_logger_that_does_not_exist_is_refused(capsys):
    assert command(["sft", "model=tiny-instruct", "data=x", "log_with=[mlflow]"]) == 2
    assert "log_with" in capsys.readouterr().err


def test_a_run_without_loggers_never_asks_accelerate(tmp_path, monkeypatch):
    monkeypatch.setattr(tracking, "TensorBoardTracker", None)
    run = opened(tmp_path)
    train(run, range(1, 2))
    assert not run.followed


def test_numbers_that_are_not_finite_or_are_words_stay_behind():
    tree = {"a": float("nan"), "b": True, "c": "x", "d": {"e": 2, "f": None}, "g": [1, 2]}
    assert list(numbers_of(tree)) == [("d/e", 2.0)]


@pytest.mark.slow
def test_the_verb_align_logs_while_it_trains(tmp_path):
    pytest.importorskip("tensorboardX")
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text("".join(json.dumps({"prompt": f"Say {i}."}) + "\n" for i in range(4)))
    place = tmp_path / "align"
    words = ["model=tiny-instruct", f"prompts={prompts}", "reward=rule:length", "steps=2"]
    words += ["batch=4", "max_new_tokens=4", "log_with=tensorboard", "--run", str(place)]
    assert command(["align", *words]) == 0
    rows = [json.loads(line) for line in (place / "metrics.jsonl").read_text().splitlines()]
    expected = [(row["step"], pytest.approx(row["align/kl"], rel=1e-6)) for row in rows]
    assert shown(place / "tensorboard", "align/kl") == expected
    assert len(rows) == 2
