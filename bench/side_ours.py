"""One timed process of humanalign: `python -m bench.side_ours JOB.json`.

The public path, `align(...)` with a run; the split of a step is read from its metrics.jsonl.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.scorers import load_scorer, load_tokenizer
from bench.side import Job, Step, profiled, read_job, write_report
from humanalign.align.methods import align
from humanalign.models import Lora, Policy
from humanalign.run import Run
from humanalign.settings import AlignConfig
from humanalign.types import Prompt


class TimedReward:
    """The shared reward network behind our border of texts, with a clock around it."""

    def __init__(self, folder: Path) -> None:
        self.scorer, self.tokenizer = load_scorer(folder), load_tokenizer(folder)
        self.seconds: list[float] = []

    def score(self, prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
        began = time.monotonic()
        asked = self.tokenizer(list(prompts)).input_ids
        said = self.tokenizer(list(completions), add_special_tokens=False).input_ids
        scores = self.scorer.scores(asked, said).tolist()
        self.seconds.append(time.monotonic() - began)
        return scores


def settings(job: Job) -> AlignConfig:
    return AlignConfig.model_validate(
        {
            "model": str(job.folder / "policy"),
            "method": "ppo",
            "steps": job.warmup + job.steps,
            "batch": job.rows,
            "micro_batch": job.rows,
            "minibatches": 1,
            "epochs": job.epochs,
            "max_new_tokens": job.response,
            "ignore_eos": True,
            "lr": job.lr,
            "lora": {"rank": job.lora},
            "checkpoint": {"every": 0},
            "seed": job.seed,
        }
    )


def steps(run: Run, ends: Sequence[float], scored: Sequence[float]) -> list[Step]:
    """The run's own split; a step lasts from one progress call to the next, logging included."""
    rows = [row for row in run.metrics() if "time/step" in row]
    scored = scored[-len(rows) :]  # the calibration before the first step scored as well
    found = []
    for i, row in enumerate(rows):
        score = row.get("time/score", scored[i])
        rollout = row["time/step"] - row["time/update"] - score
        whole = ends[i] - ends[i - 1] if i else row["time/step"]
        found.append(Step(rollout, score, whole - rollout - score))
    return found


def main() -> None:
    job = read_job()
    policy = Policy.load(job.folder / "policy", lora=Lora(job.lora) if job.lora else None)
    reward, config = TimedReward(job.folder), settings(job)
    prompts = [Prompt(text) for text in job.prompts()]
    ends: list[float] = []
    with tempfile.TemporaryDirectory() as place, profiled(job):
        run = Run.open(f"{place}/run", stage="align", config=config.model_dump(), seed=job.seed)
        align(
            policy,
            prompts,
            reward,
            settings=config,
            run=run,
            progress=lambda *_: ends.append(time.monotonic()),
        )
        trained = sum(p.numel() for p in policy.trainable().values())
        write_report(job, steps(run, ends, reward.seconds), trained)


if __name__ == "__main__":
    main()
