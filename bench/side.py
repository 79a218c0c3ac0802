"""What one timed process is told, and what it reports: `Job` in, `Report` out, as JSON files.

Both sides use this module, so it imports nothing of humanalign and nothing of a peer.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import torch


@dataclass(frozen=True)
class Job:
    """One process: the problem's folder, the batch, and how many steps are warm-up and timed.

    rows, response: answers a step and tokens in each; lora: adapter rank, 0 trains all weights;
    stock: leave the peer's garbage collections in; profile: print the dearest operations.
    """

    problem: str
    rows: int
    response: int
    lr: float
    out: str
    epochs: int = 4
    lora: int = 0
    warmup: int = 2
    steps: int = 5
    threads: int = 2
    seed: int = 0
    stock: bool = False
    profile: bool = False

    @property
    def folder(self) -> Path:
        return Path(self.problem)

    def prompts(self) -> list[str]:
        return json.loads((self.folder / "prompts.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Step:
    """Seconds of one step. rollout: sampling and everything measured on the samples but the
    score; score: the reward network; update: all epochs, and what is left of the step."""

    rollout: float
    score: float
    update: float

    @property
    def total(self) -> float:
        return self.rollout + self.score + self.update


@dataclass(frozen=True)
class Report:
    """Medians over the timed steps, in seconds; peak resident memory in MB; what was trained."""

    rollout: float
    score: float
    update: float
    step: float
    peak_mb: float
    trained: int
    steps: list[float]


def read_job() -> Job:
    """The job of this process: the file that its only argument names."""
    job = Job(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    torch.set_num_threads(job.threads)
    torch.manual_seed(job.seed)
    return job


def write_report(job: Job, steps: list[Step], trained: int) -> None:
    """Leave the medians over the steps after the warm-up in the job's `out` file."""
    timed = steps[job.warmup :]

    def median(read: Callable[[Step], float]) -> float:
        return statistics.median(read(step) for step in timed)

    report = Report(
        rollout=median(lambda s: s.rollout),
        score=median(lambda s: s.score),
        update=median(lambda s: s.update),
        step=median(lambda s: s.total),
        peak_mb=peak_mb(),
        trained=trained,
        steps=[s.total for s in timed],
    )
    Path(job.out).write_text(json.dumps(asdict(report)), encoding="utf-8")


def peak_mb() -> float:
    """This process's largest resident memory. Not getrusage: it counts the parent's before exec."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def nothing(*_: object) -> int:
    """In the place of gc.collect() where a peer calls it in every step: none was found."""
    return 0


def profiled(job: Job) -> AbstractContextManager:
    """With job.profile: a profiler that prints its table when it is left."""
    return _Profiler() if job.profile else nullcontext()


class _Profiler(AbstractContextManager):
    def __init__(self) -> None:
        self.profiler = torch.profiler.profile()

    def __enter__(self) -> None:
        self.profiler.__enter__()

    def __exit__(self, *error: object) -> None:
        self.profiler.__exit__(*error)
        table = self.profiler.key_averages().table(
            sort_by="self_cpu_time_total", row_limit=22, max_name_column_width=44
        )
        print(table, file=sys.stderr)
