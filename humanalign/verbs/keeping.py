"""The verbs on finished work: report, score, export, runs, init and config."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

from humanalign.config import keys, load
from humanalign.errors import ConfigError, RunError, did_you_mean
from humanalign.run import Run, find_runs, flatten, write_text
from humanalign.settings import (
    ExportConfig,
    InitConfig,
    ListConfig,
    ReportConfig,
    ScoreConfig,
    ShowConfig,
)
from humanalign.verbs.table import VERBS, settings_of

Progress = Callable[[int, int], None] | None


def report(config: ReportConfig, place: Path, progress: Progress = None) -> Mapping:
    """Write the page of a run or of a folder of runs."""
    from humanalign.evaluate.report import report as write_report  # keeps `runs` free of jinja2

    del progress
    if not place.is_dir():
        raise RunError(f"{place} is no directory of runs; name a run or a round folder")
    return {"report": str(write_report(place, Path(config.out) if config.out else None))}


def score(config: ScoreConfig, place: Path, progress: Progress = None) -> Mapping:
    """Accuracy of a reward on pairs, or its scores of answers in a .scored.jsonl beside them."""
    # Only scoring needs torch here.
    from humanalign.prefer.files.formats import read_pairs
    from humanalign.reward.fit import pair_accuracy
    from humanalign.reward.sources import resolve
    from humanalign.rows import columns, read_rows, write_rows

    del progress
    if (config.pairs is None) == (config.prompts is None):
        raise ConfigError("give one of pairs=FILE (accuracy) and prompts=FILE (scores)")
    model = resolve(f"run:{place}" if (place / "run.json").exists() else str(place))
    if config.pairs:
        return {"accuracy": pair_accuracy(model, read_pairs(config.pairs)).as_dict()}
    source = Path(str(config.prompts))
    rows = read_rows(source)
    columns(rows, ["prompt", "completion"], source)
    scores = model.score([r["prompt"] for r in rows], [r["completion"] for r in rows])
    out = source.with_name(f"{source.name.removesuffix('.gz').rpartition('.')[0]}.scored.jsonl")
    write_rows(out, [{**row, "score": s} for row, s in zip(rows, scores, strict=True)])
    return {"scored": len(rows), "mean": sum(scores) / len(scores), "file": str(out)}


def export(config: ExportConfig, place: Path, progress: Progress = None) -> Mapping:
    """Write a run's policy as an ordinary model directory, adapter merged, with a model card."""
    from humanalign.models import Policy  # torch, for this verb only

    del progress
    run = Run.parent(place)
    out = Path(config.out)
    Policy.load(place).save_merged(out)
    record = dict(find_runs(place))[place]
    write_text(out / "README.md", _card(run.id, record))
    return {"model": str(out), "run": run.id}


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


def _card(run_id: str, record: Mapping) -> str:
    head = {"library_name": "transformers", "tags": ["humanalign", record["stage"]]}
    summary = yaml.safe_dump(dict(record["summary"]), sort_keys=False)
    return (
        f"---\n{yaml.safe_dump(head)}---\n\n# Model of run {run_id}\n\nTrained with humanalign "
        f"{record['versions']['humanalign']}, seed {record['seed']}.\n\n```yaml\n{summary}```\n"
    )


ALIGN = """# humanalign align align.yaml reward=run:runs/reward
method: ppo
model: tiny-instruct
prompts: prompts.jsonl
steps: 100
kl:
  coef: 0.05
"""
