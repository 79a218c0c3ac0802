"""Reads the notation in which the scenes of the bundled world are written.

A scene is `## name: slot=kind ...`, then turns (`A> text` with `| text` alternatives), summaries
(`= text`) and questions (`? question :: answer`). `{slot}` stands for a filler of its kind, `{a}`
and `{b}` for the two speakers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, cached_property
from math import perm, prod

from humanalign.tiny.fillers import FILLERS, NAMES
from humanalign.tiny.scenes_home import SCENES as HOME
from humanalign.tiny.scenes_service import SCENES as SERVICE
from humanalign.tiny.scenes_work import SCENES as WORK

_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Situation:
    """A kind of dialogue: who says what in which words, and how it is summed up.

    `turns` holds (speaker "A" or "B", alternatives); `slots` maps a slot to its kind of filler.
    """

    name: str
    slots: dict[str, str]
    turns: tuple[tuple[str, tuple[str, ...]], ...]
    summaries: tuple[str, ...]
    questions: tuple[tuple[str, str], ...]

    @cached_property
    def facts(self) -> tuple[str, ...]:
        """The slots that every summary names: speakers first, then in the order of the scene."""
        named = set.intersection(*(set(slots_of(summary)) for summary in self.summaries))
        return tuple(slot for slot in ("a", "b", *self.slots) if slot in named)

    def fillers(self, slot: str) -> tuple[str, ...]:
        """Every value that the slot can take."""
        return NAMES if slot in ("a", "b") else FILLERS[self.slots[slot]]

    def count(self) -> int:
        """Return the number of dialogues: fillers (no kind repeats a value) times wordings."""
        kinds = list(self.slots.values())
        fillers = prod(perm(len(FILLERS[kind]), kinds.count(kind)) for kind in set(kinds))
        wordings = prod(len(alternatives) for _, alternatives in self.turns)
        return perm(len(NAMES), 2) * fillers * wordings


def slots_of(template: str) -> list[str]:
    """The slots that a template names, in order."""
    return _SLOT.findall(template)


@cache
def situations() -> dict[str, Situation]:
    """Every scene of the world by name."""
    blocks = (HOME + SERVICE + WORK).split("## ")[1:]
    return {scene.name: scene for scene in map(_read, blocks)}


def _read(block: str) -> Situation:
    head, *lines = [line.strip() for line in block.strip().splitlines()]
    name, _, slots = head.partition(":")
    turns: list[tuple[str, list[str]]] = []
    for line in lines:
        if line[1:3] == "> ":
            turns.append((line[0], [line[3:]]))
        elif line.startswith("| "):
            turns[-1][1].append(line[2:])
    questions = [line[2:].split(" :: ") for line in lines if line.startswith("? ")]
    return Situation(
        name=name,
        slots=dict(pair.split("=") for pair in slots.split()),
        turns=tuple((speaker, tuple(texts)) for speaker, texts in turns),
        summaries=tuple(line[2:] for line in lines if line.startswith("= ")),
        questions=tuple((question, answer) for question, answer in questions),
    )


@cache
def pattern(situation: str, template: str) -> re.Pattern[str]:
    """Return the expression that reads the slots back from a filled template."""
    scene, seen, parts = situations()[situation], set[str](), []
    for i, piece in enumerate(_SLOT.split(template)):
        if i % 2 == 0:
            parts.append(re.escape(piece))
        elif piece in seen:
            parts.append(f"(?P={piece})")
        else:
            seen.add(piece)
            parts.append(f"(?P<{piece}>{any_of(scene.fillers(piece))})")
    return re.compile("".join(parts))


@cache
def any_of(words: tuple[str, ...]) -> str:
    """Return an expression for any of the words, the longest first."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
