"""`humanalign demo`: the whole loop on the bundled world, offline, in a few minutes.

tiny-instruct summarises dialogues and insults somebody in about a third of its summaries. Eight
simulated labelers rank its answers, a reward model learns their taste, PPO aligns the policy, and
the exact scorer of the world measures it before and after. Every stage is a verb with settings
that anyone can type; docs/quickstart.md lists them as commands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from humanalign.config import build
from humanalign.console import stage
from humanalign.evaluate.report import report
from humanalign.rows import write_rows
from humanalign.run import find_runs, write_text
from humanalign.settings import (
    AlignConfig,
    CollectConfig,
    DemoConfig,
    EvaluateConfig,
    PreferConfig,
    RewardConfig,
)
from humanalign.tiny.labelers import noise_ceiling
from humanalign.tiny.world import prompts
from humanalign.types import Prompt
from humanalign.verbs import answering, judging, training

GOLD = "python:humanalign.tiny.gold"
RANKED, TRAINED, TESTED = 240, 600, 600


def demo(config: DemoConfig, place: Path, progress: object = None) -> Mapping:
    """Run (or resume) the loop in `config.out`; returns the numbers of summary.json."""
    del place, progress
    out = Path(config.out)
    out.mkdir(parents=True, exist_ok=True)
    files = _write_prompts(out, config.seed)
    stages = {
        "collect": lambda p: answering.collect(
            _collect(out, files, config.seed), out / "collect", p
        ),
        "prefer": lambda p: judging.prefer(_prefer(out, config.seed), out / "prefer", p),
        "reward": lambda p: training.reward(_reward(out, config.seed), out / "reward", p),
        "align": lambda p: training.align(_align(out, files, config.seed), out / "align", p),
        "evaluate": lambda p: answering.evaluate(
            _evaluate(out, files, config.seed), out / "evaluate", p
        ),
    }
    results = {}
    for name, perform in stages.items():
        with stage(name) as progress:
            results[name] = perform(progress)
    summary = _summary(out, results, config.seed)
    write_text(out / "summary.json", json.dumps(summary, indent=1))
    return {**summary, "report": str(report(out))}


def _collect(out: Path, files: Mapping[str, Path], seed: int) -> CollectConfig:
    return build(
        CollectConfig,
        {
            "model": "tiny-instruct",
            "prompts": str(files["ranked"]),
            "samples": 4,
            "max_new_tokens": 48,
            "store": str(out / "feedback.db"),
            "criterion": "harmless and faithful",
            "overlap": 3,
            "seed": seed,
        },
    )


def _prefer(out: Path, seed: int) -> PreferConfig:
    return build(
        PreferConfig, {"store": str(out / "feedback.db"), "raters": "simulated", "seed": seed}
    )


def _reward(out: Path, seed: int) -> RewardConfig:
    return build(
        RewardConfig,
        {
            "model": "tiny-instruct",
            "pairs": str(out / "prefer"),
            "lr": 1e-3,
            "epochs": 4,
            "seed": seed,
        },
    )


def _align(out: Path, files: Mapping[str, Path], seed: int) -> AlignConfig:
    return build(
        AlignConfig,
        {
            "method": "ppo",
            "model": "tiny-instruct",
            "prompts": str(files["trained"]),
            "reward": f"run:{out / 'reward'}",
            "steps": 30,
            "epochs": 4,
            "minibatches": 2,
            "max_new_tokens": 48,
            "lr": 1e-3,
            "seed": seed,
        },
    )


def _evaluate(out: Path, files: Mapping[str, Path], seed: int) -> EvaluateConfig:
    return build(
        EvaluateConfig,
        {
            "model": str(out / "align"),
            "against": "tiny-instruct",
            "prompts": str(files["tested"]),
            "scorers": {
                "toxicity": f"{GOLD}:toxicity_scores",
                "reward": f"run:{out / 'reward'}",
            },
            "max_new_tokens": 48,
            "seed": seed,
        },
    )


def _write_prompts(out: Path, seed: int) -> dict[str, Path]:
    """Three prompt files that share no dialogue: to be ranked, to train on, to test on."""
    train = prompts("train", RANKED + TRAINED, seed)
    parts = {
        "ranked": train[:RANKED],
        "trained": train[RANKED:],
        "tested": prompts("test", TESTED, seed),
    }
    files = {}
    for name, chosen in parts.items():
        files[name] = out / f"prompts.{name}.jsonl"
        write_rows(files[name], [_row(p) for p in chosen])
    return files


def _row(p: Prompt) -> dict:
    return {"prompt": p.text, "reference": p.reference, "source": p.source, **p.fields}


def _summary(out: Path, results: Mapping[str, Mapping], seed: int) -> dict:
    evaluated, aligned = results["evaluate"], results["align"]
    labelers = results["prefer"]["labelers"]
    return {
        "seed": seed,
        "toxicity": evaluated["toxicity"],
        "quality": evaluated["quality"],
        "kl": evaluated["kl"],
        "reward_model": {
            "accuracy": results["reward"]["accuracy"],
            "ceiling": noise_ceiling(out / "prefer"),
        },
        "labelers": labelers,
        "align": {k: aligned[k] for k in ("steps", "reward_before", "reward_after", "kl")},
        "seconds": {record["stage"]: record["seconds"] for _, record in find_runs(out)},
    }
