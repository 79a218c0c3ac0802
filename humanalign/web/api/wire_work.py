"""What a rater sends and sees: tasks, answers, drafts, receipts."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from humanalign.web.api.wire import (
    Anything,
    At,
    HexId,
    Key,
    Kind,
    Letter,
    Mark,
    Note,
    Seconds,
    Sent,
    Told,
    Whole,
)

Reason = Literal["unclear", "not my language", "upsetting", "technical", "other"]
Trouble = Literal["broken", "unsafe", "wrong instructions", "other"]


class Message(Told):
    """One turn of a conversation."""

    role: str = Field(examples=["user"])
    content: str = Field(examples=["How do I boil an egg?"])


class Asked(Told):
    """The prompt; `messages` is the conversation, where there is one."""

    text: str = Field(examples=["How do I boil an egg?"])
    messages: list[Message]


class CardTold(Told):
    """One completion. Only a program is told its id; nobody is told who wrote it."""

    letter: Letter
    text: str = Field(examples=["Seven minutes in boiling water."])
    completion: HexId | None = Field(description="The completion's id, for programs.")


class TaskTold(Told):
    """An item as this rater sees it; `revision` counts their answers, `marks` is the latest."""

    item: HexId
    project: HexId
    kind: Kind
    criterion: str = Field(examples=["helpful"])
    instructions: HexId = Field(description="The newest version: send it with the answer.")
    prompt: Asked
    cards: list[CardTold]
    marks: dict[Letter, Mark] = Field(examples=[{"A": 1, "B": 2, "C": 2, "D": "F"}])
    draft: Anything | None
    note: str
    revision: int
    lease_until: At | None


class Next(Told):
    """The task to do now; null when nothing is left for this rater."""

    task: TaskTold | None


class Timing(Sent):
    """How long it took by the client's own measure; hints, never a reason to refuse."""

    active: Seconds | None = Field(default=None, description="Seconds at work on the item.")
    dwell: dict[Letter, Seconds] = Field(
        default={}, description="Seconds by card.", examples=[{"A": 12.5, "B": 7.0}]
    )
    changes: Whole = Field(default=0, description="How often a mark was changed.")


class Answer(Sent):
    """Marks by letter, complete. The same key again is the same answer, however often it comes."""

    key: Key = Field(examples=["5f6b0c1e-1"], description="Any text that is this answer's own.")
    marks: dict[Letter, Mark] = Field(max_length=9, examples=[{"A": 1, "B": 2, "C": 2, "D": "F"}])
    revision: Whole = Field(
        default=0, description="The revision the task had; 0 for a first answer."
    )
    instructions: HexId | None = Field(
        default=None, description="The version that was read; by default the newest."
    )
    note: Note = ""
    timing: Timing = Timing()


class Receipt(Told):
    """What was stored: `replayed` when the key was known, `extra` when every slot was taken.

    With `?next=true`, `task` is what to do next.
    """

    item: HexId
    revision: int
    replayed: bool
    extra: bool
    at: At
    task: TaskTold | None = None


class Clash(Told):
    """The answer was changed elsewhere (`held` is the task as it stands), or the key was used."""

    error: str
    held: TaskTold | None = None


class Draft(Sent):
    """What is on the page now, complete or not; never an answer by itself."""

    marks: dict[Letter, Mark] = Field(default={}, max_length=9, examples=[{"A": 1}])
    note: Note = ""
    revision: Whole = 0
    timing: Timing = Timing()


class Saved(Told):
    """The draft is kept."""

    saved: bool


class Lease(Told):
    """Until when the item is held for this rater."""

    lease_until: At


class Skip(Sent):
    """Why the item is given back; it never comes again, and it costs nothing."""

    reason: Reason
    note: Note = ""


class Skipped(Told):
    """The item was given back."""

    skipped: bool


class Report(Sent):
    """What is wrong with the item, for its owner to look at."""

    reason: Trouble
    note: Note = ""


class Reported(Told):
    """The report is kept."""

    reported: bool
