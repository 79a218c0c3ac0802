"""The nouns of the loop, in the order they flow; plain data that every room shares.

Prompt -> Completion -> Comparison -> Ranking -> PreferencePair -> RewardModel -> EvalResult.
Nothing here imports torch, so the labelling side stays light.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

Split = Literal["train", "validation", "test"]
RaterKind = Literal["human", "model", "rule"]
FinishReason = Literal["stop", "length"]
# What an observer of training asks for: go on, stop, or stop with the best weights so far.
Action = Literal["none", "stop", "back"]
# One prompt in five is held out where nobody has said which.
TEST_SHARE = 0.2


def content_id(*parts: object) -> str:
    """16 hex digits of sha256 over the JSON form of `parts`: the same content, the same id."""
    text = json.dumps(parts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Prompt:
    """A text or a conversation that awaits an answer.

    `text` is what a model without a chat template reads; `messages` (role, content) is the
    conversation, where there is one. `fields` keeps the other columns of the row.
    """

    text: str
    messages: tuple[tuple[str, str], ...] = ()
    reference: str | None = None
    source: str = ""
    split: Split = "train"
    fields: Mapping[str, str] = field(default_factory=dict, hash=False)

    @cached_property
    def id(self) -> str:
        return content_id("prompt", self.text, self.messages)


@dataclass(frozen=True)
class Sampler:
    """Who wrote a completion: the model's name, its run, the temperature (0 = greedy), the seed."""

    model: str
    run: str = ""
    temperature: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class Completion:
    """One sampled answer; the same words twice by one sampler are one completion."""

    prompt_id: str
    text: str
    sampler: Sampler
    finish_reason: FinishReason = "stop"

    @cached_property
    def id(self) -> str:
        # Not the run: its id knows its settings' paths, and the same work in another folder must
        # give the same answers to the same labelers.
        who = (self.sampler.model, self.sampler.temperature, self.sampler.seed)
        return content_id("completion", self.prompt_id, self.text, who)


@dataclass(frozen=True)
class Comparison:
    """A question put to a rater: which of these 2 to 9 completions is better by this criterion?"""

    prompt_id: str
    completion_ids: tuple[str, ...]
    criterion: str = "helpful"

    def __post_init__(self) -> None:
        if not 2 <= len(set(self.completion_ids)) == len(self.completion_ids) <= 9:
            raise ValueError(
                f"a comparison holds 2 to 9 different completions, got {list(self.completion_ids)}"
            )

    @cached_property
    def id(self) -> str:
        return content_id("comparison", self.prompt_id, sorted(self.completion_ids), self.criterion)


@dataclass(frozen=True)
class Rater:
    """Who judges: a person, a model or a rule."""

    id: str
    kind: RaterKind = "human"


# Chances to win that differ by less are a tie: equal words must not be told apart by rounding.
SAME = 1e-4


@dataclass(frozen=True)
class Ranking:
    """One rater's answer to one comparison.

    `tiers` is best first; completions in one tier are tied. `rejected` holds the F marks
    (unusable). Together they name every completion of the comparison exactly once.
    """

    comparison_id: str
    rater_id: str
    tiers: tuple[tuple[str, ...], ...]
    rejected: tuple[str, ...] = ()
    seconds: float = 0.0
    instructions: str = ""

    def completion_ids(self) -> tuple[str, ...]:
        """Every completion the ranking speaks of, best first, the F marks last."""
        return tuple(c for tier in self.tiers for c in tier) + self.rejected


@dataclass(frozen=True)
class PreferencePair:
    """A training row: `chosen` (y_j) is always the preferred answer, `rejected` (y_k) the other.

    `weight` scales the row's loss; `margin` is the consensus margin in [0, 1]; `rater` is a
    rater's id or "consensus". `first` says that `chosen` was shown before `rejected`; None where
    that is not known.
    """

    prompt: str
    chosen: str
    rejected: str
    weight: float = 1.0
    margin: float = 0.0
    rater: str = "consensus"
    prompt_id: str = ""
    source: Literal["human", "ai"] = "human"
    criterion: str = ""
    first: bool | None = None

    def as_row(self) -> dict[str, str | float | bool]:
        """The pair as a row of a file, without the criterion and the order where unknown."""
        unknown = {"criterion": "", "first": None}
        return {k: v for k, v in vars(self).items() if k not in unknown or v != unknown[k]}


@dataclass(frozen=True)
class LabelledText:
    """A text and how its votes are shared among labels: what a classifier learns from.

    `target` maps labels to shares that sum to 1; a hard label has share 1. `weight` scales the
    row's loss. `prompt` is what the text answers, empty where it stands alone.
    """

    text: str
    target: Mapping[str, float] = field(hash=False)
    weight: float = 1.0
    prompt: str = ""
    id: str = ""


@runtime_checkable
class RewardModel(Protocol):
    """Anything that scores answers: learned, classifier, rule, ensemble or judge.

    The border is text on purpose: the scorer's tokenizer may differ from the policy's.
    """

    def score(self, prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
        """One number per (prompt, completion); higher is better."""
        ...


@dataclass(frozen=True)
class Answers:
    """What the policy says to held-out prompts now, one entry an answer in each list.

    `rewards` are those of the reward that is trained on; `kl` is log pi - log ref of the whole
    answer, in nats, whose mean is the divergence.
    """

    prompts: Sequence[str]
    completions: Sequence[str]
    rewards: Sequence[float]
    kl: Sequence[float]


@dataclass(frozen=True)
class Shown:
    """A step of training as an observer sees it; step 0 is the reference's batch before the first.

    `completions` come from the weights before the step's update, `ask` from those after it: it
    answers each of some prompts so many times, and leaves the training as it was. `metrics` are
    the step's own, by their names in metrics.jsonl without the stage.
    """

    step: int
    prompts: Sequence[str]
    completions: Sequence[str]
    rewards: Sequence[float]
    finished: Sequence[bool]
    metrics: Mapping[str, float]
    ask: Callable[[Sequence[Prompt], int], Answers]


@dataclass(frozen=True)
class Advice:
    """What an observer makes of a step: numbers, alerts (rows of alerts.jsonl), what to do.

    `keep` names the steps whose weights it may want later, this one or kept ones; `chosen` is
    the step that `back` goes to, None where it has no opinion. `rollouts`: rows worth keeping.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    alerts: Sequence[Mapping[str, object]] = ()
    action: Action = "none"
    keep: Sequence[int] = ()
    chosen: int | None = None
    rollouts: Sequence[Mapping[str, object]] = ()


class Observer(Protocol):
    """Looks over the shoulder of a training run; it draws no random number of the run's."""

    def see(self, shown: Shown) -> Advice:
        """Say what to make of a step; called once a step in order, first with step 0."""
        ...

    def state(self) -> dict:
        """All that the next `see` depends on, as JSON: it goes into every checkpoint."""
        ...

    def restore(self, state: dict) -> None:
        """Go on from what `state` gave."""
        ...

    def summary(self) -> dict:
        """What the run's summary says of it, as JSON."""
        ...


@dataclass(frozen=True)
class EvalResult:
    """One number with its error: a 95 % interval over `n` independent prompts."""

    metric: str
    value: float
    ci_low: float
    ci_high: float
    n: int
    higher_is_better: bool = True

    def as_dict(self) -> dict[str, float | int]:
        return {"value": self.value, "ci_low": self.ci_low, "ci_high": self.ci_high, "n": self.n}

    def __str__(self) -> str:
        interval = f"[{self.ci_low:.3f}, {self.ci_high:.3f}]"
        return f"{self.metric} {self.value:.3f} {interval} n={self.n}"


@dataclass(frozen=True)
class RunRef:
    """A finished run that another stage builds on: the unit of lineage."""

    stage: str
    id: str
    path: Path
    config_hash: str
    parents: tuple[str, ...] = ()


def split_of(identity: str, *, test: float = TEST_SHARE) -> Split:
    """The part a prompt belongs to, from its id alone: the same in every run and on any machine."""
    return "test" if int(content_id("split", identity), 16) < test * 16**16 else "train"
