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

from humanalign.align.best import Best, Kept
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
    """An observer at its place in the loop; without one, every call does nothing.

    `best`: where `back` goes when the observer has chosen no step.
    """

    def __init__(
        self,
        observer: Observer | None,
        learner: Learner,
        reward: RewardModel,
        run: Run | None,
        *,
        best: Best | None = None,
    ) -> None:
        self.observer, self.learner, self.reward, self.run = observer, learner, reward, run
        self.kept, self.best = Kept(learner.policy, learner.average), best
        self.action: Action = "none"
        self.chosen: int | None = None
        self.asked = False

    def see(self, rollout: Rollout, metrics: Mapping[str, float] | None = None) -> dict[str, float]:
        """Show the batch of the step that was just made; returns the observer's metrics.

        Its alerts and samples are in the run's files afterwards, its wish in `action`: `back`
        becomes `stop` where there is no step to go back to.
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
        alerts = [dict(alert) for alert in advice.alerts]
        if self.action == "back" and not self._has_where():
            self.action = "stop"
            for alert in alerts:
                if alert.get("action") == "back":
                    alert["action"] = "stop"
        for alert in alerts:
            log.warning("step %d: %s: %s", shown.step, alert["rule"], alert["sentence"])
        if self.run is not None:
            for name, rows in (("alerts", alerts), ("rollouts", advice.rollouts)):
                if rows:
                    self.run.append(f"{name}.jsonl", rows)
        return dict(advice.metrics)

    def ask(self, prompts: Sequence[Prompt], samples: int) -> Answers:
        """`samples` answers of the present policy to each prompt, prompt by prompt.

        The same random numbers every time: two looks differ by what was learned between them.
        """
        self.asked = True
        asked = [p for p in prompts for _ in range(samples)]
        said: list[str] = []
        kl: list[float] = []
        size = max(self.learner.config.batch, self.learner.config.micro_batch)
        with self.kept.delivered():
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

    def _has_where(self) -> bool:
        known = self.best is not None and self.best.value is not None
        return known or self.chosen in self.kept.steps

    def go_back(self) -> int | None:
        """Where the observer asked for it, let the policy be the one that it chose, else the best.

        Returns after how many updates that one stood; None: nobody asked.
        """
        if self.action != "back":
            return None
        if self.chosen is not None and self.chosen in self.kept.steps:
            self.kept.put(self.chosen)
            return self.chosen
        if self.best is None or self.best.value is None:
            return None
        self.best.settle()
        return self.best.step

    def summary(self, kept_step: int) -> dict:
        """The observer's part of the run's summary; `kept`: its look at the step that is kept."""
        if self.observer is None:
            return {"kept": None}
        told = self.observer.summary()
        looks = [each for each in told.get("looks", ()) if each["step"] == kept_step]
        return {"kept": looks[0] if looks else None, "monitor": told}

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
