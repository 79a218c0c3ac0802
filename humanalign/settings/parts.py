"""What the settings of several verbs are made of: numbers with limits and groups of keys."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from humanalign.config import Settings

Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
Rate = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(gt=0, le=1)]
Template = Annotated[
    str | None, Field(description="how other columns become the prompt: 'Summarize: {dialogue}'")
]
# A name, {ensemble: [...]}, {cached: ..., file: ...} or a weighted sum of any of them: they nest,
# so what is inside is checked where it is read (reward/sources.py).
RewardSpec = str | dict[str, Any] | list[dict[str, Any]]


Logger = Literal["tensorboard", "wandb", "trackio"]
Loggers = Annotated[
    list[Logger] | None,
    BeforeValidator(lambda given: [given] if isinstance(given, str) else given),
    Field(description="also log to [tensorboard, wandb, trackio], or to one of them"),
]


class LoraSettings(Settings):
    rank: Count = Field(default=16, description="adapter rank; 0 trains all weights")
    alpha: float | None = Field(default=None, description="scale; null means 2 * rank")
    targets: list[str] = Field(default=[], description="layer names; [] is every linear layer")


class CheckpointSettings(Settings):
    every: Count = Field(default=25, description="steps between checkpoints; 0 writes none")
    keep: Positive = Field(default=2, description="how many to keep")


class Decoding(Settings):
    top_k: Count = Field(default=0, description="keep the k likeliest tokens; 0 keeps all")
    top_p: Share = Field(default=1.0, description="keep this much probability mass")


class Trains(Settings):
    """What every verb that trains a policy shares."""

    model: str = Field(description="hub name, directory, finished run, or tiny-instruct")
    lora: LoraSettings = LoraSettings()
    dtype: Literal["float32", "bfloat16"] = Field(default="float32", description="of the weights")
    quantize: Literal["4bit", "8bit"] | None = Field(
        default=None, description="the base under an adapter, by bitsandbytes"
    )
    freeze_encoder: bool = Field(
        default=False,
        description="T5 and kin: train the decoder only, its embeddings excepted",
    )
    gradient_checkpointing: bool = Field(
        default=False, description="recompute activations: less memory, a third more time"
    )
    epochs: Positive = Field(default=1, description="passes over the data (PPO: 4 over each batch)")
    checkpoint: CheckpointSettings = CheckpointSettings()
    log_with: Loggers = None
    seed: int = 0


class ReadsPrompts(Settings):
    """What every verb that reads prompts shares."""

    prompts: str | None = Field(
        default=None, description="file (.jsonl .csv .parquet .txt, .gz) or hub dataset"
    )
    template: Template = None
    split: str | None = Field(
        default=None, description="only rows of this split, where the file has any"
    )
    limit: Positive | None = Field(default=None, description="only the first N prompts")
    opening: Positive | None = Field(
        default=None, description="keep only the first N words of each"
    )
    reference: str = Field(
        default="reference", description="column with the reference answer, if any"
    )
    long_prompts: Literal["error", "drop"] = Field(
        default="error", description="what to do with a prompt longer than the context"
    )


class Samples(Settings):
    """What every verb that samples shares."""

    max_new_tokens: Positive = Field(default=64, description="longest answer, in tokens")
    temperature: Annotated[float, Field(ge=0)] = Field(default=1.0, description="0 is greedy")
    ignore_eos: bool = Field(default=False, description="always write max_new_tokens tokens")
