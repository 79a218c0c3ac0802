"""A run directory: everything one stage did, readable by people and by the next stage.

    run.json       stage, status, versions, seed, parents, summary      config.yaml   every setting
    metrics.jsonl  one object per step        samples.jsonl             data/         rows + sha256
    checkpoints/step-000200/ ...              checkpoints/latest        (written by rename)

The same command again resumes; another config is an error that names the first differing key; a
run that is not finished is never read as a parent.
"""

from __future__ import annotations

import json
import logging
import platform
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Protocol

import yaml

from humanalign.config import differing
from humanalign.errors import ConfigError, DataError, RunError
from humanalign.rows import write_bytes, write_rows
from humanalign.types import RunRef, content_id

log = logging.getLogger("humanalign")
# Files of one object a line, each with its step, that grow as a run goes on.
STEPWISE = ("metrics.jsonl", "alerts.jsonl", "rollouts.jsonl")
HALF = 1 << 62  # the step of half a line: after every other
PACKAGES = ("humanalign", "torch", "transformers", "peft", "accelerate", "numpy")


class Follower(Protocol):
    """Who is told of every row as it is written: the loggers in trackers.py."""

    def log(self, step: int, metrics: Mapping[str, float]) -> None: ...

    def rewind(self, step: int) -> None: ...

    def finish(self, summary: Mapping) -> None: ...


class Run:
    """One stage's directory, opened once and owned until `finish`."""

    def __init__(self, path: Path, record: dict) -> None:
        self.path = path
        self._record = record
        self._opened = time.monotonic()
        self._follower: Follower | None = None

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        stage: str,
        config: Mapping,
        parents: Sequence[RunRef] = (),
        seed: int = 0,
        defaults: Mapping | None = None,
    ) -> Run:
        """Start a run in `path`, or resume the same one. RunError for another stage or config.

        `defaults`, by dotted names, are what keys stand at that a run of an older version lacks.
        """
        path = Path(path)
        if (path / "run.json").exists():
            return cls._resume(path, stage, config, defaults or {})
        _require_empty(path)
        (path / "data").mkdir(parents=True, exist_ok=True)
        config_hash = content_id(dict(config))
        parent_ids = [p.id for p in parents]
        record = {
            "stage": stage,
            "id": f"{stage}-{content_id(stage, config_hash, parent_ids, path.name)[:8]}",
            "status": "running",
            "started": _now(),
            "seconds": 0.0,
            "seed": seed,
            "config_hash": config_hash,
            "parents": [{"id": p.id, "stage": p.stage, "path": str(p.path)} for p in parents],
            "versions": _versions(),
            "data": {},
            "summary": {},
        }
        write_text(path / "config.yaml", yaml.safe_dump(dict(config), sort_keys=False))
        run = cls(path, record)
        run._write()
        return run

    @classmethod
    def begun(
        cls, path: str | Path, *, stage: str, config: Mapping, defaults: Mapping | None = None
    ) -> Run | None:
        """The run in `path` to go on with, None where nothing is yet; nothing is written.

        A stage asks this first, checks its input, and opens the run only when all is well: a
        mistake must not leave a directory behind that refuses its own correction.
        """
        path = Path(path)
        if (path / "run.json").exists():
            return cls._resume(path, stage, config, defaults or {})
        _require_empty(path)
        return None

    @classmethod
    def _resume(cls, path: Path, stage: str, config: Mapping, defaults: Mapping) -> Run:
        record = _read_record(path)
        if record["stage"] != stage:
            raise RunError(
                f"{path} holds a run of stage '{record['stage']}', not '{stage}'; "
                "name another directory with --run"
            )
        said = yaml.safe_load((path / "config.yaml").read_text(encoding="utf-8")) or {}
        now, older = flatten(json.loads(json.dumps(dict(config)))), defaults
        if key := differing(flatten(said), now, older):
            raise RunError(
                f"{path} was started with {key}={flatten(said).get(key, older.get(key))!r}, now it "
                f"is {now.get(key)!r}; use the first value to resume, or name another directory "
                "with --run"
            )
        return cls(path, record)

    @property
    def stage(self) -> str:
        return self._record["stage"]

    @property
    def finished(self) -> bool:
        return self._record["status"] == "finished"

    @property
    def summary(self) -> dict:
        return self._record["summary"]

    @property
    def seconds(self) -> float:
        """Seconds this run has worked, over all its resumes."""
        return self._record["seconds"] + time.monotonic() - self._opened

    @property
    def ref(self) -> RunRef:
        return _ref(self.path, self._record)

    @staticmethod
    def parent(path: str | Path, stage: str | None = None) -> RunRef:
        """The finished run in `path`. RunError when it is unfinished or of another stage."""
        path = Path(path)
        record = _read_record(path)
        if stage is not None and record["stage"] != stage:
            raise RunError(f"{path} is a run of stage '{record['stage']}', expected '{stage}'")
        if record["status"] != "finished":
            raise RunError(
                f"{path} is {record['status']}, not finished; run its command again to finish it"
            )
        return _ref(path, record)

    @contextmanager
    def unless_mistaken(self) -> Iterator[None]:
        """A mistake before step 1, inside, frees the directory; data/ stays, looks at step 0 go."""
        try:
            yield
        except (ConfigError, DataError):
            early = {"data", "config.yaml", "run.json", *STEPWISE}
            if self.last_step() < 1 and {p.name for p in self.path.iterdir()} <= early:
                for name in (*STEPWISE, "run.json", "config.yaml"):
                    (self.path / name).unlink(missing_ok=True)
                for folder in (self.path / "data", self.path):
                    if folder.is_dir() and not any(folder.iterdir()):
                        folder.rmdir()
            raise

    def expect(self, steps: int) -> None:
        """Say in run.json how many steps the run will have, for those who wait for it."""
        if self._record.get("steps") != steps:
            self._record["steps"] = steps
            self._write()

    @property
    def followed(self) -> bool:
        return self._follower is not None

    def follow(self, follower: Follower) -> None:
        """Tell `follower` of every row, every rewind and the end, after they are on disk."""
        self._follower = follower

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Append one row to metrics.jsonl: `stage/thing` names; clock readings under `time/`."""
        row = {"step": step, **{k: float(v) for k, v in metrics.items()}}
        with (self.path / "metrics.jsonl").open("a", encoding="utf-8") as f:
            f.write(json.dumps(row) + "\n")
        if self._follower:
            self._follower.log(step, {name: row[name] for name in metrics})

    def append(self, name: str, rows: Iterable[Mapping]) -> None:
        """Add rows, each with its `step`, to one of the files in STEPWISE."""
        lines = [json.dumps(dict(row)) + "\n" for row in rows]
        with (self.path / name).open("a", encoding="utf-8") as f:
            f.writelines(lines)

    def rewind(self, step: int) -> None:
        """Forget what was written after `step`: a resumed run writes it again."""
        for path in (self.path / name for name in STEPWISE):
            if path.exists():
                # Not splitlines(): a text may hold U+2028 and its kin, which it would split at.
                lines = path.read_text(encoding="utf-8").split("\n")
                kept = [line for line in lines if line and _step_of(line) <= step]
                write_text(path, "".join(f"{line}\n" for line in kept))
        if self._follower:
            self._follower.rewind(step)

    def last_step(self) -> int:
        """The last step of metrics.jsonl, -1 before any; a half line counts for nothing."""
        path = self.path / "metrics.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return max((step for line in lines if (step := _step_of(line)) < HALF), default=-1)

    def metrics(self) -> list[dict]:
        """The logged rows so far, in order."""
        path = self.path / "metrics.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def samples(self, rows: Iterable[Mapping]) -> None:
        """Write samples.jsonl: what the model said, for people to read."""
        write_rows(self.path / "samples.jsonl", [dict(r) for r in rows])

    def record(self, name: str, rows: Iterable[Mapping]) -> Path:
        """Keep the exact rows a stage used as data/`name`.jsonl and their sha256 in run.json."""
        path = self.path / "data" / f"{name}.jsonl"
        write_rows(path, [dict(r) for r in rows])
        self._record["data"][path.name] = sha256(path.read_bytes()).hexdigest()
        self._write()
        return path

    def finish(self, summary: Mapping) -> RunRef:
        """Mark the run finished; from here on other stages may build on it."""
        self._record.update(
            status="finished", finished=_now(), seconds=self.seconds, summary=dict(summary)
        )
        self._opened = time.monotonic()
        self._write()
        if self._follower:
            self._follower.finish(summary)
        return self.ref

    def pause(self) -> None:
        """Keep the seconds worked so far: called when a run stops before it is finished."""
        if not self.finished:
            self._record["seconds"] = self.seconds
            self._opened = time.monotonic()
            self._write()

    @contextmanager
    def checkpoint(self, step: int, keep: int = 2) -> Iterator[Path]:
        """A directory to fill; on success it appears whole, with checksums, and old ones go."""
        folder = self.path / "checkpoints"
        temporary = folder / f".step-{step:06d}"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        yield temporary
        write_text(temporary / "sha256.json", json.dumps(_checksums(temporary), indent=1))
        final = folder / f"step-{step:06d}"
        shutil.rmtree(final, ignore_errors=True)
        temporary.rename(final)
        write_text(folder / "latest", final.name)
        self._prune(step, keep)
        self.pause()

    def _prune(self, step: int, keep: int) -> None:
        """Keep the newest checkpoints up to `step`; later ones are damaged and being rewritten."""
        found = self._checkpoints()
        for half in (self.path / "checkpoints").glob(".step-*"):
            shutil.rmtree(half)  # what a kill left of one that was never finished
        for later in (path for number, path in found if number > step):
            shutil.rmtree(later)
        for _, old in [entry for entry in found if entry[0] <= step][:-keep]:
            shutil.rmtree(old)

    def _checkpoints(self) -> list[tuple[int, Path]]:
        folder = self.path / "checkpoints"
        return sorted((int(p.name.removeprefix("step-")), p) for p in folder.glob("step-*"))

    def latest_checkpoint(self) -> tuple[int, Path] | None:
        """The newest undamaged checkpoint as (step, directory), or None before the first.

        A damaged one is named in a warning and passed over.
        """
        for step, path in reversed(self._checkpoints()):
            damaged = _damaged(path)
            if damaged is None:
                return step, path
            log.warning("%s is damaged or missing; the checkpoint before is used", damaged)
        return None

    def _write(self) -> None:
        write_text(self.path / "run.json", json.dumps(self._record, indent=1, ensure_ascii=False))


def write_text(path: Path, text: str) -> None:
    """Write `text` under a temporary name and rename: a reader never sees half a file.

    Half a character, which a model may write and UTF-8 cannot hold, becomes a question mark.
    """
    write_bytes(path, text.encode("utf-8", "replace"))


def flatten(tree: Mapping, prefix: str = "") -> dict[str, object]:
    """{"kl": {"coef": 1}} -> {"kl.coef": 1}: the dotted spelling of the command line."""
    flat: dict[str, object] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def find_runs(root: str | Path) -> list[tuple[Path, dict]]:
    """Every run below `root` as (path, its run.json), oldest first."""
    found = []
    for path in (p.parent for p in Path(root).rglob("run.json")):
        try:
            found.append((path, _read_record(path)))
        except RunError as error:  # it must not hide the others
            log.warning("%s", error)
    return sorted(found, key=lambda item: (item[1]["started"], str(item[0])))


def _require_empty(path: Path) -> None:
    # What a run that was killed while it was being opened may have left does not count.
    there = {p.name for p in path.iterdir()} if path.is_dir() else {path.name}
    left = {n for n in there - {"data", "config.yaml"} if not n.endswith(".partial")}
    if path.exists() and (not path.is_dir() or left):
        raise RunError(f"{path} is not empty and holds no run.json; name a new directory")


def _read_record(path: Path) -> dict:
    try:
        record = json.loads((path / "run.json").read_text(encoding="utf-8"))
        if not {"stage", "id", "status", "started"} <= record.keys():
            raise ValueError("it does not say which run it is of")
        return record
    except FileNotFoundError:
        raise RunError(f"{path} holds no run (run.json is missing); check the path") from None
    except (AttributeError, ValueError, RecursionError) as error:
        raise RunError(f"{path / 'run.json'} is damaged: {error}; remove the directory") from None


def _ref(path: Path, record: dict) -> RunRef:
    parents = tuple(p["id"] for p in record["parents"])
    return RunRef(record["stage"], record["id"], path, record["config_hash"], parents)


def _damaged(folder: Path) -> Path | None:
    """The first file of a checkpoint that is not what was written, None where all are."""
    try:
        expected = json.loads((folder / "sha256.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # missing or damaged itself
        return folder / "sha256.json"
    found = _checksums(folder)
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            return folder / name
    return None


def _checksums(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "sha256.json")
    return {str(p.relative_to(folder)): sha256(p.read_bytes()).hexdigest() for p in files}


def _step_of(line: str) -> int:
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):  # the half line of a process that was killed
        return HALF


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found
