"""The verbs that look at and set up work: report, runs, init and config."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from humanalign.config import keys, load
from humanalign.errors import ConfigError, RunError, did_you_mean
from humanalign.run import find_runs, flatten, write_text
from humanalign.settings import (
    InitConfig,
    ListConfig,
    ReportConfig,
    ShowConfig,
)
from humanalign.verbs.table import VERBS, settings_of

Progress = Callable[[int, int], None] | None


def report(config: ReportConfig, place: Path, progress: Progress = None) -> Mapping:
    """Write the page of a run or of a folder of runs."""
    from humanalign.evaluate.report.page import (
        report as write_report,  # keeps `runs` free of jinja2
    )

    del progress
    if not place.is_dir():
        raise RunError(f"{place} is no directory of runs; name a run or a round folder")
    try:
        return {"report": str(write_report(place, Path(config.out) if config.out else None))}
    except OSError as error:
        raise ConfigError(
            f"the page cannot be written to {error.filename} ({error.strerror}); give another out="
        ) from None


def runs(config: ListConfig, place: Path, progress: Progress = None) -> Mapping:
    """Every run below a directory, with its parents."""
    del config, progress
    rows = [
        {
            "path": str(path),
            "id": record["id"],
            "stage": record["stage"],
            "status": record["status"],
            "parents": " ".join(p["id"] for p in record["parents"]) or "-",
            "seconds": round(record["seconds"], 1),
        }
        for path, record in find_runs(place)
    ]
    return {"runs": rows}


def init(config: InitConfig, place: Path, progress: Progress = None) -> Mapping:
    """A project folder to start from; files that are there are left alone."""
    from humanalign.prefer.constitution import DEFAULT
    from humanalign.prefer.defaults import default_instructions

    del config, progress
    if str(place) in ("", "."):
        raise ConfigError("name the folder to make: humanalign init DIR")
    files = {
        "prompts.jsonl": '{"prompt": "Summarize the following conversation. ... Summary:"}\n',
        "instructions.md": default_instructions("helpful", "ranking")[0],
        "constitution.yaml": DEFAULT.read_text(encoding="utf-8"),
        "align.yaml": ALIGN,
    }
    place.mkdir(parents=True, exist_ok=True)
    made = [name for name in files if not (place / name).exists()]
    for name in made:
        write_text(place / name, files[name])
    return {"folder": str(place), "made": made, "kept": [n for n in files if n not in made]}


def config(config: ShowConfig, place: Path, progress: Progress = None) -> Mapping:
    """The settings of a verb with their defaults, or those of a YAML file checked against it."""
    del progress
    verb = str(place)
    if verb not in VERBS:
        raise ConfigError(
            f"name a verb, got '{verb}'{did_you_mean(verb, VERBS)}; humanalign --help"
        )
    kind = settings_of(VERBS[verb])
    if config.file:
        return flatten(load(kind, config.file, []).model_dump())
    return {name: default for name, default, _ in keys(kind)}


ALIGN = """# humanalign align align.yaml reward=run:runs/reward
method: ppo
model: tiny-instruct
prompts: prompts.jsonl
steps: 100
kl:
  coef: 0.05
"""
