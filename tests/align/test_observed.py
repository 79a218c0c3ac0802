"""A run that is watched: it learns the same, is told to stop, goes back, and survives a kill."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small_policies import PROMPTS as HELD_OUT

from humanalign.align.online import online
from humanalign.errors import ConfigError
from humanalign.evaluate.monitor.monitor import Monitor
from humanalign.run import Run
from humanalign.settings import AlignConfig
from humanalign.types import Action, Advice, Observer, Prompt, Shown
from humanalign.verbs.training import monitor_of

from .online_toys import PROMPTS, Length, ShareOf, settings
from .test_resume import differing, outcome, started

SHORT = settings(
    steps=4, batch=4, epochs=1, max_new_tokens=4, lora={"rank": 2}, checkpoint={"every": 2}
)


def watched(
    folder: Path, path: Path, monitor: Observer | None, *, die_after: int = 0, config=SHORT
) -> dict:
    def progress(done: int, _: int) -> None:
        if done == die_after:
            raise EOFError

    run = Run.open(path, stage="align", config=config.model_dump(), seed=config.seed)
    policy = started(folder, config)
    return online(policy, PROMPTS, ShareOf(), config, run=run, monitor=monitor, progress=progress)


def everything(path: Path) -> dict[str, object]:
    rows = {n: (path / n).read_bytes() for n in ("alerts.jsonl", "rollouts.jsonl")}
    return outcome(path) | rows


def curious(**keys) -> Monitor:
    """It looks, shows and rings as often as it can."""
    return Monitor(HELD_OUT, Length(), every=1, rollouts=1, kl_alarm=-100.0, **keys)


def without_monitor(left: dict[str, object]) -> dict[str, object]:
    rows = [
        {k: v for k, v in row.items() if not k.startswith("monitor/")} for row in left["metrics"]
    ]
    assert list(rows.pop(0)) == ["step"]  # the look at the reference, before any step
    summary = {k: v for k, v in left["summary"].items() if k != "monitor"} | {"kept": None}
    own = {name: value for name, value in left.items() if not name.startswith("best/")}
    return {**own, "metrics": rows, "summary": summary}


@pytest.mark.parametrize(
    ("folder", "ema"), [("llama", 0.0), ("llama", 0.9), ("small_t5", 0.0)], indirect=["folder"]
)
def test_a_run_that_is_watched_learns_bit_for_bit_what_it_would_have_learned_alone(
    folder, ema, tmp_path
):
    config = SHORT.model_copy(update={"ema": ema})
    watched(folder, tmp_path / "alone", None, config=config)
    watched(folder, tmp_path / "watched", curious(), config=config)
    seen = outcome(tmp_path / "watched")
    assert differing(outcome(tmp_path / "alone"), without_monitor(seen)) == []
    assert all("monitor/gold" in row for row in seen["metrics"])


def test_a_watched_run_that_was_killed_ends_bit_for_bit_as_the_one_that_was_not(llama, tmp_path):
    watched(llama, tmp_path / "whole", curious())
    with pytest.raises(EOFError):
        watched(llama, tmp_path / "r", curious(), die_after=3)
    watched(llama, tmp_path / "r", curious())
    assert differing(everything(tmp_path / "whole"), everything(tmp_path / "r")) == []


def test_a_watched_run_without_a_whole_checkpoint_begins_its_files_again(llama, tmp_path):
    watched(llama, tmp_path / "whole", curious())
    with pytest.raises(EOFError):
        watched(llama, tmp_path / "r", curious(), die_after=1)
    watched(llama, tmp_path / "r", curious())
    assert differing(everything(tmp_path / "whole"), everything(tmp_path / "r")) == []


@dataclass
class Scripted:
    """Asks for `action` at step 3 and has chosen step `chosen`, whose weights it wants kept."""

    action: Action
    chosen: int | None = None
    shown: list[Shown] = field(default_factory=list)

    def see(self, shown: Shown) -> Advice:
        self.shown.append(shown)
        keep = [] if self.chosen is None else [self.chosen]
        action: Action = self.action if shown.step == 3 else "none"
        return Advice(action=action, keep=keep, chosen=self.chosen)

    def state(self) -> dict:
        return {}

    def restore(self, state: dict) -> None:
        del state

    def summary(self) -> dict:
        return {}


def weights(folder: Path, config: AlignConfig, observer: Observer | None, **watch) -> dict:
    policy = started(folder, config)
    online(policy, PROMPTS, ShareOf(), config, monitor=observer, **watch)
    return {n: p.detach().clone() for n, p in policy.trainable().items()}


def same(one: dict, other: dict) -> bool:
    return all(torch.equal(one[n], other[n]) for n in one)


def steps(count: int) -> AlignConfig:
    return SHORT.model_copy(update={"steps": count})


def test_a_run_that_is_told_to_stop_ends_there_with_the_weights_of_that_step(llama, tmp_path):
    summary = watched(llama, tmp_path / "r", Scripted("stop"))
    assert (summary["steps"], summary["stopped_by"]) == (3, "monitor")
    assert same(weights(llama, SHORT, Scripted("stop")), weights(llama, steps(3), None))


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_run_that_is_sent_back_ends_with_the_weights_of_the_chosen_step(llama, ema):
    three, one = (config.model_copy(update={"ema": ema}) for config in (SHORT, steps(1)))
    assert same(weights(llama, three, Scripted("back", 1)), weights(llama, one, None))


def test_the_summary_of_a_run_that_was_sent_back_says_nothing_of_weights_that_are_gone(
    llama, tmp_path
):
    class Looked(Scripted):
        def summary(self) -> dict:
            return {"looks": [{"step": 0, "gold": 0.1}, {"step": 1, "gold": 0.2}]}

    told = watched(llama, tmp_path / "r", Looked("back", 1))
    assert (told["steps"], told["kept_step"]) == (3, 1)
    assert (told["reward_after"], told["kl"]) == (None, None)
    assert told["kept"] == {"step": 1, "gold": 0.2}


def test_a_run_that_has_nowhere_to_go_back_to_stops_and_its_alert_says_so(llama, tmp_path):
    class Rings(Scripted):
        def see(self, shown: Shown) -> Advice:
            row = {"step": shown.step, "rule": "r", "sentence": "s", "action": "back"}
            return Advice(action="back", alerts=[row]) if shown.step == 3 else Advice()

    told = watched(llama, tmp_path / "r", Rings("back"))
    assert (told["stopped_by"], told["kept_step"], told["steps"]) == ("monitor", 3, 3)
    assert '"action": "stop"' in (tmp_path / "r" / "alerts.jsonl").read_text()


def test_a_checkpoint_holds_the_weights_that_are_wanted_and_no_others(llama, tmp_path):
    class Last(Scripted):
        def see(self, shown: Shown) -> Advice:
            return Advice(keep=[shown.step, shown.step - 1])

    watched(llama, tmp_path / "r", Last("none"))
    files = (tmp_path / "r" / "checkpoints" / "step-000004").glob("kept-*")
    assert sorted(f.name for f in files) == [f"kept-00000{n}.safetensors" for n in (3, 4)]


def test_it_may_be_sent_back_to_the_very_start(llama):
    begun = {n: p.detach().clone() for n, p in started(llama, SHORT).trainable().items()}
    assert same(weights(llama, SHORT, Scripted("back", 0)), begun)


@dataclass
class Climbs:
    """Pays the more the sooner: the first steps have the best objective."""

    batch: int = 0

    def score(self, prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
        del prompts
        self.batch += 1
        return [float(len(c)) - self.batch for c in completions]


def test_without_a_choice_it_goes_back_to_the_best_objective(llama, tmp_path):
    config = SHORT.model_copy(
        update={"steps": 9, "checkpoint": SHORT.checkpoint.model_copy(update={"best": True})}
    )

    class Late(Scripted):
        def see(self, shown: Shown) -> Advice:
            return Advice(action="back" if shown.step == 8 else "none")

    run = Run.open(tmp_path / "r", stage="align", config=config.model_dump())
    policy = started(llama, config)
    summary = online(policy, PROMPTS, Climbs(), config, run=run, monitor=Late("none"))
    assert summary["best_step"] < 8
    saved = [
        load_file(tmp_path / "r" / n / "adapter_model.safetensors") for n in ("policy", "best")
    ]
    assert same(*saved)


def test_what_gold_chose_is_in_best_though_nobody_asked_to_go_back(llama, tmp_path):
    watched(llama, tmp_path / "r", Scripted("none", 2))
    watched(llama, tmp_path / "two", None, config=steps(2))
    chosen = load_file(tmp_path / "r" / "best" / "adapter_model.safetensors")
    assert same(chosen, load_file(tmp_path / "two" / "policy" / "adapter_model.safetensors"))


def test_a_step_lasts_as_long_as_its_parts_and_watching_is_one_of_them(llama, tmp_path):
    watched(llama, tmp_path / "r", curious())
    last = json.loads((tmp_path / "r" / "metrics.jsonl").read_text().splitlines()[-1])
    parts = ("rollout", "score", "update", "monitor")
    assert last["time/step"] == pytest.approx(sum(last[f"time/{name}"] for name in parts))


def test_two_policies_of_the_same_run_are_described_by_the_same_bytes(llama, tmp_path):
    started(llama, SHORT).save(tmp_path)
    named = json.loads((tmp_path / "adapter_config.json").read_text())["target_modules"]
    assert named == sorted(named)
    assert len(named) > 3


def test_an_observer_sees_the_batch_of_the_reference_and_then_every_step_once(llama):
    observer = Scripted("none")
    weights(llama, SHORT, observer)
    assert [each.step for each in observer.shown] == list(range(5))
    assert all(len(each.completions) == SHORT.batch for each in observer.shown)


def test_at_the_start_the_answers_to_held_out_prompts_are_0_nats_from_the_reference(llama):
    asked: list[Sequence[float]] = []

    class Asks(Scripted):
        def see(self, shown: Shown) -> Advice:
            answers = shown.ask([Prompt(t) for t in HELD_OUT], 3)
            assert list(answers.prompts) == [t for t in HELD_OUT for _ in range(3)]
            assert answers.rewards == ShareOf().score(answers.prompts, answers.completions)
            asked.append(answers.kl)
            return super().see(shown)

    weights(llama, steps(2), Asks("none"))
    assert set(asked[0]) == {0.0}
    assert max(map(abs, asked[2])) > 0.0


def test_the_alerts_of_a_run_name_the_samples_and_end_with_what_to_do(llama, tmp_path):
    watched(llama, tmp_path / "r", curious())
    rows = [json.loads(x) for x in (tmp_path / "r" / "alerts.jsonl").read_text().splitlines()]
    [alarm] = [row for row in rows if row["rule"] == "kl_runaway"]
    assert alarm["value"] > alarm["limit"] == -100.0
    assert {"prompt", "completion", "reward"} <= alarm["samples"][0].keys()
    assert alarm["sentence"].endswith("set stop.kl.")


def test_the_command_makes_the_monitor_that_the_settings_describe(llama, tmp_path):
    (tmp_path / "held.txt").write_text("w1 w2\nw3 w4\nw5 w6\n")
    asked = {"prompts": str(tmp_path / "held.txt"), "limit": 2, "gold": "rule:length", "every": 3}
    config = settings(monitor=asked | {"action": "back"}, kl={"alarm": 7.0})
    monitor = monitor_of(config, started(llama, config))
    assert monitor is not None
    assert [p.text for p in monitor.prompts] == ["w1 w2", "w3 w4"]
    assert (monitor.every, monitor.action, monitor.rules[0].name) == (3, "back", "kl_runaway")
    assert monitor_of(settings(monitor={"on": False}), started(llama, config)) is None


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"monitor": {"action": "back"}}, r"monitor\.action: back .* give monitor\.gold"),
        ({"monitor": {"rules": {"repetition": "back"}}}, r"monitor\.rules\.repetition: back"),
        (
            {"reward": "rule:length", "monitor": {"gold": "rule:length", "prompts": "held.txt"}},
            "is the reward itself",
        ),
    ],
)
def test_a_monitor_that_could_not_do_its_work_is_a_mistake_of_one_sentence(llama, keys, said):
    with pytest.raises(ConfigError, match=said):
        monitor_of(settings(**keys), started(llama, SHORT))


def test_prompts_that_are_trained_on_are_not_held_out(llama, tmp_path):
    (tmp_path / "held.txt").write_text("w1 w2\nw3 w4\nw5 w6\n")
    config = settings(monitor={"prompts": str(tmp_path / "held.txt")})
    with pytest.raises(ConfigError, match="1 of 3 are trained on too, such as 'w3 w4'"):
        monitor_of(config, started(llama, config), [Prompt("w9"), Prompt("w3 w4")])


def test_the_file_of_the_monitor_is_not_cut_to_the_split_that_is_trained_on(llama, tmp_path):
    rows = [{"prompt": f"w{i} w2", "split": "test" if i < 3 else "train"} for i in range(8)]
    (tmp_path / "held.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = {"prompts": str(tmp_path / "held.jsonl")}
    for split, many in ((None, 8), ("test", 3)):
        config = settings(split="train", monitor=asked | {"split": split})
        monitor = monitor_of(config, started(llama, config))
        assert monitor is not None
        assert len(monitor.prompts) == many


def test_gold_without_prompts_to_score_is_a_mistake_of_one_sentence(llama):
    with pytest.raises(ConfigError, match=r"give monitor\.prompts"):
        monitor_of(settings(monitor={"gold": "rule:length"}), started(llama, SHORT))
