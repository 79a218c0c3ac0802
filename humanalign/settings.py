"""One typed, frozen set of settings per stage. Key names are the same in every verb.

Each default says where it comes from where that is not obvious; docs/methods.md has the papers.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from humanalign.config import Settings

Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
Rate = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(gt=0, le=1)]
Template = Annotated[
    str | None, Field(description="how other columns become the prompt: 'Summarize: {dialogue}'")
]
RewardSpec = str | list[dict[str, str | float]]


class LoraSettings(Settings):
    rank: Count = Field(default=16, description="adapter rank; 0 trains all weights")
    alpha: float | None = Field(default=None, description="scale; null means 2 * rank")
    targets: list[str] = Field(default=[], description="layer names; [] is every linear layer")


class KlSettings(Settings):
    coef: Annotated[float, Field(ge=0)] = Field(
        default=0.05, description="weight of the KL penalty"
    )
    estimator: Literal["k1", "k2", "k3", "full"] = Field(
        default="k1", description="which KL per token"
    )
    target: Rate | None = Field(
        default=None, description="nats; set it to adapt coef (Ziegler 2019)"
    )
    horizon: Positive = Field(default=10_000, description="episodes over which coef adapts")


class StopSettings(Settings):
    reward: float | None = Field(default=None, description="stop when the mean reward reaches this")
    patience: Positive = Field(default=3, description="... for this many steps in a row")
    kl: float | None = Field(default=None, description="stop when the KL budget (nats) is spent")
    minutes: float | None = Field(default=None, description="stop after this wall-clock time")


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
    epochs: Positive = Field(default=1, description="passes over the data (PPO: 4 over each batch)")
    checkpoint: CheckpointSettings = CheckpointSettings()
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
    overlap: Positive = Field(default=3, description="raters per comparison")
    batch: Positive = 64
    seed: int = 0


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
    out: str = Field(description="file to write; the suffix says jsonl, csv or parquet")
    format: str = Field(
        default="preference", description="preference, conversation, hh or unpaired"
    )
    consensus: Literal["borda", "kemeny", "bradley-terry", "none"] = "borda"


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


class ScoreConfig(Settings):
    pairs: str | None = Field(
        default=None, description="pairs to check: accuracy with its interval"
    )
    prompts: str | None = Field(
        default=None, description="rows with prompt and completion to score"
    )


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
        default=64, description="rows at once; changes memory, not the result"
    )
    lr: Rate = Field(default=1e-5, description="with lora.rank=0 the default is 3e-6")
    value_lr: Rate = Field(default=1e-3, description="of the value head, which starts from nothing")
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    kl: KlSettings = KlSettings()
    stop: StopSettings = StopSettings()
    group: Positive = Field(default=4, description="answers per prompt for rloo, grpo; n for bon")
    gamma: Share = 1.0
    lam: Annotated[float, Field(ge=0, le=1)] = Field(default=0.95, description="GAE lambda")
    clip: Rate = Field(default=0.2, description="epsilon of the policy ratio")
    value_clip: Rate = 0.2
    value_coef: Annotated[float, Field(ge=0)] = Field(default=0.1, description="c1")
    entropy_coef: Annotated[float, Field(ge=0)] = Field(default=0.0, description="c2")
    eos_penalty: Annotated[float, Field(ge=0)] = Field(
        default=1.0, description="off an unfinished answer"
    )
    whiten: bool = Field(default=True, description="advantages to mean 0, std 1 over the batch")
    standardise: bool = Field(default=True, description="reward to mean 0, std 1 on the reference")
    objective: dict[str, str | float | bool] = Field(
        default={}, description="{name: dpo, beta: 0.2}"
    )

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_method(cls, given: dict) -> dict:
        """PPO goes over each batch 4 times, the others once; all weights move more slowly."""
        lora = given.get("lora")
        whole = isinstance(lora, dict) and lora.get("rank") == 0
        epochs = 4 if given.get("method", "ppo") == "ppo" else 1
        return {"epochs": epochs, "lr": 3e-6 if whole else 1e-5, **given}


class EvaluateConfig(ReadsPrompts, Samples):
    model: str
    against: str | None = Field(default=None, description="the model before")
    scorers: dict[str, str] = Field(
        default={}, description="{toxicity: 'hf:NAME?label=hate&use=prob'}"
    )
    samples: Positive = Field(default=1, description="answers per prompt")
    sampling: Decoding = Decoding()
    batch: Positive = 64
    seed: int = 0


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


class RoundSettings(Settings):
    """What a round's stages do besides what the round decides: the keys of each verb."""

    collect: dict[str, Any] = Field(default={}, description="keys of collect, e.g. {samples: 4}")
    prefer: dict[str, Any] = Field(
        default={}, description="keys of prefer, e.g. {raters: simulated}"
    )
    reward: dict[str, Any] = Field(default={}, description="keys of reward; model is required")
    align: dict[str, Any] = Field(default={}, description="keys of align, e.g. {steps: 100}")
    evaluate: dict[str, Any] = Field(default={}, description="keys of evaluate")
    scorers: dict[str, str] = Field(
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


class ShowConfig(Settings):
    file: str | None = Field(default=None, description="a YAML file to check against the verb")
