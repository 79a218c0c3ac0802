"""What the loop shows an observer, and what it does with what comes back.

The observer (types.Observer) lives in another room and sees text and numbers only. It may ask the
policy held-out prompts at any step: those answers are drawn from generators of their own, so an
observed run learns bit for bit what it would have learned alone.
"""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from humanalign.align.best import Kept
from humanalign.align.learner import Learner
from humanalign.align.rollout import Rollout, measure, policy_sampling, scores_of
from humanalign.objectives import masked
from humanalign.objectives.kl import k1
from humanalign.run import Run
from humanalign.sampling import sample
from humanalign.types import Action, Answers, Observer, Prompt, RewardModel, Shown

log = logging.getLogger("humanalign")
FILE = "observer.json"


class Observed:
    """An observer at its place in the loop; without one, every call does nothing."""

    def __init__(
        self, observer: Observer | None, learner: Learner, reward: RewardModel, run: Run | None
    ) -> None:
        self.observer, self.learner, self.reward, self.run = observer, learner, reward, run
        self.kept = Kept(learner.policy)
        self.action: Action = "none"
        self.chosen: int | None = None

    def see(self, rollout: Rollout, metrics: Mapping[str, float] | None = None) -> dict[str, float]:
        """Show the batch of the step that was just made; returns the observer's metrics.

        Its alerts and samples are in the run's files afterwards, its wish in `action`.
        """
        if self.observer is None:
            return {}
        shown = Shown(
            step=self.learner.state.step,
            prompts=rollout.prompts,
            completions=rollout.texts,
            rewards=rollout.raw.tolist(),
            finished=rollout.finished.tolist(),
            metrics=rollout.metrics() if metrics is None else metrics,
            ask=self.ask,
        )
        advice = self.observer.see(shown)
        self.action, self.chosen = advice.action, advice.chosen
        self.kept.see(shown.step, advice.keep)
        for alert in advice.alerts:
            log.warning("step %d: %s: %s", shown.step, alert["rule"], alert["sentence"])
        if self.run is not None:
            for name, rows in (("alerts", advice.alerts), ("rollouts", advice.rollouts)):
                if rows:
                    self.run.append(f"{name}.jsonl", rows)
        return dict(advice.metrics)

    def ask(self, prompts: Sequence[Prompt], samples: int) -> Answers:
        """`samples` answers of the present policy to each prompt, prompt by prompt.

        The same random numbers every time: two looks differ by what was learned between them.
        """
        asked = [p for p in prompts for _ in range(samples)]
        said: list[str] = []
        kl: list[float] = []
        size = max(self.learner.config.batch, self.learner.config.micro_batch)
        for start in range(0, len(asked), size):
            texts, nats = self._answer(asked[start : start + size], start)
            said += texts
            kl += nats
        texts = [p.text for p in asked]
        rewards = scores_of(self.reward, texts, said, torch.device("cpu")).tolist()
        return Answers(texts, said, rewards, kl)

    @torch.no_grad()
    def _answer(self, prompts: Sequence[Prompt], start: int) -> tuple[list[str], list[float]]:
        learner = self.learner
        config, policy = learner.config, learner.policy
        seed = random.Random(f"held out/{config.seed}/{start}").getrandbits(62)
        drawn = sample(
            policy,
            [policy.render(p) for p in prompts],
            policy_sampling(config),
            generator=torch.Generator().manual_seed(seed),
            keep_hidden=True,
        )
        reuse = bool(learner.state.reuse and learner.state.step) and drawn.hidden is not None
        found = measure(policy, None, drawn, config, reuse=reuse)
        nats = masked.total(
            k1(found.logprobs, found.ref_logprobs), drawn.tokens.response_mask, dim=1
        )
        return list(drawn.texts), nats.tolist()

    def go_back(self) -> bool:
        """Let the policy be the one that the observer chose. False: it chose none, or was not
        asked to go back."""
        if self.action != "back" or self.chosen not in self.kept.steps:
            return False
        self.kept.put(self.chosen)
        return True

    def summary(self) -> dict:
        """The observer's part of the run's summary."""
        return {} if self.observer is None else {"monitor": self.observer.summary()}

    def save(self, folder: Path) -> None:
        """Into a checkpoint: what the observer knows, and the weights it wants kept."""
        if self.observer is not None:
            about = {"observer": self.observer.state(), "action": self.action}
            about["chosen"] = self.chosen
            (folder / FILE).write_text(json.dumps(about), encoding="utf-8")
            self.kept.save(folder)

    def load(self, folder: Path) -> None:
        """From a checkpoint; one that was written without an observer has nothing to say."""
        if self.observer is None or not (folder / FILE).is_file():
            return
        about = json.loads((folder / FILE).read_text(encoding="utf-8"))
        self.observer.restore(about["observer"])
        self.action, self.chosen = about["action"], about["chosen"]
        self.kept.load(folder)
