"""One policy that learns from rewards, batch by batch: what the loop of `align` drives, and you.

    learner = ha.Learner(policy, method="ppo", settings={"batch": 16, "lr": 1e-4})
    for prompts in batches:
        completions = learner.generate(prompts)
        rewards = [my_environment(p, c) for p, c in zip(prompts, completions)]
        print(learner.step(prompts, completions, rewards))

Letters: B rows, T response positions.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor

from humanalign.align.algorithms import ALGORITHMS
from humanalign.align.critic import Critic
from humanalign.align.mix import Mix
from humanalign.align.rollout import (
    Rollout,
    checked_scores,
    measure,
    per_sequence,
    policy_sampling,
    with_advantages,
)
from humanalign.align.selfcheck import (
    check_first_rollout,
    check_head,
    check_settings,
    sampler_is_trainer,
)
from humanalign.align.update import Update
from humanalign.averaging import Average
from humanalign.config import build, defaults_of, differing
from humanalign.errors import ConfigError, RunError
from humanalign.models import Policy
from humanalign.objectives import advantage, masked, reward
from humanalign.objectives.batch import RolloutBatch
from humanalign.objectives.kl import KlController, k1
from humanalign.objectives.masked import Moments
from humanalign.run import flatten
from humanalign.sampling import Sampled, sample
from humanalign.settings import AlignConfig
from humanalign.train import Trainer

FILE = "learner.json"


@dataclass
class LearnerState:
    """What a learner carries from batch to batch besides tensors; saved in learner.json.

    reuse: None until the sampler was compared with the trainer. start: a digest of the weights
    that the reference was frozen from.
    """

    step: int = 0
    kl_coef: float = 0.05
    reward_count: float = 0.0
    reward_mean: float = 0.0
    reward_variance: float = 1.0
    reuse: bool | None = None
    halvings: int = 0
    start: str = ""

    def moments(self) -> Moments:
        """Count, mean and variance of the rewards that set the scale."""
        numbers = (self.reward_count, self.reward_mean, self.reward_variance)
        return Moments(*(torch.tensor(x) for x in numbers))

    def take(self, moments: Moments) -> None:
        """Let these moments set the scale from now on."""
        self.reward_count, self.reward_mean = float(moments.count), float(moments.mean)
        self.reward_variance = float(moments.variance)


class Learner:
    """PPO, RLOO or GRPO on `policy`, in place. The reference is what the policy is now.

    `settings` are keys of `humanalign align`. ConfigError for settings that cannot work, RunError
    when a self-check before the first update fails or an update is out of hand.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        method: str = "ppo",
        settings: AlignConfig | Mapping | None = None,
        mix: Sequence[tuple[str, str]] | None = None,
    ) -> None:
        self.config = c = settings_for(policy, method, settings)
        if c.method not in ALGORITHMS:
            raise ConfigError(f"method: {c.method} does not learn online; known: ppo, rloo, grpo")
        check_settings(c)
        self.policy, self.algorithm = policy, ALGORITHMS[c.method]
        if c.gradient_checkpointing:
            policy.save_memory()
        policy.freeze_reference()
        self.critic = self._critic()
        learns = dict(policy.trainable())
        if self.critic is not None:
            learns |= self.critic.parameters()
        self.trainer = Trainer(
            learns,
            lr=c.lr,
            lr_of={"value_head.": c.value_lr, "value_adapter.": c.value_lr},
            warmup=c.warmup,
            max_grad_norm=c.max_grad_norm,
            schedule=c.schedule,
            total_steps=c.steps * c.epochs * c.minibatches,
        )
        self.update = Update(policy, self.critic, self.trainer, c, self.algorithm)
        if mix is not None:
            size = max(1, c.batch // c.minibatches)
            self.update.beside = Mix(policy, mix, coef=c.mix.coef, batch=size, seed=c.seed).losses
        self.average = Average(policy.trainable(), c.ema) if c.ema else None
        self.state = LearnerState(kl_coef=c.kl.coef, start=_digest(policy))
        # What `generate` gave since the last step: (prompt, answer) -> where it stands.
        self._said: dict[tuple[str, str], list[tuple[Sampled, int]]] = {}
        self._calls = 0

    def _critic(self) -> Critic | None:
        if not self.algorithm.value_head:
            return None
        return Critic.named(self.config.value.model, self.policy, seed=self.config.seed)

    def generate(self, prompts: Sequence[str]) -> list[str]:
        """One completion for each prompt as the model reads it (see Policy.render).

        The next `step` knows them again, token by token; another call before it draws others.
        """
        drawn = self.draw(prompts, self.seed_of(self.state.step, self._calls))
        self._calls += 1
        for i, row in enumerate(zip(prompts, drawn.texts, strict=True)):
            self._said.setdefault(row, []).append((drawn, i))
        return list(drawn.texts)

    def step(
        self, prompts: Sequence[str], completions: Sequence[str], rewards: Sequence[float]
    ) -> dict[str, float]:
        """Learn from completions and their rewards; returns the metrics of the step.

        Completions that `generate` gave since the last step keep their own tokens, whichever of
        them are here and in whatever order; any other text is read as an answer that ended by
        itself. With rloo and grpo the answers to one prompt stand together, `group` of them.
        """
        if not len(prompts) == len(completions) == len(rewards):
            raise ConfigError(
                f"step: got {len(prompts)} prompts, {len(completions)} completions and "
                f"{len(rewards)} rewards; give one of each per row"
            )
        c, group = self.config, 1 if self.algorithm.value_head else self.config.group
        if not prompts or len(prompts) % group or len(prompts) < c.minibatches:
            raise ConfigError(
                f"step: got {len(prompts)} rows; expected a multiple of group={group}, and at "
                f"least minibatches={c.minibatches}"
            )
        sampled = self._tokens_of(prompts, completions)
        raw = checked_scores(rewards, len(completions), self.policy.device)
        rollout = self.experience(prompts, sampled, raw)
        self._said, self._calls = {}, 0
        return self.learn(rollout)

    def _tokens_of(self, prompts: Sequence[str], completions: Sequence[str]) -> Sampled:
        """The sampled rows where one `generate` gave them all, else the ids alone."""
        places = {row: iter(found * len(prompts)) for row, found in self._said.items()}
        asked = list(zip(prompts, completions, strict=True))
        known = [next(places[row]) if row in places else None for row in asked]
        first = known[0]
        if first is not None and all(k is not None and k[0] is first[0] for k in known):
            return first[0].select(torch.tensor([k[1] for k in known if k is not None]))
        tokens, finished = self.policy.encode(prompts, completions), [True] * len(asked)
        for row, place in enumerate(known):
            if place is not None:
                drawn, i = place
                tokens = tokens.with_response(row, drawn.tokens, i, self.policy.pad_id)
                finished[row] = drawn.finished[i]
        return Sampled.of_texts(tokens, completions, finished)

    def draw(self, prompts: Sequence[str], seed: int) -> Sampled:
        """Answers to rendered prompts, with all that learning from them needs."""
        generator = torch.Generator().manual_seed(seed)
        sampling = policy_sampling(self.config)
        return sample(self.policy, prompts, sampling, generator=generator, keep_hidden=True)

    def experience(self, prompts: Sequence[str], sampled: Sampled, raw: Tensor) -> Rollout:
        """What was said, measured and rewarded. The first time, the checks of step 0 come first."""
        c, first = self.config, self.state.reuse is None
        if not self.policy.encoder_is_frozen:
            sampled = replace(sampled, encoded=None)  # the trainer's encoder needs its gradient
        # At step 0 the trainer measures anew: policy and reference then agree to the last bit.
        reuse = bool(self.state.reuse and self.state.step) and sampled.hidden is not None
        measured = measure(self.policy, self.critic, sampled, c, reuse=reuse)
        finished = torch.tensor(sampled.finished, device=raw.device)
        batch = RolloutBatch(
            tokens=sampled.tokens,
            logprobs=measured.logprobs,
            ref_logprobs=measured.ref_logprobs,
            scores=self._shaped(raw, finished),
            values=measured.values,
            encoded=sampled.encoded,
            ref_hidden=measured.ref_hidden,
        )
        gap = None
        if not reuse and sampled.hidden is not None:
            gap = float((sampled.logprobs - measured.logprobs).abs().max())
        rollout = Rollout(
            batch=batch,
            prompts=list(prompts),
            texts=list(sampled.texts),
            raw=raw,
            finished=finished,
            kl=measured.kl,
            entropy=measured.entropy,
            sampler_gap=gap,
        )
        if first:
            check_head(self.policy, sampled.tokens, c)
            if self.state.step == 0:
                check_first_rollout(rollout, policy_sampling(c), c.dtype)
            if gap is not None:
                self.state.reuse = sampler_is_trainer(rollout)
        return rollout

    def _shaped(self, raw: Tensor, finished: Tensor) -> Tensor:
        """Scores [B] from the reward's own numbers: standardised, clipped, charged without EOS."""
        c, scores = self.config, raw
        if c.standardise:
            moments = self.state.moments()
            if c.standardise == "running":
                moments = moments.merge(Moments.of(raw.cpu()))
                self.state.take(moments)
            elif self.state.reward_count == 0:
                moments = Moments.of(raw.cpu())  # the first batch is the reference's own
                self.state.take(moments)
            scores = reward.standardise(raw, moments)
        if c.reward_clip is not None:
            scores = reward.clip(scores, limit=c.reward_clip)
        if c.ignore_eos:
            return scores
        return reward.eos_penalty(scores, finished, penalty=c.eos_penalty, mode=c.eos_mode)

    def learn(self, rollout: Rollout) -> dict[str, float]:
        """Advantages, then the update; returns the metrics of the step."""
        rollout = self.with_advantages(rollout)
        coef = self.state.kl_coef
        metrics = self.update.learn(rollout.batch, step=self.state.step, kl_coef=coef)
        metrics |= rollout.metrics() | {"kl_coef": coef}
        metrics["objective"] = self.objective(rollout)
        if self.average is not None:
            self.average.update()
        self._adapt(metrics["kl_k1"], len(rollout.texts))
        self.state.halvings = self.update.halvings
        self.state.step += 1
        return metrics

    def objective(self, rollout: Rollout) -> float:
        """What is maximised, score - beta KL (nats a sequence), as this batch has it."""
        b = rollout.batch
        kl = per_sequence(k1(b.logprobs, b.ref_logprobs), b.mask)
        return float(b.scores.mean()) - self.state.kl_coef * kl

    def with_advantages(self, rollout: Rollout) -> Rollout:
        """Token rewards r = -beta KL + score at the end, then A by GAE or within the group."""
        c, batch, mask = self.config, rollout.batch, rollout.batch.mask
        coef = 0.0 if c.kl.place == "loss" else self.state.kl_coef
        rewards = reward.token_rewards(batch.scores, rollout.kl, mask, kl_coef=coef)
        group = self.algorithm.group_advantage
        if group is None:
            assert batch.values is not None
            advantages, returns = advantage.gae(
                rewards, batch.values, mask, gamma=c.gamma, lam=c.lam
            )
            if c.whiten:
                advantages = masked.whiten(advantages, mask)
            return with_advantages(rollout, rewards, advantages, returns)
        options = {"std": c.group_std} if c.method == "grpo" else {}
        whole = group(rewards.sum(1), c.group, **options)
        return with_advantages(rollout, rewards, whole.unsqueeze(1).expand_as(rewards) * mask)

    def _adapt(self, kl: float, samples: int) -> None:
        """The controller reads the signed k1, whose mean is the divergence: k3 is heavy-tailed."""
        k = self.config.kl
        if k.target is not None:
            controller = KlController(self.state.kl_coef, k.target, k.horizon)
            self.state.kl_coef = controller.update(kl, samples).coef

    def seed_of(self, step: int, call: int = 0) -> int:
        """The sampler's seed of a step: the same in every run with this seed."""
        again = f"/{call}" if call else ""
        return random.Random(f"rollout/{self.config.seed}/{step}{again}").getrandbits(62)

    def save(self, folder: Path) -> None:
        """Write everything that the next step depends on."""
        self.trainer.save(folder)
        if self.average is not None:
            self.average.save(folder)
        about = {"state": asdict(self.state), "settings": self.config.model_dump()}
        (folder / FILE).write_text(json.dumps(about), encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Go on from what `save` wrote.

        RunError: nothing is there, other settings, or a policy that is not the one it began with.
        """
        if not (folder / FILE).is_file():
            raise RunError(f"{folder} holds no learner ({FILE} is missing); check the path")
        about = json.loads((folder / FILE).read_text(encoding="utf-8"))
        saved = LearnerState(**about["state"])
        before, now = (flatten(x) for x in (about["settings"], self.config.model_dump(mode="json")))
        older = defaults_of(type(self.config))
        if key := differing(before, now, older):
            raise RunError(
                f"{folder} was saved with {key}={before.get(key, older.get(key))!r}, now it is "
                f"{now.get(key)!r}; use the settings it was saved with"
            )
        if saved.start != self.state.start:
            raise RunError(
                f"{self.policy.name} is not the policy this run started from, so its reference "
                "would be wrong; load the policy anew, as the run began"
            )
        self.trainer.load(folder)
        if self.average is not None:
            self.average.load(folder)
        self.state, self.update.halvings = saved, saved.halvings


def settings_for(
    policy: Policy, method: str, settings: AlignConfig | Mapping | None
) -> AlignConfig:
    """The settings as they are, or built from the keys given and what the policy says itself."""
    if isinstance(settings, AlignConfig):
        return settings
    own: dict = {} if policy.has_adapter else {"lora": {"rank": 0}}
    if policy.hf.dtype == torch.bfloat16:
        own["dtype"] = "bfloat16"
    return build(AlignConfig, {"model": policy.name, "method": method, **own, **(settings or {})})


def _digest(policy: Policy) -> str:
    digest = sha256()
    for name, p in sorted(policy.trainable().items()):
        digest.update(name.encode())
        digest.update(p.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]
