"""What one timed fit is told, and what it reports: a `Job` in, a report out, as JSON files.

Both sides use this module, so it imports nothing of humanalign and nothing of a peer.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch

from bench.side import peak_mb


@dataclass(frozen=True)
class Job:
    """One fit. `problem` holds model/ (weights, tokenizer), train.json and test.json.

    batch: pairs an optimizer step; warmup: steps that are not timed; checkpointing: recompute
    activations in the backward pass, as trl does unless told otherwise (its side alone).
    """

    problem: str
    out: str
    max_tokens: int
    batch: int
    epochs: int
    lr: float
    precision: str
    dropout: bool
    checkpointing: bool
    threads: int
    warmup: int
    seed: int

    @property
    def model(self) -> str:
        return str(Path(self.problem) / "model")

    def rows(self, part: str) -> list[dict]:
        """The pairs of a part: texts (prompt, chosen, rejected) and the ids both sides read."""
        return json.loads((Path(self.problem) / f"{part}.json").read_text(encoding="utf-8"))


@dataclass
class Clock:
    """Wall and processor seconds at the end of each step, and the peak memory of the last."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak_mb: float = 0.0

    def tick(self) -> None:
        self.wall.append(time.perf_counter())
        self.cpu.append(time.process_time())
        self.peak_mb = peak_mb()


def read_job() -> Job:
    """The job of this process: the file that its only argument names."""
    job = Job(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    torch.set_num_threads(job.threads)
    torch.manual_seed(job.seed)
    return job


def write_report(job: Job, clock: Clock, *, before: list[float], gaps: list[float]) -> None:
    """Leave pairs per second (wall, processor), peak memory and held-out scores in `job.out`.

    before: scores of the held-out chosen answers by the weights both sides start from; gaps:
    chosen minus rejected score of each held-out pair after the fit.
    """
    pairs = len(job.rows("train")) * job.epochs - job.batch * job.warmup
    report = {
        "pairs_per_second": pairs / (clock.wall[-1] - clock.wall[job.warmup - 1]),
        "pairs_per_cpu_second": pairs / (clock.cpu[-1] - clock.cpu[job.warmup - 1]),
        "steps": len(clock.wall),
        "peak_mb": clock.peak_mb,
        "before": before,
        "right": [1.0 if gap > 0 else 0.5 if gap == 0 else 0.0 for gap in gaps],
    }
    Path(job.out).write_text(json.dumps(report), encoding="utf-8")
