"""PPO, RLOO and GRPO: one loop, three rows of a table.

Each step: answers are sampled, scored, compared with the reference (rollout.py), turned into
advantages, and learned from in `epochs` x `minibatches` optimizer steps. All randomness comes
from (seed, step), so a resumed run draws what it would have drawn.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from humanalign.align.rollout import Rollout, policy_sampling, roll_out, with_advantages
from humanalign.align.selfcheck import check_first_rollout, check_prompts
from humanalign.decoding import chosen_logprobs, warp
from humanalign.heads import ScalarHead
from humanalign.models import Policy
from humanalign.objectives import advantage, masked
from humanalign.objectives import policy as policy_objectives
from humanalign.objectives.batch import RolloutBatch
from humanalign.objectives.kl import KlController, k3
from humanalign.objectives.masked import Moments
from humanalign.objectives.reward import token_rewards
from humanalign.run import Run
from humanalign.settings import AlignConfig
from humanalign.train import Loss, Trainer
from humanalign.types import Prompt, RewardModel


@dataclass(frozen=True)
class Algorithm:
    """A row of the table: how advantages are made, which loss, whether there is a value head.

    clips: the loss takes a clip range. group_advantage None means GAE on the value head's
    estimates. kl_in_loss adds the k3 penalty to the loss (GRPO) instead of taking the KL off the
    reward.
    """

    policy_loss: Callable[..., Tensor]
    clips: bool = True
    group_advantage: Callable[[Tensor, int], Tensor] | None = None
    kl_in_loss: bool = False

    @property
    def value_head(self) -> bool:
        return self.group_advantage is None


ALGORITHMS = {
    "ppo": Algorithm(policy_objectives.clipped_surrogate),
    "rloo": Algorithm(policy_objectives.reinforce, clips=False, group_advantage=advantage.rloo),
    "grpo": Algorithm(
        policy_objectives.clipped_surrogate, group_advantage=advantage.grpo, kl_in_loss=True
    ),
}


@dataclass
class State:
    """What the loop carries from step to step besides the weights; saved in loop.json."""

    step: int = 0
    kl_coef: float = 0.05
    reward_mean: float = 0.0
    reward_variance: float = 1.0
    reward_before: float = 0.0
    reached: int = 0
    reward_after: float = 0.0
    kl: float = 0.0
    stopped_by: str = ""

    def moments(self) -> Moments:
        return Moments(*(torch.tensor(x) for x in (1.0, self.reward_mean, self.reward_variance)))


def online(
    policy: Policy,
    prompts: Sequence[Prompt],
    reward: RewardModel,
    config: AlignConfig,
    *,
    run: Run | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict:
    """Align `policy` in place by reinforcement learning; returns the summary numbers.

    With a run: metrics and checkpoints as it goes, then policy/ and the last batch's answers.
    RunError when a self-check at step 0 fails or the loss stops being finite.
    """
    return _Loop(policy, prompts, reward, config, run).train(progress)


class _Loop:
    def __init__(
        self,
        policy: Policy,
        prompts: Sequence[Prompt],
        reward: RewardModel,
        config: AlignConfig,
        run: Run | None,
    ) -> None:
        check_prompts(prompts, config)
        self.policy, self.prompts, self.reward = policy, prompts, reward
        self.config, self.run = config, run
        self.algorithm = ALGORITHMS[config.method]
        self.sampling = policy_sampling(config)
        policy.freeze_reference()
        self.head = ScalarHead(policy.hidden_size).to(policy.device)
        learns = dict(policy.trainable())
        if self.algorithm.value_head:
            learns |= {f"value_head.{n}": p for n, p in self.head.named_parameters()}
        self.trainer = Trainer(
            learns,
            lr=config.lr,
            lr_of={"value_head.": config.value_lr},
            schedule=config.schedule,
            total_steps=config.steps * config.epochs * config.minibatches,
        )
        self.state = State(kl_coef=config.kl.coef)
        self._pass: tuple[int, list[int]] = (-1, [])

    def train(self, progress: Callable[[int, int], None] | None) -> dict:
        began = time.monotonic()
        self._resume()
        if self.state.step == 0:
            self._calibrate()
        # A run may have been killed after its last step, so "why it stopped" is part of the state.
        while not self.state.stopped_by:
            rollout = self._step()
            self.state.stopped_by = self._stop(rollout, began)
            self._checkpoint(rollout)
            if progress:
                progress(self.state.step, self.config.steps)
        return self._summary()

    def _calibrate(self) -> None:
        """Scale of the reward on answers of the reference, and the self-checks of step 0."""
        chosen = self._prompts_of(-1)
        first = roll_out(
            self.policy, self._head(), chosen, self.reward, self.config, seed=self._seed(-1)
        )
        check_first_rollout(first, self.sampling, self.config.dtype)
        self.state.reward_before = float(first.raw.mean())
        if self.config.standardise:
            self.state.reward_mean = float(first.raw.mean())
            self.state.reward_variance = float(first.raw.var(unbiased=False))

    def _step(self) -> Rollout:
        started = time.monotonic()
        step = self.state.step
        rollout = roll_out(
            self.policy,
            self._head(),
            self._prompts_of(step),
            self.reward,
            self.config,
            seed=self._seed(step),
            moments=self.state.moments() if self.config.standardise else None,
        )
        rollout = self._advantages(rollout)
        sampled = time.monotonic()
        metrics = self._update(rollout.batch, step) | rollout.metrics()
        metrics["kl_coef"] = self.state.kl_coef
        self._adapt(metrics["kl"])
        self.state.step += 1
        now = time.monotonic()
        clock = {"step": now - started, "rollout": sampled - started, "update": now - sampled}
        self._log(metrics, clock)
        return rollout

    def _advantages(self, rollout: Rollout) -> Rollout:
        """Token rewards r = -beta KL + score at the end, then A by GAE or within the group."""
        c, batch, mask = self.config, rollout.batch, rollout.batch.mask
        in_loss = self.algorithm.kl_in_loss
        coef = 0.0 if in_loss else self.state.kl_coef
        rewards = token_rewards(batch.scores, rollout.kl, mask, kl_coef=coef)
        if self.algorithm.group_advantage is None:
            assert batch.values is not None
            advantages, returns = advantage.gae(
                rewards, batch.values, mask, gamma=c.gamma, lam=c.lam
            )
            if c.whiten:
                advantages = masked.whiten(advantages, mask)
            return with_advantages(rollout, rewards=rewards, advantages=advantages, returns=returns)
        whole = self.algorithm.group_advantage(rewards.sum(1), c.group)
        advantages = whole.unsqueeze(1).expand_as(rewards) * mask
        return with_advantages(rollout, rewards, advantages)

    def _update(self, batch: RolloutBatch, step: int) -> dict[str, float]:
        """`epochs` passes of `minibatches` optimizer steps; metrics are means over those steps."""
        c = self.config
        sums: dict[str, float] = {}
        for epoch in range(c.epochs):
            order = list(range(len(batch)))
            random.Random(f"{c.seed}/{step}/{epoch}").shuffle(order)
            # tensor_split, because chunk(4) of 5 rows makes only 3 pieces.
            for rows in torch.tensor(order).tensor_split(c.minibatches):
                measured = self.trainer.step(self._losses(batch.select(rows)))
                for name, value in measured.items():
                    sums[name] = sums.get(name, 0.0) + value
        updates = c.epochs * c.minibatches
        return {name: value / updates for name, value in sums.items()}

    def _losses(self, minibatch: RolloutBatch) -> Iterator[Loss]:
        for start in range(0, len(minibatch), self.config.micro_batch):
            yield self._loss(minibatch.select(slice(start, start + self.config.micro_batch)))

    def _loss(self, b: RolloutBatch) -> Loss:
        """L = L_policy + c1 L_value - c2 H (+ beta k3 for GRPO), summed over response tokens."""
        c, mask = self.config, b.mask
        assert b.advantages is not None  # filled in by _advantages
        logits, hidden = self.policy.forward(b.tokens)
        logits = warp(logits, self.sampling, self.policy.eos_ids)
        new = chosen_logprobs(logits, b.tokens.response_ids).masked_fill(~mask, 0.0)
        clip = {"clip_range": c.clip} if self.algorithm.clips else {}
        per_token = self.algorithm.policy_loss(new, b.logprobs, b.advantages, **clip)
        parts = {"policy_loss": masked.total(per_token, mask)}
        total = parts["policy_loss"]
        if b.values is not None and b.returns is not None:
            values = self.head(hidden)
            per_value = policy_objectives.clipped_value_loss(
                values, b.values, b.returns, clip_range=c.value_clip
            )
            parts["value_loss"] = masked.total(per_value, mask)
            total = total + c.value_coef * parts["value_loss"]
        if c.entropy_coef:
            entropy = masked.total(policy_objectives.entropy(logits), mask)
            total = total - c.entropy_coef * entropy
        if self.algorithm.kl_in_loss:
            total = total + self.state.kl_coef * masked.total(k3(new, b.ref_logprobs), mask)
        with torch.no_grad():
            clipped = policy_objectives.clipped(new, b.logprobs, b.advantages, clip_range=c.clip)
            parts["clip_fraction"] = masked.total(clipped, mask)
            parts["policy_kl"] = masked.total(policy_objectives.approx_kl(new, b.logprobs), mask)
        tokens = int(mask.sum())
        return Loss(total, tokens, {n: float(v.detach()) for n, v in parts.items()}, rows=tokens)

    def _adapt(self, kl: float) -> None:
        k = self.config.kl
        if k.target is not None:
            controller = KlController(self.state.kl_coef, k.target, k.horizon)
            self.state.kl_coef = controller.update(kl, self.config.batch).coef

    def _stop(self, rollout: Rollout, began: float) -> str:
        """The rule that ends the run after this step, or "" when it goes on."""
        stop, state = self.config.stop, self.state
        metrics = rollout.metrics()
        state.reward_after, state.kl = metrics["reward"], metrics["kl"]
        hit = stop.reward is not None and state.reward_after >= stop.reward
        state.reached = state.reached + 1 if hit else 0
        if state.reached >= stop.patience:
            return "reward"
        if stop.kl is not None and state.kl > stop.kl:
            return "kl"
        if stop.minutes is not None and time.monotonic() - began > 60 * stop.minutes:
            return "minutes"
        return "steps" if state.step >= self.config.steps else ""

    def _log(self, metrics: dict[str, float], clock: dict[str, float]) -> None:
        if self.run is None:
            return
        row = {f"align/{n}": v for n, v in metrics.items()}
        self.run.log(self.state.step, row | {f"time/{n}": v for n, v in clock.items()})

    def _checkpoint(self, rollout: Rollout) -> None:
        """Where one is due: the answers of this step, and the state of everything."""
        if self.run is None:
            return
        every = self.config.checkpoint.every
        due = every and self.state.step % every == 0
        if due or self.state.stopped_by:
            rows = zip(rollout.prompts, rollout.texts, rollout.raw.tolist(), strict=True)
            self.run.samples({"prompt": p.text, "completion": t, "reward": r} for p, t, r in rows)
        if due:
            with self.run.checkpoint(self.state.step, self.config.checkpoint.keep) as folder:
                self.trainer.save(folder)
                (folder / "loop.json").write_text(json.dumps(vars(self.state)), encoding="utf-8")

    def _resume(self) -> None:
        latest = self.run.latest_checkpoint() if self.run else None
        if self.run is not None:
            self.run.rewind(latest[0] if latest else 0)
        if latest:
            self.trainer.load(latest[1])
            self.state = State(**json.loads((latest[1] / "loop.json").read_text(encoding="utf-8")))

    def _summary(self) -> dict:
        summary = {
            "method": self.config.method,
            "steps": self.state.step,
            "optimizer_steps": self.trainer.steps,
            "stopped_by": self.state.stopped_by,
            "reward_before": self.state.reward_before,
            "reward_after": self.state.reward_after,
            "kl": self.state.kl,
        }
        if self.run is not None:
            self.policy.save(self.run.path / "policy")
            self.run.finish(summary)
        return summary

    def _head(self) -> ScalarHead | None:
        return self.head if self.algorithm.value_head else None

    def _seed(self, step: int) -> int:
        return random.Random(f"rollout/{self.config.seed}/{step}").getrandbits(62)

    def _prompts_of(self, step: int) -> list[Prompt]:
        """The prompts of a step: shuffled passes over all of them, `group` answers each."""
        group = 1 if self.algorithm.value_head else self.config.group
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
