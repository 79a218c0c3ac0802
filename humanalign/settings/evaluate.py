"""The settings of `evaluate`: who is measured, on which prompts, by which scorers."""

from __future__ import annotations

from pydantic import Field

from humanalign.settings.parts import (
    Decoding,
    Loggers,
    Positive,
    Rate,
    ReadsPrompts,
    RewardSpec,
    Samples,
)


class EvaluateConfig(ReadsPrompts, Samples):
    model: str | None = Field(default=None, description="who is measured; required but for history")
    against: str | None = Field(default=None, description="the model before")
    scorers: dict[str, RewardSpec] = Field(
        default={}, description="{toxicity: 'hf:NAME?label=hate'}: any reward under any name"
    )
    lower: list[str] = Field(
        default=[], description="scorers of which less is better; toxicity always is one"
    )
    margins: dict[str, Rate] = Field(
        default={}, description="{rougeL: 0.02}: the loss that still counts as not worse"
    )
    samples: Positive = Field(default=1, description="answers per prompt")
    sampling: Decoding = Decoding()
    judge: str | None = Field(default=None, description="a model that compares the answers")
    constitution: str | None = Field(
        default=None, description="what the judge goes by: YAML of principles; null is the default"
    )
    store: str | None = Field(
        default=None, description="people's rankings of both models' answers, for the win rate"
    )
    truthfulqa: str | None = Field(
        default=None, description="TruthfulQA.csv or mc_task.json: true answers before and after"
    )
    few_shot: bool = Field(
        default=False, description="six answered questions before each of TruthfulQA's"
    )
    hhh: str | None = Field(
        default=None, description="helpful, honest, harmless: own, or a file of comparisons"
    )
    support: bool = Field(
        default=False, description="names, numbers and claims that the prompt does not support"
    )
    history: str | None = Field(
        default=None, description="the trend over the finished evaluations in this folder"
    )
    batch: Positive = 64
    log_with: Loggers = None
    seed: int = 0
