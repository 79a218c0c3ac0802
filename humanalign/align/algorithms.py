"""PPO, RLOO and GRPO as rows of one table: what sets them apart, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from humanalign.objectives import advantage
from humanalign.objectives import policy as policy_objectives


@dataclass(frozen=True)
class Algorithm:
    """How advantages are made, which loss, whether there is a value head.

    clips: the loss takes a clip range (and dual_clip). group_advantage None means GAE on the
    critic's estimates.
    """

    policy_loss: Callable[..., Tensor]
    clips: bool = True
    group_advantage: Callable[..., Tensor] | None = None

    @property
    def value_head(self) -> bool:
        return self.group_advantage is None


ALGORITHMS = {
    "ppo": Algorithm(policy_objectives.clipped_surrogate),
    "rloo": Algorithm(policy_objectives.reinforce, clips=False, group_advantage=advantage.rloo),
    "grpo": Algorithm(policy_objectives.clipped_surrogate, group_advantage=advantage.grpo),
}
