"""Folders of runs for the tests of the live page, written as a run writes itself."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

HOSTILE = "<img src=x onerror=\"document.title='broken in'\"><script>alert(1)</script>\u202etxt"
RECORD = {
    "stage": "align",
    "id": "align-0",
    "status": "running",
    "started": "2026-01-01T10:00:00+00:00",
    "seconds": 0.0,
    "seed": 0,
    "parents": [],
    "summary": {},
}


def make_run(path: Path, rows: list[dict] | None = None, config: dict | None = None, **record):
    """A run directory with run.json, config.yaml and metrics.jsonl."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "run.json").write_text(json.dumps({**RECORD, **record}))
    settings = {"method": "ppo", "steps": 50, "kl": {"coef": 0.1}, **(config or {})}
    (path / "config.yaml").write_text(yaml.safe_dump(settings))
    append(path, "metrics.jsonl", rows or [])
    return path


def append(path: Path, name: str, rows: list[dict]) -> None:
    """Add lines to one of a run's files, as training does."""
    with (path / name).open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def steps(first: int, last: int, **more: float) -> list[dict]:
    """Rows of metrics for the steps first..last: reward is a tenth of the step."""
    return [
        {
            "step": step,
            "align/reward": step / 10,
            "align/kl": 0.5,
            "time/rollout": 1.0,
            "time/step": 4.0,
            **more,
        }
        for step in range(first, last + 1)
    ]


def alert(step: int = 3, **more) -> dict:
    """A line of alerts.jsonl."""
    return {
        "step": step,
        "rule": "kl_runaway",
        "level": "danger",
        "metric": "align/kl",
        "value": 9.0,
        "limit": 6.0,
        "sentence": "The distance is 9.0 nats (limit 6.0): raise kl.coef.",
        "action": "none",
        "samples": [{"prompt": "Say hello.", "completion": HOSTILE, "reward": 1.0}],
        **more,
    }
