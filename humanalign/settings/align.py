"""The settings of `align`: what every method shares, and all that PPO and its kin can be told.

Defaults are those of docs/methods.md, which says where each comes from.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from humanalign.config import Settings
from humanalign.settings.monitor import MonitorSettings
from humanalign.settings.parts import (
    CheckpointSettings,
    Positive,
    Rate,
    ReadsPrompts,
    RewardSpec,
    Samples,
    Share,
    Trains,
)

NonNegative = Annotated[float, Field(ge=0)]
Estimator = Literal["k1", "k2", "k3", "full"]


class KlSettings(Settings):
    coef: NonNegative = Field(default=0.05, description="beta, the weight of the KL penalty")
    estimator: Estimator = Field(default="k1", description="KL per token where it is in the reward")
    place: Literal["reward", "loss", "both"] = Field(
        default="reward", description="where beta KL is taken off (grpo: in the loss)"
    )
    loss_estimator: Literal["k2", "k3", "full"] = Field(
        default="k3", description="KL per token where it is in the loss"
    )
    target: Rate | None = Field(
        default=None, description="nats; set it to adapt coef (Ziegler 2019)"
    )
    horizon: Positive = Field(default=10_000, description="episodes over which coef adapts")
    alarm: Rate = Field(default=15.0, description="nats a sequence; beyond, the run says so aloud")


class StopSettings(Settings):
    reward: float | None = Field(default=None, description="stop when the mean reward reaches this")
    patience: Positive = Field(default=3, description="... for this many steps in a row")
    kl: float | None = Field(default=None, description="stop when the KL budget (nats) is spent")
    minutes: float | None = Field(default=None, description="stop after this wall-clock time")


class ValueSettings(Settings):
    model: str | None = Field(
        default=None,
        description="null: head on the policy; adapter: a second adapter; or a model, a reward run",
    )
    warmup: Annotated[int, Field(ge=0)] = Field(
        default=0, description="first steps in which only the value learns"
    )


class MixSettings(Settings):
    data: str | None = Field(
        default=None, description="texts (prompt, response) to keep in mind, as for sft"
    )
    coef: NonNegative = Field(default=1.0, description="weight of their loss per token")


class RewardCheck(Settings):
    """A known good and a known bad answer: the reward must put them in that order."""

    prompt: str = ""
    good: str
    bad: str


class OnlineCheckpoints(CheckpointSettings):
    best: bool = Field(default=False, description="keep the best step's weights too, in best/")


class AlignConfig(Trains, ReadsPrompts, Samples):
    method: str = Field(default="ppo", description="ppo rloo grpo | dpo ipo kto ... | ilql | bon")
    pairs: str | None = Field(default=None, description="for dpo and its kin")
    data: str | None = Field(default=None, description="for ilql: prompt, completion, score rows")
    reward: RewardSpec | None = Field(
        default=None, description="run:DIR, hf:NAME, python:F.py:f, rule:N"
    )
    label: str | None = Field(default=None, description="the classifier's good label, by name")
    use: Literal["logit", "logprob", "prob"] = Field(default="logit", description="of that label")
    steps: Annotated[int, Field(gt=0, le=1_000_000)] = Field(default=20_000, description="at most")
    batch: Positive = Field(default=64, description="completions per step (pairs, for dpo)")
    minibatches: Positive = Field(default=1, description="optimizer steps per epoch of a batch")
    micro_batch: Positive = Field(
        default=64, description="rows at once, at most; changes memory, not the result"
    )
    micro_tokens: Positive | None = Field(
        default=None, description="padded tokens at once, at most; null fits the device"
    )
    lr: Rate = Field(default=1e-5, description="with lora.rank=0 the default is 3e-6")
    value_lr: Rate = Field(
        default=1e-3,
        description="of the value head and the critic's adapter",
    )
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    warmup: Annotated[int, Field(ge=0)] = Field(
        default=0, description="optimizer steps until lr is whole"
    )
    max_grad_norm: NonNegative = Field(default=1.0, description="clip the gradient; 0 does not")
    ema: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.0, description="decay of an average of the weights, which policy/ then holds"
    )
    kl: KlSettings = KlSettings()
    stop: StopSettings = StopSettings()
    checkpoint: OnlineCheckpoints = OnlineCheckpoints()
    group: Positive = Field(default=4, description="answers per prompt for rloo, grpo; n for bon")
    group_std: bool = Field(default=True, description="grpo: divide by the group's std")
    gamma: Share = 1.0
    lam: Annotated[float, Field(ge=0, le=1)] = Field(default=0.95, description="GAE lambda")
    clip: Rate = Field(default=0.2, description="epsilon of the policy ratio")
    dual_clip: Annotated[float, Field(gt=1)] | None = Field(
        default=None, description="bound on the loss of a bad token (Ye 2020), e.g. 3"
    )
    policy_kl: Rate | None = Field(
        default=None, description="leave a batch when mean(old - new) passes 1.5 of this, e.g. .02"
    )
    value: ValueSettings = ValueSettings()
    value_clip: Rate | None = Field(default=0.2, description="epsilon of the value; null: none")
    value_coef: NonNegative = Field(default=0.1, description="c1")
    entropy_coef: NonNegative = Field(default=0.0, description="c2")
    eos_penalty: NonNegative = Field(default=1.0, description="off an unfinished answer")
    eos_mode: Literal["subtract", "replace"] = Field(
        default="subtract", description="replace: an unfinished answer earns minus the penalty"
    )
    whiten: bool = Field(default=True, description="advantages to mean 0, std 1 over the batch")
    standardise: bool | Literal["running"] = Field(
        default=True, description="reward to mean 0, std 1: on the reference, or as it comes in"
    )
    reward_clip: Rate | None = Field(default=None, description="hold the score within +-this")
    reward_check: RewardCheck | None = Field(
        default=None, description="{prompt, good, bad}: refuse a reward of the wrong sign"
    )
    mix: MixSettings = MixSettings()
    monitor: MonitorSettings = MonitorSettings()
    objective: dict[str, str | float | bool] = Field(
        default={}, description="{name: dpo, beta: 0.2}"
    )

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_method(cls, given: dict) -> dict:
        """PPO goes over each batch 4 times, the others once; all weights move more slowly."""
        lora, kl = given.get("lora"), given.get("kl")
        whole = isinstance(lora, dict) and lora.get("rank") == 0
        epochs = 4 if given.get("method", "ppo") == "ppo" else 1
        if given.get("method") == "grpo" and isinstance(kl, dict | None):
            given = {**given, "kl": {"place": "loss", **(kl or {})}}
        return {"epochs": epochs, "lr": 3e-6 if whole else 1e-5, **given}
