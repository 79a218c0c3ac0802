"""Read the runs of a round for the report: one `StageRun` each, in the order of the loop."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from humanalign.errors import RunError
from humanalign.intervals import is_number
from humanalign.rows import read_rows

ORDER = ("sft", "collect", "prefer", "reward", "align", "evaluate", "redteam")


@dataclass(frozen=True)
class StageRun:
    """What a run directory says: run.json as `record`, its rows, and config.yaml as text.

    `alerts` are what the monitor raised while the run trained.
    """

    path: Path
    record: Mapping
    config: str
    metrics: tuple[Mapping, ...]
    samples: tuple[Mapping, ...]
    alerts: tuple[Mapping, ...] = ()

    @property
    def name(self) -> str:
        return self.path.resolve().name

    @property
    def stage(self) -> str:
        return str(self.record["stage"])

    @property
    def finished(self) -> bool:
        return self.record.get("status") == "finished"

    @property
    def summary(self) -> Mapping:
        found = self.record.get("summary")
        return found if isinstance(found, Mapping) else {}

    @property
    def parents(self) -> list[str]:
        """The ids of the runs this one was built on."""
        found = self.record.get("parents") or []
        return [str(p.get("id")) if isinstance(p, Mapping) else str(p) for p in found]

    @property
    def seconds(self) -> float:
        found = self.record.get("seconds")
        return float(found) if is_number(found) else 0.0


def read_stages(path: Path) -> list[StageRun]:
    """The run in `path`, or the runs in its folders, in the order of the loop.

    RunError where there is none or a run.json is damaged; a half line at the end of metrics.jsonl
    (a killed run) is left out.
    """
    folders = [path] if (path / "run.json").exists() else sorted(p for p in path.glob("*/"))
    runs = [_read(folder) for folder in folders if (folder / "run.json").exists()]
    if not runs:
        raise RunError(f"{path} holds no run (no run.json in it or in its folders); check the path")
    place = {stage: rank for rank, stage in enumerate(ORDER)}
    return sorted(runs, key=lambda run: (place.get(run.stage, len(ORDER)), run.name))


def _read(folder: Path) -> StageRun:
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        if not isinstance(record, dict) or "stage" not in record:
            raise ValueError("no stage in it")
    except (ValueError, RecursionError) as error:
        raise RunError(f"{folder / 'run.json'} is damaged ({error}); run the stage again") from None
    config, samples = folder / "config.yaml", folder / "samples.jsonl"
    return StageRun(
        path=folder,
        record=record,
        config=config.read_text(encoding="utf-8", errors="replace") if config.exists() else "",
        metrics=stepped(folder / "metrics.jsonl"),
        samples=tuple(read_rows(samples)) if samples.exists() and samples.stat().st_size else (),
        alerts=stepped(folder / "alerts.jsonl"),
    )


def stepped(path: Path) -> tuple[Mapping, ...]:
    """The rows with a step of metrics.jsonl or alerts.jsonl, none where there is no file.

    It ends with the half line of a process that was killed.
    """
    if not path.exists():
        return ()
    rows = []
    # Not splitlines(): a text may hold U+2028 and its kin, which it would split at.
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return tuple(row for row in rows if isinstance(row, dict) and is_number(row.get("step")))
