"""What a person enters on the page: groups of radio buttons, form fields to marks and back.

One group a card, named `mark.A`, `mark.B` ...; a pairwise question is one group, named `choice`.
Nothing is ever checked that the person did not enter.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from humanalign.prefer.claimed_times import clean_timing
from humanalign.prefer.ranks import Mark
from humanalign.web.words import Translate, sentence

PAIR: Mapping[str, Mapping[str, Mark]] = {
    "A": {"A": 1, "B": 2},
    "B": {"A": 2, "B": 1},
    "tie": {"A": 1, "B": 1},
    "bad": {"A": "F", "B": "F"},
}
SKIP_REASONS: Mapping[str, str] = {
    "unclear": sentence("The prompt is unclear, or I cannot judge it"),
    "not my language": sentence("It is not in a language I read well"),
    "upsetting": sentence("It is too upsetting"),
    "technical": sentence("Something is not shown correctly"),
    "other": sentence("Another reason"),
}
PROBLEMS: Mapping[str, str] = {
    "broken": sentence("Something is broken or missing"),
    "unsafe": sentence("It is dangerous, or it should not be shown to anybody"),
    "wrong instructions": sentence("The instructions do not fit it"),
    "other": sentence("Something else"),
}
RANK_IT = sentence("Answer {letter} has no mark. Give it a rank from 1 to {highest}, or F.")
RATE_IT = sentence("Answer {letter} has no mark. Give it a number from 1 to {highest}.")
THUMB_IT = sentence("Answer {letter} has no mark. Say whether it is good.")
CHOOSE_ONE = sentence("Nothing is chosen yet. Choose one of the four.")


@dataclass(frozen=True)
class Choice:
    """One radio button: its value, the key that checks it, what is seen and what is read out."""

    value: str
    key: str
    shown: str
    spoken: str


@dataclass(frozen=True)
class Group:
    """The radio buttons that stand together; `letter` is the card they belong to, "" for all."""

    name: str
    letter: str
    choices: tuple[Choice, ...]
    checked: str


def groups(
    kind: str, letters: Sequence[str], marks: Mapping[str, Mark], *, scale: int, _: Translate
) -> list[Group]:
    """The radio groups of a task of this kind, with what is already entered checked."""
    if kind == "pairwise":
        return [Group("choice", "", pair_choices(_), pair_entered(marks))]
    offered = {
        "ranking": rank_choices(len(letters), _),
        "rating": rating_choices(scale, _),
        "thumb": thumb_choices(_),
    }[kind]
    return [
        Group(f"mark.{letter}", letter, offered, str(marks.get(letter, ""))) for letter in letters
    ]


def rank_choices(cards: int, _: Translate) -> tuple[Choice, ...]:
    """1 (best) to the number of cards, and F."""
    ranks = [Choice(str(n), str(n), str(n), _("Rank {rank}", rank=n)) for n in range(1, cards + 1)]
    ranks[0] = Choice("1", "1", "1", _("Rank 1, best"))
    return (*ranks, Choice("F", "f", "F", _("F, unusable")))


def rating_choices(scale: int, _: Translate) -> tuple[Choice, ...]:
    """1 (worst) to `scale` (best)."""
    numbers = [Choice(str(n), str(n), str(n), str(n)) for n in range(1, scale + 1)]
    numbers[0] = Choice("1", "1", "1", _("1, worst"))
    numbers[-1] = Choice(str(scale), str(scale), str(scale), _("{number}, best", number=scale))
    return tuple(numbers)


def thumb_choices(_: Translate) -> tuple[Choice, ...]:
    """Up or down."""
    up, down = _("Good"), _("Not good")
    return Choice("up", "1", up, up), Choice("down", "0", down, down)


def pair_choices(_: Translate) -> tuple[Choice, ...]:
    """A, B, both alike, or neither usable."""
    said = {
        "A": ("1", _("A is better")),
        "B": ("2", _("B is better")),
        "tie": ("0", _("Equally good")),
        "bad": ("f", _("Both unusable")),
    }
    return tuple(Choice(value, key, text, text) for value, (key, text) in said.items())


def pair_entered(marks: Mapping[str, Mark]) -> str:
    """The choice that two marks mean; "" where one is missing."""
    if set(marks) != {"A", "B"}:
        return ""
    first, second = (math.inf if marks[card] == "F" else int(marks[card]) for card in "AB")
    if first == second:
        return "bad" if first == math.inf else "tie"
    return "A" if first < second else "B"


def marks_of(fields: Mapping[str, str], kind: str, letters: Sequence[str]) -> dict[str, Mark]:
    """The marks in a form; a card without one is left out."""
    if kind == "pairwise":
        return dict(PAIR.get(fields.get("choice", ""), {}))
    given = {letter: fields.get(f"mark.{letter}", "").strip() for letter in letters}
    return {letter: _mark(value) for letter, value in given.items() if value}


def unmarked(marks: Mapping[str, Mark], letters: Sequence[str]) -> str | None:
    """The first card that has no mark yet."""
    return next((letter for letter in letters if letter not in marks), None)


def what_is_missing(kind: str, letter: str, choices: Sequence[Choice], _: Translate) -> str:
    """The sentence that names the card without a mark and says what can be given."""
    if kind == "pairwise":
        return _(CHOOSE_ONE)
    if kind == "thumb":
        return _(THUMB_IT, letter=letter)
    asks = RATE_IT if kind == "rating" else RANK_IT
    highest = len(choices) if kind == "rating" else len(choices) - 1
    return _(asks, letter=letter, highest=highest)


def note_of(fields: Mapping[str, str]) -> str:
    """The note, with plain line ends."""
    return fields.get("note", "").replace("\r\n", "\n").strip()


def timing_of(fields: Mapping[str, str]) -> dict:
    """What is usable of the browser's own clock; {} if it sent none, or no JSON."""
    try:
        sent = json.loads(fields.get("timing") or "{}")
    except (ValueError, RecursionError):
        return {}
    return clean_timing(sent) if isinstance(sent, dict) else {}


def _mark(value: str) -> Mark:
    return int(value) if value.isascii() and value.isdigit() and len(value) < 4 else value
