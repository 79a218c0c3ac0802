"""How a reward model is fitted: the keys of `humanalign reward`.

Their names and defaults are those of `reward.recipe.Recipe`, where each has its reason.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from humanalign.settings.labelled import LabelledData
from humanalign.settings.parts import (
    CheckpointSettings,
    Count,
    Loggers,
    LoraSettings,
    Positive,
    Rate,
    Share,
)

NonNegative = Annotated[float, Field(ge=0)]
BelowOne = Annotated[float, Field(ge=0, lt=1)]


class FitLora(LoraSettings):
    rank: Count = Field(default=0, description="adapter rank; 0 trains all weights")


class FitCheckpoint(CheckpointSettings):
    every: Count = Field(default=100, description="steps between checkpoints; 0 writes none")


class RewardConfig(LabelledData):
    model: str = Field(description="backbone: an encoder or the policy itself")
    pairs: str | None = Field(default=None, description="pairs file, or a finished prefer run")
    eval_pairs: str | None = Field(
        default=None, description="held out; null keeps one prompt in five"
    )
    lr: Rate = 1e-4
    epochs: Positive = 2
    batch: Positive | None = Field(
        default=None,
        description="prompts (or texts) per step; null is 16, fewer for 32 steps an epoch",
    )
    max_tokens: Positive | None = Field(
        default=None, description="kept from the end of prompt + answer; null is 192 or the limit"
    )
    pooling: Literal["native", "mean", "cls", "last"] | None = Field(
        default=None, description="what the head reads; null is what suits the backbone"
    )
    chat: bool | None = Field(
        default=None, description="read by the chat template; null: where the backbone has one"
    )
    freeze_layers: Count = Field(
        default=0, description="keep embeddings and the first N layers fixed"
    )
    lora: FitLora = FitLora()
    margin: NonNegative = Field(default=0.0, description="scales a pair's consensus margin")
    smoothing: BelowOne = Field(default=0.0, description="label smoothing e: the target is 1 - e/2")
    centring: NonNegative = Field(default=0.0, description="weight of (r_j + r_k)^2 in the loss")
    head_lr: Rate = Field(default=1.0, description="rate of the new head, in multiples of lr")
    layer_decay: Share = Field(default=0.9, description="rate of a layer over that of the next")
    dropout: BelowOne = Field(default=0.1, description="share of what a dropout layer zeroes")
    weight_decay: NonNegative = 0.01
    warmup: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.1, description="share of the steps until lr is whole"
    )
    schedule: Literal["constant", "linear", "cosine"] = "linear"
    average: BelowOne = Field(default=0.0, description="decay of an average of the weights; 0: off")
    patience: Count = Field(
        default=0, description="end after N epochs without a lower validation loss; 0: off"
    )
    validation: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.1, description="share of the training prompts put aside for patience"
    )
    micro_tokens: Positive = Field(
        default=4096, description="padded tokens of one forward; changes memory, not results"
    )
    precision: Literal["fp32", "bf16"] = Field(
        default="fp32", description="bf16 multiplies in bfloat16, where the processor is faster"
    )
    curve: list[Share] = Field(
        default=[], description="also fit these shares of the prompts, for the learning curve"
    )
    checkpoint: FitCheckpoint = FitCheckpoint()
    log_with: Loggers = None
    seed: int = 0
