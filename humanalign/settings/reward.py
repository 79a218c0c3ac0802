"""How a reward model is fitted: the keys of `humanalign reward`."""

from __future__ import annotations

from pydantic import Field

from humanalign.config import Settings
from humanalign.settings.parts import Count, Positive, Rate


class RewardConfig(Settings):
    model: str = Field(description="backbone: an encoder or the policy itself")
    pairs: str = Field(description="pairs file, or a finished prefer run")
    eval_pairs: str | None = Field(
        default=None, description="held out; null keeps one prompt in five"
    )
    lr: Rate = 5e-5
    epochs: Positive = 2
    batch: Positive = Field(default=16, description="prompts per step, with all their pairs")
    max_tokens: Positive = Field(default=192, description="kept from the end of prompt + answer")
    freeze_layers: Count = Field(
        default=0, description="keep embeddings and the first N layers fixed"
    )
    seed: int = 0
