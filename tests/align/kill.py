"""Kill real training processes, start them again, and say what they left: the bench of resume.

    PYTHONPATH=tests python -m align.kill FOLDER

One process imports everything and forks a child for every attempt, so an attempt costs what the
training costs. A child is killed (SIGKILL) after a random time, or while it writes a checkpoint.
FOLDER/kills.json tells, for each run that was killed, when that was.
"""

from __future__ import annotations

import gc
import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from small_policies import PROMPTS as ASKED
from small_policies import RESPONSES, save_llama, save_small_t5

from humanalign.align.methods import align
from humanalign.models import Lora, Policy
from humanalign.rows import write_rows
from humanalign.settings import AlignConfig

from .online_toys import PROMPTS, ShareOf, settings

# Each case and the model it starts from.
CASES = {"causal-all": "causal", "causal-lora": "causal", "t5-all": "t5", "t5-lora": "t5"}
KILLS = 6  # of each case
PATIENCE = 60.0  # seconds that an attempt may take
# Everything that carries something from one step to the next, at once.
DEMANDING = {
    "steps": 10,
    "batch": 8,
    "epochs": 2,
    "minibatches": 2,
    "max_new_tokens": 5,
    "schedule": "linear",
    "standardise": "running",
    "ema": 0.9,
    "kl": {"target": 0.5, "horizon": 50, "coef": 0.1},
    "checkpoint": {"every": 2, "best": True},
}


@dataclass
class Victim:
    """A run that was killed. seconds: when, counted from the start of each attempt; steps: of
    the metrics written by then; writing: how many kills fell while a checkpoint was written."""

    path: str
    case: str
    seconds: list[float] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    writing: int = 0


def config_of(case: str, models: Path) -> AlignConfig:
    """The settings of a case, with what only some cases carry along besides."""
    own = {"lora": {"rank": 2 if case.endswith("lora") else 0}} | {
        "causal-all": {"value": {"model": str(models / "causal"), "warmup": 1}},
        "causal-lora": {"mix": {"data": str(models / "mix.jsonl"), "coef": 0.1}},
        "t5-all": {"method": "grpo", "group": 4, "freeze_encoder": True},
        "t5-lora": {"value": {"model": "adapter"}, "policy_kl": 0.5},
    }[case]
    return settings(**(DEMANDING | {"model": str(models / CASES[case])} | own))


def train(case: str, models: Path, path: Path) -> None:
    """What each attempt does, from the start or from the latest checkpoint."""
    config = config_of(case, models)
    lora = Lora(config.lora.rank) if config.lora.rank else None
    frozen = config.freeze_encoder
    policy = Policy.load(config.model, lora=lora, seed=config.seed, freeze_encoder=frozen)
    align(policy, PROMPTS, ShareOf(), run=path, settings=config)


def attempt(work: Callable[[], None], until: Callable[[float], bool]) -> float | None:
    """Fork `work`; kill it once `until(seconds)` is true. Seconds at the kill, None if it ended."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    began = time.monotonic()
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        seconds = time.monotonic() - began
        if ended:
            if status:
                raise SystemExit(f"an attempt ended with status {status} after {seconds:.2f} s")
            return None
        if until(seconds) or seconds > PATIENCE:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            if seconds > PATIENCE:
                raise SystemExit(f"an attempt was not done after {PATIENCE:.0f} s")
            return seconds
        time.sleep(0.0005)


def writing(path: Path) -> set[str]:
    """The checkpoints that are being written, under the names they have until they are whole."""
    return {p.name for p in (path / "checkpoints").glob(".step-*")}


def moment(path: Path, rng: random.Random, whole: float) -> Callable[[float], bool]:
    """When to kill: anywhere in the time of a whole run, or in the midst of a checkpoint."""
    if rng.random() < 0.5:
        limit = rng.uniform(0.0, whole)
        return lambda seconds: seconds >= limit
    left = rng.randint(1, 4)  # checkpoints that are still let through
    later = rng.uniform(0.0, 0.01)
    last, since = writing(path), 0.0

    def due(seconds: float) -> bool:
        nonlocal last, since, left
        now = writing(path)
        if now - last:
            left, since = left - 1, seconds
        last = now
        return left <= 0 and seconds - since >= later

    return due


def steps_of(path: Path) -> int:
    """Whole rows of the metrics."""
    file = path / "metrics.jsonl"
    return file.read_bytes().count(b"\n") if file.exists() else 0


def murder(case: str, root: Path, rng: random.Random, whole: float) -> list[Victim]:
    """Runs of one case, each killed and started again until it ends; at least KILLS kills."""
    victims: list[Victim] = []
    while sum(len(v.seconds) for v in victims) < KILLS:
        path = root / f"{case}-{len(victims)}"
        victim = Victim(str(path), case)
        victims.append(victim)
        while True:
            before = writing(path)
            work = lambda path=path: train(case, root / "models", path)  # noqa: E731
            seconds = attempt(work, moment(path, rng, whole))
            if seconds is None:
                break
            victim.seconds.append(seconds)
            victim.steps.append(steps_of(path))
            victim.writing += bool(writing(path) - before)
    return victims


def main(root: Path) -> None:
    torch.set_num_threads(1)
    rng = random.Random(3)
    save_llama(root / "models" / "causal")
    save_small_t5(root / "models" / "t5")
    mixed = [{"prompt": p, "response": r} for p, r in zip(ASKED, RESPONSES, strict=True)]
    write_rows(root / "models" / "mix.jsonl", mixed)
    gc.freeze()  # a fork that looks for garbage would copy all of torch's modules
    victims: list[Victim] = []
    for case in CASES:
        began = time.monotonic()
        attempt(lambda case=case: train(case, root / "models", root / f"{case}-whole"), never)
        victims += murder(case, root, rng, time.monotonic() - began)
    (root / "kills.json").write_text(json.dumps([asdict(v) for v in victims], indent=1))


def never(_: float) -> bool:
    return False


if __name__ == "__main__":
    main(Path(sys.argv[1]))
