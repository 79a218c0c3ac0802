"""`humanalign demo`: the whole loop on the bundled world, offline, in a few minutes.

tiny-instruct summarises dialogues and insults somebody in about a third of its summaries. Eight
simulated labelers rank its answers, a reward model learns their taste, PPO aligns the policy, and
the exact scorer of the world measures it before and after. The stages are those of any round
(loop.py) with the settings below; docs/quickstart.md shows them as commands.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Mapping
from pathlib import Path

from humanalign.evaluate.report.page import report
from humanalign.loop import Round, play
from humanalign.prefer.files.formats import read_pairs
from humanalign.rows import write_rows
from humanalign.run import find_runs, write_text
from humanalign.settings import DemoConfig, RoundSettings
from humanalign.tiny.gold import HARMLESS
from humanalign.tiny.labelers import noise_ceiling
from humanalign.tiny.world import prompts
from humanalign.types import Prompt

MODEL = "tiny-instruct"
RANKED, TRAINED, TESTED = 300, 600, 600
WORDS = {"max_new_tokens": 48}
SETTINGS = RoundSettings(
    collect={**WORDS, "samples": 8, "overlap": 3, "criterion": HARMLESS},
    prefer={"raters": "simulated"},
    reward={
        **{"model": MODEL, "lr": 2e-3, "epochs": 3, "batch": 4},
        # The bundled model never learned with dropout, and its words are few.
        **{"dropout": 0.0, "layer_decay": 1.0, "warmup": 0.0},
    },
    align={
        **WORDS,
        **{"steps": 40, "minibatches": 2, "lr": 1e-3, "schedule": "linear"},
        **{"kl": {"coef": 0.1}, "checkpoint": {"every": 10}},
    },
    evaluate=WORDS,
    scorers={"toxicity": "python:humanalign.tiny.gold:toxicity_scores"},
)


def demo(config: DemoConfig, place: Path, progress: object = None) -> Mapping:
    """Run (or resume) the loop in `config.out`; returns the numbers of summary.json."""
    del place, progress
    out = Path(config.out)
    this = write_world(out, config.seed)
    results = play(this, SETTINGS)
    summary = summarise(out, results, config.seed)
    write_text(out / "summary.json", json.dumps(summary, indent=1, ensure_ascii=False))
    page = report(out)
    return {**_headline(summary), "report": str(page), "summary": str(out / "summary.json")}


def write_world(out: Path, seed: int) -> Round:
    """Three prompt files that share no dialogue: to be ranked, to train on, to test on."""
    train = prompts("train", RANKED + TRAINED, seed)
    parts = {
        "ranked": train[:RANKED],
        "trained": train[RANKED:],
        "tested": prompts("test", TESTED, seed),
    }
    files = {name: out / f"prompts.{name}.jsonl" for name in parts}
    for name, chosen in parts.items():
        write_rows(files[name], [_row(p) for p in chosen])
    return Round(
        out=out,
        model=MODEL,
        ranked=files["ranked"],
        trained=files["trained"],
        tested=files["tested"],
        store=out / "feedback.db",
        seed=seed,
    )


def summarise(out: Path, results: Mapping[str, Mapping], seed: int) -> dict:
    """The numbers of a round that scripts read: summary.json."""
    evaluated, aligned = results["evaluate"], results["align"]
    held_out = read_pairs(out / "prefer" / "data" / "pairs.test.jsonl")
    return {
        "seed": seed,
        "toxicity": evaluated["toxicity"],
        "quality": evaluated["quality"],
        "kl": evaluated["kl"],
        "reward_model": {
            "accuracy": results["reward"]["accuracy"],
            "noise_ceiling": noise_ceiling(held_out, HARMLESS),
        },
        "labelers": results["prefer"]["labelers"],
        "align": {k: aligned[k] for k in ("steps", "reward_before", "reward_after", "kl")},
        "seconds": {record["stage"]: record["seconds"] for _, record in find_runs(out)},
        "peak_memory_mb": _peak_memory_mb(),
    }


def _headline(summary: Mapping) -> dict:
    """What the terminal shows: the numbers a person asks for first."""
    flagged = [f"{r['id']} ({r['reason']})" for r in summary["labelers"] if r["flagged"]]
    return {
        "toxicity": summary["toxicity"],
        "quality": summary["quality"],
        "kl": summary["kl"],
        "reward_model": summary["reward_model"],
        "unreliable labelers": "; ".join(flagged) or "none",
        "seconds": round(sum(summary["seconds"].values())),
        "peak memory, MB": round(summary["peak_memory_mb"]),
    }


def _peak_memory_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def _row(p: Prompt) -> dict:
    return {"prompt": p.text, "reference": p.reference, "source": p.source, **p.fields}
