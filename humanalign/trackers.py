"""Loggers: every row of a run's metrics.jsonl, sent on to TensorBoard, Weights & Biases, trackio.

They are accelerate's tracker classes. The run directory stays the one truth and a tracker a window
on it: one that fails is named in a warning and left out from then on, and training goes on.

    tensorboard  <run>/tensorboard, so that `tensorboard --logdir runs` shows every run
    wandb        project WANDB_PROJECT or humanalign; its own files below <run>/wandb
    trackio      project TRACKIO_PROJECT or humanalign, where trackio keeps its data
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

import yaml

from humanalign.errors import ConfigError
from humanalign.intervals import is_number
from humanalign.run import Run, flatten
from humanalign.types import content_id

if TYPE_CHECKING:  # accelerate brings torch; naming the loggers must not
    from accelerate.tracking import GeneralTracker

log = logging.getLogger("humanalign")
PROJECT = "humanalign"
# What accelerate needs for each; any one of them will do, the last is the smallest.
PACKAGES = {
    "tensorboard": ("tensorboard", "tensorboardX"),
    "wandb": ("wandb",),
    "trackio": ("trackio",),
}
# How long wandb may keep a finished run waiting for a server that does not answer, in seconds.
PATIENCE = 60.0
# Rows that TensorBoard's writers may hold back; they write on a thread of their own.
BUFFERED = 10
# Its hundreds of numbers are the report's; a dashboard of scalars would drown in them.
LEFT_OUT = ("card",)


def require(names: Sequence[str] | None) -> None:
    """ConfigError for a logger whose package is missing: said before any work is done."""
    for name in names or ():
        package = PACKAGES[name][-1]
        if not any(find_spec(known) for known in PACKAGES[name]):
            raise ConfigError(
                f"log_with: {name} needs the package {package}, which is not installed; "
                f"pip install {package}, or leave {name} out"
            )


def track(run: Run, names: Sequence[str] | None) -> None:
    """Send all that `run` logs from here on to the loggers `names` too; asked twice is once."""
    require(names)
    if names and not run.followed:
        run.follow(Trackers(run, names))


class Trackers:
    """The loggers of one run, begun with its first row and ended with it.

    A resumed run goes on in the same place. Steps that it does again, from its last checkpoint to
    where it was stopped, are not there twice: TensorBoard forgets them, and the others, which
    cannot forget, are not sent them again. W&B says itself up to where it got them, and is sent
    what a killed process could not deliver.
    """

    def __init__(self, run: Run, names: Sequence[str]) -> None:
        self._run = run
        self._names = tuple(dict.fromkeys(names))
        self._open: dict[str, GeneralTracker] | None = None
        self._held: dict[str, int] = {}  # the last step that each has already
        self._written = self._step = run.last_step()
        self._kept = self._written  # the last row that a rewind left

    def rewind(self, step: int) -> None:
        """The rows after `step` are about to be written again."""
        self._kept = self._step = step

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Send one row on, under the same names."""
        self._step = step
        self._each(lambda name, tracker: self._send(name, tracker, step, metrics))

    def finish(self, summary: Mapping) -> None:
        """Send the final numbers as summary/..., each with its interval, and close."""
        numbers = {f"summary/{name}": value for name, value in numbers_of(summary)}
        self._each(lambda _, tracker: tracker.log(numbers, step=max(0, self._step)))
        self._each(lambda _, tracker: tracker.finish())

    def _send(
        self, name: str, tracker: GeneralTracker, step: int, metrics: Mapping[str, float]
    ) -> None:
        if step > self._held[name]:
            tracker.log(dict(metrics), step=step)

    def _each(self, act: Callable[[str, GeneralTracker], None]) -> None:
        if self._open is None:
            self._open = {}
            for name in self._names:
                with self._failing(name):
                    self._open[name] = self._begin(name)
                    self._catch_up(name, self._open[name])
        for name, tracker in list(self._open.items()):
            with self._failing(name):
                act(name, tracker)

    @contextlib.contextmanager
    def _failing(self, name: str) -> Iterator[None]:
        """Whatever a logger does, its words go to stderr and its errors end nothing but itself."""
        try:
            with contextlib.redirect_stdout(sys.stderr):
                yield
        except Exception as error:
            assert self._open is not None
            self._open.pop(name, None)
            said = " ".join(str(error).split()) or type(error).__name__
            log.warning("%s: logging stops here, the run goes on: %s", name, said)

    def _begin(self, name: str) -> GeneralTracker:
        """Open one logger, and note in `_held` up to which step it has the run already."""
        from accelerate import PartialState  # torch, once training has begun

        PartialState()  # accelerate's own log refuses to work without
        about = hyperparameters(self._run)
        if name == "tensorboard":
            return self._tensorboard(about)
        return self._wandb(about) if name == "wandb" else self._trackio(about)

    def _tensorboard(self, about: dict) -> GeneralTracker:
        from accelerate.tracking import TensorBoardTracker

        place = self._run.path.resolve()
        new = not (place / "tensorboard").exists()
        # A killed process may have left its last rows in a buffer: a few are written again.
        self._held["tensorboard"] = held = -1 if new else max(0, self._kept - BUFFERED)
        tracker = TensorBoardTracker(
            "tensorboard",
            place,
            purge_step=None if new else held + 1,
            # Its files are named by the second, which two starts may share.
            filename_suffix=f".after-{0 if new else self._kept}",
        )
        tracker.start()
        if new:  # accelerate makes a folder of its own for them each time
            tracker.store_init_configuration(about)
        return tracker

    def _wandb(self, about: dict) -> GeneralTracker:
        from accelerate.tracking import WandBTracker

        place = self._run.path.resolve()
        tracker = WandBTracker(
            os.environ.get("WANDB_PROJECT", PROJECT),
            id=_unique(about),
            name=_title(self._run),
            group=place.parent.name,
            job_type=self._run.stage,
            dir=str(place),
            resume="allow",
            settings={"finish_timeout": PATIENCE},
        )
        tracker.start()
        tracker.store_init_configuration(about)
        # Offline, each start has a file of its own: it gets all rows, and the last tells the whole.
        self._held["wandb"] = tracker.tracker.starting_step - 1
        return tracker

    def _trackio(self, about: dict) -> GeneralTracker:
        from accelerate.tracking import TrackioTracker

        tracker = TrackioTracker(
            os.environ.get("TRACKIO_PROJECT", PROJECT),
            name=f"{_title(self._run)} {_unique(about)}",
            group=self._run.path.resolve().parent.name,
            resume="allow",
            embed=False,
        )
        tracker.start()
        tracker.store_init_configuration(about)
        self._held["trackio"] = self._written
        return tracker

    def _catch_up(self, name: str, tracker: GeneralTracker) -> None:
        """Send the rows before this step that a logger does not have."""
        for row in self._run.metrics():
            if self._held[name] < row["step"] < self._step:
                tracker.log({k: v for k, v in row.items() if k != "step"}, step=row["step"])


def hyperparameters(run: Run) -> dict[str, str | int | float | bool]:
    """The run's settings under their dotted names, and whose child it is, as run.json says."""
    record = json.loads((run.path / "run.json").read_text(encoding="utf-8"))
    config = yaml.safe_load((run.path / "config.yaml").read_text(encoding="utf-8")) or {}
    lineage = {name: record[name] for name in ("id", "stage", "started", "seed", "versions")}
    lineage["parents"] = [f"{parent['id']} ({parent['path']})" for parent in record["parents"]]
    return {name: _plain(value) for name, value in flatten(config | {"run": lineage}).items()}


def numbers_of(tree: Mapping, prefix: str = "") -> Iterator[tuple[str, float]]:
    """Every finite number of a summary with its dotted path in slashes.

    A result {value, ci_low, ci_high, n} is its value under its name, the rest below it.
    """
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and key not in LEFT_OUT:
            if is_number(value.get("value")):
                yield name, float(value["value"])
                value = {k: v for k, v in value.items() if k != "value"}
            yield from numbers_of(value, f"{name}/")
        elif is_number(value):
            yield name, float(value)


def _plain(value: object) -> str | int | float | bool:
    """A setting as the loggers can show it: lists, mappings and null as JSON."""
    return value if isinstance(value, str | int | float | bool) else json.dumps(value)


def _unique(about: Mapping) -> str:
    """The id under which a logger finds the run again.

    A run's own id comes from its settings: started anew in an emptied folder, it is the same.
    """
    return f"{about['run.id']}-{content_id(about['run.id'], about['run.started'])[:8]}"


def _title(run: Run) -> str:
    place = run.path.resolve()
    return f"{place.parent.name}/{place.name}"
