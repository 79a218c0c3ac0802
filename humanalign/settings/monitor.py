"""The settings of the monitor that watches `align` (docs/monitoring.md)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from humanalign.config import Settings
from humanalign.settings.parts import Count, Positive, RewardSpec

What = Literal["off", "warn", "stop", "back"]


class MonitorSettings(Settings):
    on: bool = Field(default=True, description="watch the run; it learns the same either way")
    prompts: str | None = Field(
        default=None, description="held-out prompts, read as `prompts` is: looked at as it learns"
    )
    split: str | None = Field(
        default=None, description="... only rows of this split; that of the training is no part"
    )
    limit: Positive | None = Field(default=200, description="... the first N of them")
    gold: RewardSpec | None = Field(
        default=None, description="what is really wanted, as a reward: scores the held-out answers"
    )
    every: Positive = Field(default=10, description="steps between looks at held-out prompts")
    samples: Positive = Field(default=1, description="answers to each held-out prompt")
    action: Literal["warn", "stop", "back"] = Field(
        default="warn", description="of danger: say so, stop, or stop with the best weights (gold)"
    )
    rules: dict[str, What] = Field(
        default={}, description="of one rule: {gold_falls: back, length_pays: off}"
    )
    rollouts: Count = Field(
        default=10, description="steps between samples in rollouts.jsonl; 0: none"
    )
    show: Positive = Field(default=4, description="answers an alert or a rollout shows")
