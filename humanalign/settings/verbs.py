"""The settings of every verb but `align`, whose table fills a file of its own."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from humanalign.config import Settings
from humanalign.settings.parts import (
    Count,
    Decoding,
    Positive,
    Rate,
    ReadsPrompts,
    RewardSpec,
    Samples,
    Template,
    Trains,
)


class SftConfig(Trains):
    data: str = Field(description="demonstrations: prompt and response (or messages) per row")
    template: Template = None
    lr: Rate = Field(default=1e-4, description="LoRA; use about 2e-5 with lora.rank=0")
    batch: Positive = 16


class CollectConfig(ReadsPrompts, Samples):
    model: str | None = Field(default=None, description="who answers")
    models: list[str] = Field(
        default=[], description="or two models to be compared, one answer each"
    )
    samples: Positive = Field(default=4, description="completions per prompt")
    sampling: Decoding = Decoding()
    store: str = Field(default="feedback.db", description="feedback store: file or database URL")
    criterion: str = Field(default="helpful", description="what raters will be asked to judge by")
    project: str | None = Field(
        default=None, description="labelling project; null is one named after the criterion"
    )
    overlap: Positive = Field(default=3, description="raters per comparison")
    ask: bool = Field(
        default=False, description="ask about what would teach most, of all that is in the store"
    )
    comparisons: Positive = Field(default=100, description="ask: how many")
    size: int = Field(default=2, ge=2, le=9, description="ask: answers per comparison")
    reward: str | None = Field(
        default=None, description="ask: a reward run or backbone to read by; null is the model"
    )
    by: Literal["information", "random"] = Field(
        default="information", description="ask: what makes a comparison worth its label"
    )
    batch: Positive = 64
    seed: int = 0


class LabelConfig(Settings):
    store: str = Field(default="feedback.db", description="feedback store: file or database URL")
    host: str = Field(default="127.0.0.1", description="address to listen on; 0.0.0.0 is everyone")
    port: Count = Field(default=8000, le=65535, description="0 takes a free one")
    workers: Positive = Field(default=1, description="server processes")
    names: list[str] = Field(default=[], description="host names people use; checked if given")
    https: bool = Field(default=False, description="people come through a TLS proxy")


class WatchConfig(Settings):
    runs: str | None = Field(default=None, description="the folder, in place of the first word")
    host: str = Field(default="127.0.0.1", description="address to listen on; 0.0.0.0 is everyone")
    port: Count = Field(default=8001, le=65535, description="0 takes a free one")


class PreferConfig(Settings):
    store: str = Field(default="feedback.db", description="feedback store: file or database URL")
    raters: Literal["store", "simulated"] = Field(
        default="store",
        description="those in the store, or first let the bundled world's labelers rank",
    )
    consensus: Literal["borda", "kemeny", "bradley-terry", "none"] = "borda"
    ties: Literal["drop", "soft"] = "drop"
    rejected: Literal["drop", "lose"] = Field(
        default="drop", description="F: leave out, or below all"
    )
    seed: int = 0


class JudgeConfig(Settings):
    store: str = "feedback.db"
    model: str = Field(description="the model that judges")
    constitution: str | None = Field(
        default=None, description="YAML of principles; null is the default"
    )
    principle: str | None = Field(default=None, description="its name; null uses all of them")
    seed: int = 0


class ReviseConfig(ReadsPrompts, Samples):
    model: str = Field(description="the model that drafts, critiques and revises")
    constitution: str | None = Field(
        default=None, description="YAML of principles; null is the default"
    )
    rounds: Positive = 1
    seed: int = 0


class PairsConfig(Settings):
    store: str | None = Field(default="feedback.db", description="rankings to turn into pairs")
    pairs: str | None = Field(default=None, description="or a pairs file to convert")
    out: str | None = Field(
        default=None, description="file to write; the suffix says jsonl, csv or parquet"
    )
    format: str = Field(
        default="preference",
        description="preference, conversation, hh, unpaired; or an export of docs/formats.md",
    )
    consensus: Literal["borda", "kemeny", "bradley-terry", "none"] | None = Field(
        default=None, description="null: borda for pairs, none for a project's whole answers"
    )
    ties: Literal["drop", "soft"] = "drop"
    rejected: Literal["drop", "lose"] = Field(
        default="drop", description="F: leave out, or below all"
    )
    split: Literal["train", "validation", "test"] | None = Field(
        default=None, description="prompts of this part only; null: all"
    )
    judgements: str | None = Field(
        default=None, description="a file of judgements, or of answers to judge, to take in"
    )
    project: str | None = Field(default=None, description="the labelling project meant")
    layout: str | None = Field(default=None, description="of judgements; null: by its columns")
    criterion: str | None = Field(default=None, description="of judgements; null: the file's")
    overlap: Count = Field(default=0, description="raters an item that is taken in; 0: as it is")


class ScoreConfig(Settings):
    pairs: str | None = Field(
        default=None, description="pairs to check: accuracy, calibration, biases, leaks"
    )
    prompts: str | None = Field(
        default=None, description="answers to score: prompt and completion(s), or messages"
    )
    out: str | None = Field(
        default=None, description="of prompts; null is a .scored.jsonl beside the file"
    )


class ReportConfig(Settings):
    out: str | None = Field(
        default=None, description="file to write; null is report.html in the run"
    )


class ChatConfig(Samples):
    model: str | None = Field(default=None, description="a model in place of RUN")
    store: str = Field(default="feedback.db", description="where thumbs go")
    template: str = Field(default="{message}", description="how a message becomes the prompt")
    rater: str = "me"
    seed: int = 0


class ExportConfig(Settings):
    out: str = Field(description="directory to write")
    evaluation: str | None = Field(
        default=None,
        description="evaluate and redteam runs below this for the card; null: next to the run",
    )


class RoundSettings(Settings):
    """What a round's stages do besides what the round decides: the keys of each verb."""

    collect: dict[str, Any] = Field(default={}, description="keys of collect, e.g. {samples: 4}")
    prefer: dict[str, Any] = Field(
        default={}, description="keys of prefer, e.g. {raters: simulated}"
    )
    reward: dict[str, Any] = Field(default={}, description="keys of reward; model is required")
    align: dict[str, Any] = Field(default={}, description="keys of align, e.g. {steps: 100}")
    evaluate: dict[str, Any] = Field(default={}, description="keys of evaluate")
    scorers: dict[str, RewardSpec] = Field(
        default={}, description="{toxicity: 'hf:NAME?label=hate&use=prob'}"
    )


class LoopConfig(Settings):
    model: str = Field(description="the policy of the first round")
    prompts: str = Field(description="each round ranks its share and trains on all")
    test_prompts: str = Field(description="held out: each round is evaluated on them")
    rounds: Positive = 2
    out: str = Field(default="runs/loop", description="folder of rounds; the same again resumes")
    round: RoundSettings = RoundSettings()
    seed: int = 0


class DemoConfig(Settings):
    seed: int = 0
    out: str = Field(default="runs/demo", description="round folder to write")


class InitConfig(Settings):
    pass


class ListConfig(Settings):
    pass


class VerifyConfig(Settings):
    pass


class ShowConfig(Settings):
    file: str | None = Field(default=None, description="a YAML file to check against the verb")
