"""One run at a glance: whether it works, how far it is, its key number, its alerts.

A run's process is not asked, it may be on another machine: a run works as long as it writes. One
that wrote nothing for long is `silent`, and after ten times as long `stopped`.
"""

from __future__ import annotations

import os
import secrets
import statistics
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import yaml

from humanalign.evaluate.report.charts import number
from humanalign.evaluate.report.results import is_number, known, rows_of, with_interval, within
from humanalign.evaluate.report.told import went_back
from humanalign.run import flatten
from humanalign.web.watch.folder import Place, Record, changed, read_record, text
from humanalign.web.watch.lines import last_rows

WRITTEN = ("metrics.jsonl", "rollouts.jsonl", "samples.jsonl", "alerts.jsonl", "run.json")
# Silence that says something, in seconds: at the least, and for a stage that logs no steps.
SILENT, SILENT_WITHOUT_STEPS = 60.0, 600.0
SILENT_STEPS = 5.0  # or so many of the run's own steps
STOPPED = 10.0  # times as long
# An age is told in minutes below two hours, in hours below two days, then in days.
AGES = ((60, 7200), (3600, 172_800), (86_400, float("inf")))
NOWHERE = Path(os.devnull)
RECENT = 50
LEVELS = ("notice", "warning", "danger")
CONFIG_LIMIT = 256 << 10
# What a stage is judged by while it works: the first of these that its rows have.
KEY_METRICS: dict[str, tuple[str, ...]] = {
    "align": ("align/reward", "align/accuracy", "align/loss"),
    "reward": ("reward/eval_accuracy", "reward/accuracy", "reward/loss"),
    "sft": ("sft/loss",),
}
# And once it is finished: where in the summary it stands, and what it is called.
KEY_RESULTS: dict[str, tuple[tuple[tuple[str, ...], str], ...]] = {
    "align": ((("reward_after",), "reward"), (("kept", "proxy"), "reward, held out")),
    "reward": ((("accuracy",), "accuracy"), (("auroc",), "AUROC")),
    "prefer": ((("pairs",), "pairs"),),
    "collect": ((("completions",), "completions"),),
    "evaluate": (
        (("toxicity", "relative_reduction"), "less toxicity"),
        (("toxicity", "difference"), "toxicity"),
        (("scorers", "reward", "difference"), "reward"),
        (("prompts",), "prompts"),
    ),
    "redteam": ((("attack_success", "after"), "attacks that succeed"),),
}


@dataclass(frozen=True)
class Recent:
    """What the last rows of metrics.jsonl say; `last` is the newest row."""

    last: Mapping
    seconds: float | None  # a step, the median of the last ones
    split: dict[str, float]  # name -> mean seconds a step


class Glances:
    """What was told of each run, until its files change; all requests share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, tuple[object, dict]] = {}
        # An edition of the listing is "NAME.NUMBER"; each row has the number it last changed at.
        self._name, self._number = "", 0
        self._rows: dict[str, tuple[int, dict]] = {}

    def told(self, place: Place) -> dict:
        """The run as the overview shows it."""
        with self._lock:
            return self._told(place)

    def listing(self, places: Mapping[str, Place], edition: str = "") -> dict:
        """{edition, whole, runs}: the runs that changed since that edition, or all of them."""
        with self._lock:
            if not self._name or any(id not in places for id in self._rows):
                # A run has gone: what pages hold is to be forgotten.
                self._name, self._number, self._rows = secrets.token_hex(4), 0, {}
                self._held = {id: held for id, held in self._held.items() if id in places}
            told = {id: self._told(place) for id, place in places.items()}
            new = {id: row for id, row in told.items() if self._rows.get(id, (0, None))[1] != row}
            self._number += bool(new)
            self._rows |= {id: (self._number, row) for id, row in new.items()}
            name, _, number = edition.partition(".")
            since = int(number) if name == self._name and number.isdecimal() else -1
            return {
                "edition": f"{self._name}.{self._number}",
                "whole": since < 0,
                "runs": [row for changed_at, row in self._rows.values() if changed_at > since],
            }

    def _told(self, place: Place) -> dict:
        state = tuple(changed(place, name) for name in (*WRITTEN, "config.yaml"))
        held = self._held.get(place.id)
        if held is None or held[0] != state:
            held = self._held[place.id] = (state, _steady(place, state))
        return held[1] | _now(held[1])


def _steady(place: Place, state: tuple) -> dict:
    """All that changes only when a file does; a run that cannot be told is said to be damaged."""
    written = max((found[2] for found in state[: len(WRITTEN)] if found), default=0) / 1e9
    try:
        return _read(place, written, read_record(place))
    except Exception as error:  # whatever its files hold, the other runs are to be shown
        said = f"Its files hold what no run writes ({type(error).__name__}); run the stage again."
        return _read(Place(place.id, place.name, NOWHERE), written, Record({}, said))


def _read(place: Place, written: float, record: Record) -> dict:
    recent = recent_of(place)
    config, _ = settings_of(place)
    step, steps = recent.last.get("step"), planned_steps(record, config)
    done = record.finished
    started = str(record.tree.get("started", ""))[:40]
    return {
        "id": place.id,
        "name": place.name,
        "group": place.group,
        "stage": record.stage,
        "damage": record.damage,
        "finished": done,
        "started": started,
        "begun": started_at(started),
        "worked": _number_or_none(record.tree.get("seconds")),
        "seed": _number_or_none(record.tree.get("seed")),
        "step": step if is_number(step) else None,
        "steps": steps,
        "left": _left(step, steps, recent.seconds) if not done else None,
        "pace": recent.seconds,
        "key": key_number(record, recent.last),
        "alerts": alert_counts(place),
        "written": written,
    }


def _now(told: Mapping) -> dict:
    """What changes by the clock alone: the status, and for how long nothing was written."""
    if told["damage"] or told["finished"]:
        return {"status": "damaged" if told["damage"] else "finished", "age": None}
    age = max(0.0, time.time() - told["written"])
    patience = SILENT_WITHOUT_STEPS
    if told["step"] is not None:
        patience = max(SILENT, SILENT_STEPS * (told["pace"] or 0.0))
    if age < patience:
        return {"status": "running", "age": None}
    # As finely as it is read, so that a row that says nothing new need not be sent.
    unit = next(unit for unit, until in AGES if age < until)
    status = "silent" if age < STOPPED * patience else "stopped"
    return {"status": status, "age": age // unit * unit}


def recent_of(place: Place) -> Recent:
    """The last rows of the run's metrics, and where the time of a step goes."""
    rows = [row for row in last_rows(place, "metrics.jsonl", RECENT).rows if "step" in row]
    clocks: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            if name.startswith("time/") and is_number(value):
                clocks.setdefault(name.removeprefix("time/"), []).append(value)
    whole = clocks.pop("step", [])
    split = {name: sum(values) / len(rows) for name, values in clocks.items()}
    if not whole:
        return Recent(rows[-1] if rows else {}, None, split)
    # Older runs leave the monitor out of a step's time: a step takes no less than its parts.
    left_out = max(0.0, sum(split.values()) - statistics.fmean(whole))
    return Recent(
        last=rows[-1],
        seconds=statistics.median(whole) + left_out,
        split=split | {"step": statistics.fmean(whole) + left_out},
    )


def planned_steps(record: Record, config: Mapping) -> int | None:
    """How many steps the run has, where its record or its settings say so."""
    found, done = record.tree.get("steps"), record.summary.get("steps")
    if record.finished and is_number(done):
        return int(done)
    if not is_number(found) and config.get("method") in ("ppo", "rloo", "grpo"):
        found = config.get("steps")
    return int(found) if is_number(found) else None


def _left(step: object, steps: int | None, seconds: float | None) -> float | None:
    if not is_number(step) or steps is None or seconds is None:
        return None
    return max(0.0, steps - step) * seconds


def key_number(record: Record, last: Mapping) -> dict | None:
    """{label, value} of the number by which this stage is judged, with its interval if any."""
    if record.finished:
        for path, label in KEY_RESULTS.get(record.stage, ()):
            found = within(record.summary, *path[:-1]).get(path[-1])
            if known(found) or is_number(found):
                return {"label": label, "value": with_interval(found)}
        if went_back(record.summary):
            return None  # the last rows are of weights that were thrown away
    for name in KEY_METRICS.get(record.stage, ()):
        if is_number(last.get(name)):
            label = name.partition("/")[2].replace("_", " ")
            return {"label": label, "value": number(last[name])}
    return None


def alert_counts(place: Place) -> dict[str, int]:
    """How many alerts of each level."""
    counts: dict[str, int] = dict.fromkeys(LEVELS, 0)
    for row in rows_of(last_rows(place, "alerts.jsonl", 1000).rows):
        level = row.get("level")
        counts[level if level in LEVELS else "notice"] += 1
    return counts


def settings_of(place: Place) -> tuple[dict[str, object], str]:
    """config.yaml in dotted keys, and a sentence where it cannot be read."""
    try:
        content = text(place, "config.yaml", CONFIG_LIMIT)
        tree = yaml.load(content, _Plain) if content else {}
        if not isinstance(tree, dict):
            return {}, "config.yaml holds no settings."
        return {str(key): value for key, value in flatten(tree).items()}, ""
    except (ValueError, yaml.YAMLError, RecursionError):
        return {}, "config.yaml is damaged and cannot be shown."


class _Plain(yaml.SafeLoader):
    """YAML without aliases: a few hundred bytes of them can stand for gigabytes."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("an alias, which no run writes")
        return super().compose_node(parent, index)


def started_at(started: str) -> float:
    """When the run was begun, in seconds since 1970; 0 where its record does not say."""
    try:
        found = datetime.fromisoformat(started)
        return found.replace(tzinfo=found.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0


def _number_or_none(value: object) -> float | None:
    return value if is_number(value) else None
