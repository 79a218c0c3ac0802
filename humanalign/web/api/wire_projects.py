"""Projects, criteria, instructions and items as they are sent and told."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from humanalign.web.api.wire import (
    MOST_SEED,
    Anything,
    At,
    Gate,
    HexId,
    Kind,
    Mark,
    Name,
    Sent,
    Short,
    Status,
    Text,
    Told,
    Whole,
)

Words = Field(examples=["Which answer helps the person more?"])


class Settings(Sent):
    """How a project runs; what is left out keeps its default."""

    overlap: int = Field(default=3, ge=1, le=100, description="Raters an item.")
    contested_overlap: int = Field(default=5, ge=1, le=100, description="Raters a contested item.")
    blur: bool = Field(default=False, description="Hide completions until they are revealed.")
    warning: str = Field(default="", max_length=2_000, description="Shown before consent.")
    consent: str = Field(
        default="", max_length=20_000, description="Markdown; empty: the built-in text."
    )
    pass_mark: float = Field(default=0.8, ge=0, le=1, allow_inf_nan=False)
    scale: int = Field(default=3, ge=2, le=9, description="A rating goes from 1 to this.")
    adaptive: bool = Field(
        default=False, description="Ask up to `contested_overlap` raters where the first disagree."
    )
    gold_every: int = Field(
        default=0, ge=0, le=1000, description="A gold item after so many; 0: none."
    )


class Question(Sent):
    """One question of the quiz; `why` is shown after a wrong answer."""

    text: str = Field(max_length=2_000, examples=["An answer is fluent but wrong. What is it?"])
    options: list[Short] = Field(min_length=2, max_length=8, examples=[["Helpful", "Not helpful"]])
    answer: int = Field(ge=0, le=7, description="The index of the right option.")
    why: str = Field(max_length=2_000, examples=["Fluency is not help."])


class NewInstructions(Sent):
    """A version of what raters read before they judge, in Markdown, with its quiz."""

    text: str = Field(min_length=1, max_length=100_000, examples=["Rank the answers by ..."])
    quiz: list[Question] = Field(default=[], max_length=20)


class NewProject(Sent):
    """A project to create; without `instructions` it gets those of its criterion and their quiz."""

    name: Name = Field(examples=["Helpful answers"])
    kind: Kind = "ranking"
    criterion: Name = Field(default="helpful", examples=["helpful"])
    definition: str = Field(
        default="", max_length=2_000, examples=["The answer does what was asked."]
    )
    settings: Settings = Settings()
    instructions: NewInstructions | None = None


class ProjectTold(Told):
    """A project; `gate` says what stands between the caller and work (null: no member of it)."""

    id: HexId
    name: str
    kind: Kind
    criterion: str
    definition: str
    settings: Anything
    status: Status
    at: At
    gate: Gate | None
    done: int | None = Field(description="Items the caller has answered.")
    open: int | None = Field(description="Items left for the caller.")


class ProjectList(Told):
    """The projects the caller may see, in the order they were made."""

    projects: list[ProjectTold]


class NewStatus(Sent):
    """Open, paused (nobody gets work) or archived."""

    status: Status


class Criterion(Told):
    """What one word of judgement means."""

    name: str
    definition: str


class CriterionList(Told):
    """Every criterion by name."""

    criteria: list[Criterion]


class Definition(Sent):
    """What a criterion means, for every project that judges by it."""

    definition: str = Field(max_length=2_000, examples=["The answer does what was asked."])


class QuestionTold(Told):
    """A question without its answer, which only staff are told."""

    text: str
    options: list[str]
    answer: int | None
    why: str | None


class InstructionsTold(Told):
    """One version; its id is what answers are stamped with."""

    id: HexId
    number: int
    text: str
    quiz: list[QuestionTold]
    at: At


class VersionList(Told):
    """Every version, the oldest first."""

    versions: list[InstructionsTold]


class Turn(Sent):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: Text


class NewCompletion(Sent):
    """One answer of a model. Who wrote it is never shown to a rater."""

    text: Text = Field(examples=["Seven minutes in boiling water."])
    model: Short = Field(default="", examples=["flan-t5-base"])
    run: Short = ""
    temperature: float = Field(default=1.0, ge=0, le=100, allow_inf_nan=False)
    seed: int = Field(default=0, ge=-MOST_SEED, le=MOST_SEED)
    finish_reason: Literal["stop", "length"] = "stop"


class NewItem(Sent):
    """A prompt with the completions to be judged: two to nine; one for a thumb."""

    prompt: Text = Field(examples=["How do I boil an egg?"])
    messages: list[Turn] = Field(
        default=[], max_length=200, description="The conversation, if there is."
    )
    reference: Text | None = None
    source: Short = ""
    split: Literal["train", "validation", "test"] = "train"
    completions: list[NewCompletion] = Field(min_length=1, max_length=9)
    gold: list[Mark] | None = Field(
        default=None,
        max_length=9,
        description="The right mark of each completion, for a test item.",
    )


class NewItems(Sent):
    """Items to be judged; asking again changes nothing, or raises the overlap."""

    items: list[NewItem] = Field(min_length=1, max_length=1_000)
    overlap: int | None = Field(
        default=None, ge=1, le=100, description="Raters an item; the project's setting by default."
    )


class Added(Told):
    """The items' ids, each once, in the order sent."""

    items: list[HexId]


class ItemLine(Told):
    """One line of the list: `answers` of `overlap` wanted; how often it was put aside."""

    id: HexId
    position: int
    opening: str
    answers: int
    overlap: int
    skipped: int
    flagged: int
    gold: bool


class ItemPage(Told):
    """One page; `next` is what `after` must be for the page that follows, null at the end."""

    items: list[ItemLine]
    next: Whole | None


class CompletionTold(Told):
    """A completion with its author, for staff."""

    id: HexId
    text: str
    model: str
    temperature: float
    seed: int


class GivenTold(Told):
    """One revision of one rater's answer; `body` names completions by their ids."""

    number: int = Field(description="Answers are numbered in the order they came.")
    item: HexId
    rater: str
    revision: int
    body: Anything = Field(examples=[{"tiers": [["c1"], ["c2", "c3"]], "rejected": []}])
    instructions: str
    seconds: float
    at: At
    note: str
    timing: Anything
    extra: bool
    display: list[str]


class ItemTold(Told):
    """An item with everything said about it, for staff."""

    id: HexId
    position: int
    kind: str
    criterion: str
    prompt: str
    completions: list[CompletionTold]
    overlap: int
    gold: Anything | None
    answers: list[GivenTold]
