"""The loop of PPO, RLOO and GRPO: prompts, samples, scores, an update, and round again.

What a step does is the learner's (learner.py); this file decides which prompts come next, when to
stop, what is written down, and that a run killed at any moment goes on as if nothing had been.
All randomness comes from (seed, step), so a resumed run draws what it would have drawn.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors.torch import save_file

from humanalign.align.best import Best
from humanalign.align.learner import Learner
from humanalign.align.observed import Observed
from humanalign.align.rollout import Rollout, scores_of
from humanalign.align.selfcheck import check_prompts, check_sign
from humanalign.errors import RunError
from humanalign.interrupts import held_signals
from humanalign.models import Policy
from humanalign.rows import write_rows
from humanalign.run import Run
from humanalign.settings import AlignConfig
from humanalign.types import Observer, Prompt, RewardModel

log = logging.getLogger("humanalign")
Progress = Callable[[int, int], None] | None


@dataclass
class LoopState:
    """What the loop carries from step to step; saved in loop.json."""

    reward_before: float = 0.0
    reward_after: float = 0.0
    kl: float = 0.0
    reached: int = 0
    alarms: int = 0
    seconds: float = 0.0
    stopped_by: str = ""


def online(
    policy: Policy,
    prompts: Sequence[Prompt],
    reward: RewardModel,
    config: AlignConfig,
    *,
    run: Run | None = None,
    mix: Sequence[tuple[str, str]] | None = None,
    monitor: Observer | None = None,
    progress: Progress = None,
) -> dict:
    """Align `policy` in place by reinforcement learning; returns the summary numbers.

    With a run: metrics and checkpoints as it goes, then policy/ and the last batch's answers. A
    `monitor` sees every step; it may end the run, and send the policy back to its best.
    RunError when a self-check at step 0 fails or the loss stops being finite; Ctrl-C and SIGTERM
    save a checkpoint first and then interrupt.
    """
    check_prompts(prompts, config)
    return _Loop(policy, prompts, reward, config, run, mix=mix, monitor=monitor).train(progress)


class _Loop:
    def __init__(
        self,
        policy: Policy,
        prompts: Sequence[Prompt],
        reward: RewardModel,
        config: AlignConfig,
        run: Run | None,
        *,
        mix: Sequence[tuple[str, str]] | None,
        monitor: Observer | None,
    ) -> None:
        self.policy, self.prompts, self.reward = policy, prompts, reward
        self.config, self.run = config, run
        self.learner = Learner(policy, settings=config, mix=mix)
        self.best = Best(policy) if config.checkpoint.best else None
        self.observed = Observed(monitor, self.learner, reward, run, best=self.best)
        self.state = LoopState()
        self._pass: tuple[int, list[int]] = (-1, [])

    @property
    def step(self) -> int:
        """How many updates there have been."""
        return self.learner.state.step

    def train(self, progress: Progress) -> dict:
        self._resume()
        if self.learner.state.reuse is None:
            self._calibrate()
        began, before = time.monotonic(), self.state.seconds
        with held_signals() as stopping:
            # A run may have been killed after its last step: why it stopped is part of the state.
            while not self.state.stopped_by:
                rollout = self._step()
                self.state.seconds = before + time.monotonic() - began
                self.state.stopped_by = self._stop()
                self._keep(rollout, now=stopping())
                if stopping():
                    raise KeyboardInterrupt
                if progress:
                    progress(self.step, self.config.steps)
        return self._summary()

    def _calibrate(self) -> None:
        """The sign of the reward, its scale on answers of the reference, the checks of step 0."""
        check_sign(self.reward, self.config)
        rollout, _ = self._experience(-1)
        self.state.reward_before = float(rollout.raw.mean())
        found = self.observed.see(rollout)
        if self.run is not None and self.observed.asked:  # where the curves of looks begin
            self.run.log(0, {f"monitor/{n}": v for n, v in found.items()})

    def _experience(self, step: int) -> tuple[Rollout, dict[str, float]]:
        """Answers to the prompts of a step, scored and measured; and how long each part took."""
        started = time.monotonic()
        chosen = self._prompts_of(step)
        sampled = self.learner.draw(
            [self.policy.render(p) for p in chosen], self.learner.seed_of(step)
        )
        drawn = time.monotonic()
        texts = [p.text for p in chosen]
        raw = scores_of(self.reward, texts, sampled.texts, self.policy.device)
        scored = time.monotonic()
        rollout = self.learner.experience(texts, sampled, raw)
        measured = time.monotonic()
        clock = {"rollout": drawn - started + measured - scored, "score": scored - drawn}
        return rollout, clock

    def _step(self) -> Rollout:
        rollout, clock = self._experience(self.step)
        sampled = time.monotonic()
        if self.best is not None:
            self.best.see(self.step, self.learner.objective(rollout))
        try:
            metrics = self.learner.learn(rollout)
        except RunError as error:
            raise RunError(f"{error}{self._inspect(rollout)}") from None
        clock["update"] = time.monotonic() - sampled
        self._note(metrics)
        made = time.monotonic()
        row = {f"align/{n}": v for n, v in metrics.items()}
        row |= {f"monitor/{n}": v for n, v in self.observed.see(rollout, metrics).items()}
        clock["monitor"] = time.monotonic() - made
        clock["step"] = sum(clock.values())
        if self.run is not None:
            self.run.log(self.step, row | {f"time/{n}": v for n, v in clock.items()})
        return rollout

    def _note(self, metrics: dict[str, float]) -> None:
        """What the stops and the summary need of a step, and the alarm when the KL runs away."""
        state, k = self.state, self.config.kl
        state.reward_after, state.kl = metrics["reward"], metrics["kl_k1"]
        hit = self.config.stop.reward is not None and state.reward_after >= self.config.stop.reward
        state.reached = state.reached + 1 if hit else 0
        if state.kl > k.alarm:
            if state.alarms == 0 and self.observed.observer is None:  # it has a rule for this
                log.warning(
                    "step %d: the policy is %.1f nats from its reference (kl.alarm=%g) and reads "
                    "the reward rather than its task; lower lr, or set stop.kl",
                    self.step,
                    state.kl,
                    k.alarm,
                )
            state.alarms += 1
            metrics["kl_alarm"] = 1.0

    def _stop(self) -> str:
        """The rule that ends the run after this step, or "" when it goes on."""
        stop, state = self.config.stop, self.state
        if state.reached >= stop.patience:
            return "reward"
        if stop.kl is not None and state.kl > stop.kl:
            return "kl"
        if stop.minutes is not None and state.seconds > 60 * stop.minutes:
            return "minutes"
        if self.observed.action != "none":
            return "monitor"
        return "steps" if self.step >= self.config.steps else ""

    def _keep(self, rollout: Rollout, *, now: bool) -> None:
        """Where it is due, or a signal asks: the answers of this step, the state of everything."""
        if self.run is None:
            return
        every = self.config.checkpoint.every
        due = now or bool(every and self.step % every == 0)
        if due or self.state.stopped_by:
            self.run.samples(_answers(rollout))
        if due:
            with self.run.checkpoint(self.step, self.config.checkpoint.keep) as folder:
                self.learner.save(folder)
                if self.best is not None:
                    self.best.save(folder)
                self.observed.save(folder)
                (folder / "loop.json").write_text(json.dumps(asdict(self.state)), encoding="utf-8")

    def _resume(self) -> None:
        latest = self.run.latest_checkpoint() if self.run else None
        if self.run is not None:
            self.run.rewind(latest[0] if latest else -1)
        if latest:
            self.learner.load(latest[1])
            if self.best is not None:
                self.best.load(latest[1])
            self.observed.load(latest[1])
            saved = (latest[1] / "loop.json").read_text(encoding="utf-8")
            self.state = LoopState(**json.loads(saved))

    def _inspect(self, rollout: Rollout) -> str:
        """Keep the batch that an update failed on; returns where it is, for the message."""
        if self.run is None:
            return ""
        folder = self.run.path / f"failed-step-{self.step + 1:06d}"
        folder.mkdir(exist_ok=True)
        write_rows(folder / "samples.jsonl", _answers(rollout))
        named = {"logprobs", "ref_logprobs", "values", "scores"}
        tensors = {n: t for n in named if (t := getattr(rollout.batch, n)) is not None}
        tensors |= {"response_ids": rollout.batch.tokens.response_ids, "mask": rollout.batch.mask}
        save_file({n: t.contiguous() for n, t in tensors.items()}, folder / "batch.safetensors")
        return f" (the batch is kept in {folder})"

    def _summary(self) -> dict:
        """The numbers of the run; `reward_after` and `kl` only where they are of what is kept."""
        if self.learner.average is not None:
            self.learner.average.settle()  # what the policy is from here on
        back = self.observed.go_back()
        kept_step = self.step if back is None else back
        last = kept_step == self.step
        summary = {
            "method": self.config.method,
            "steps": self.step,
            "kept_step": kept_step,
            "optimizer_steps": self.learner.trainer.steps,
            "stopped_by": self.state.stopped_by,
            "reward_before": self.state.reward_before,
            "reward_after": self.state.reward_after if last else None,
            "kl": self.state.kl if last else None,
            "kl_alarms": self.state.alarms,
        }
        if self.best is not None:
            summary |= {"best_step": self.best.step, "best_objective": self.best.value}
        summary |= self.observed.summary(kept_step)
        if self.run is not None:
            self._save_policies(self.run.path)
            self.run.finish(summary)
        return summary

    def _save_policies(self, path: Path) -> None:
        """policy/, and best/: what the monitor chose by gold, else the best objective."""
        self.policy.save(path / "policy")
        chosen, kept = self.observed.chosen, self.observed.kept
        if chosen is not None and chosen in kept.steps:
            with kept.in_place(chosen):
                self.policy.save(path / "best")
        elif self.best is not None and self.best.value is not None:
            with self.best.in_place():
                self.policy.save(path / "best")

    def _prompts_of(self, step: int) -> list[Prompt]:
        """The prompts of a step: shuffled passes over all of them, `group` answers each."""
        group = 1 if self.learner.algorithm.value_head else self.config.group
        need = self.config.batch // group
        chosen: list[Prompt] = []
        for place in range(max(step, 0) * need, max(step, 0) * need + need):
            sweep, within = divmod(place, len(self.prompts))
            chosen += [self.prompts[self._order(sweep)[within]]] * group
        return chosen

    def _order(self, sweep: int) -> list[int]:
        """The shuffled prompts of one pass, made once per pass: there may be many thousands."""
        if self._pass[0] != sweep:
            order = list(range(len(self.prompts)))
            random.Random(f"prompts/{self.config.seed}/{sweep}").shuffle(order)
            self._pass = sweep, order
        return self._pass[1]


def _answers(rollout: Rollout) -> list[dict]:
    rows = zip(rollout.prompts, rollout.texts, rollout.raw.tolist(), strict=True)
    return [{"prompt": p, "completion": t, "reward": r} for p, t, r in rows]
