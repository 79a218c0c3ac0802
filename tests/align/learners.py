"""A learner on a small policy, watched: what it had measured and each gradient it stepped along."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from small_policies import train_adapter
from torch import Tensor, nn

from humanalign.align.learner import Learner
from humanalign.align.rollout import Rollout
from humanalign.models import Lora, Policy

from .online_toys import PROMPTS, Length, settings

STARTS = ["all weights", "fresh adapter", "trained adapter"]
TEXTS = [p.text for p in PROMPTS]


def started(folder: Path, start: str, **lora: float) -> Policy:
    """A policy that learns with all its weights, a fresh adapter or one already trained."""
    policy = Policy.load(
        folder, lora=None if start == "all weights" else Lora(rank=2, **lora), device="cpu"
    )
    return train_adapter(policy) if start == "trained adapter" else policy


def learner_of(policy: Policy, method: str = "ppo", **keys: object) -> Learner:
    """Without a scale on the reward and without clipping of the gradient, unless asked for."""
    plain = {"standardise": False, "max_grad_norm": 0.0, "epochs": 1}
    return Learner(policy, settings=settings(method, **(plain | keys)))


def rolled(learner: Learner, rewards: Sequence[float] | None = None, repeat: int = 4) -> Rollout:
    """A batch of experience of the learner's step; the reward is the number of words by default."""
    texts = [t for t in TEXTS for _ in range(repeat)]
    sampled = learner.draw(texts, learner.seed_of(learner.state.step))
    scores = Length().score(texts, sampled.texts) if rewards is None else rewards
    return learner.experience(texts, sampled, torch.tensor(scores))


def seed_head(learner: Learner, size: float = 0.3) -> None:
    """A value head that has an opinion; the learner's own starts from 0."""
    assert learner.critic is not None
    for p in learner.critic.head.parameters():
        p.data = size * torch.randn(p.shape, generator=torch.Generator().manual_seed(8))


@torch.no_grad()
def shake(policy: Policy, size: float = 0.1) -> None:
    """Move every weight that learns."""
    generator = torch.Generator().manual_seed(1)
    for p in policy.trainable().values():
        p += size * torch.randn(p.shape, generator=generator)


@dataclass
class Watched:
    """Weights before each optimizer step, and the gradient that it followed, by name."""

    learner: Learner
    weights: list[dict[str, Tensor]] = field(default_factory=list)
    gradients: list[dict[str, Tensor]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.learner.trainer.optimizer.register_step_pre_hook(self._note)

    def _note(self, *_: object) -> None:
        named = self.learner.trainer.parameters.items()
        self.weights.append({n: p.detach().clone() for n, p in named})
        self.gradients.append({n: p.grad.clone() for n, p in named if p.grad is not None})


def gradients(learner: Learner, rollout: Rollout) -> list[dict[str, Tensor]]:
    """The gradient of every optimizer step that the learner makes on this batch."""
    watched = Watched(learner)
    learner.learn(rollout)
    return watched.gradients


def twin(policy: Policy) -> nn.Module:
    """A copy of the model that nothing can reach any more."""
    return copy.deepcopy(policy.model)


def same(left: dict[str, Tensor], right: dict[str, Tensor], atol: float = 1e-6) -> None:
    """Assert that all gradients agree; what has none on one side must be 0 on the other."""
    for name in left.keys() | right.keys():
        here, there = left.get(name), right.get(name)
        shape = there if here is None else here
        zero = torch.zeros_like(shape)
        torch.testing.assert_close(
            zero if here is None else here, zero if there is None else there, rtol=1e-4, atol=atol
        )
