"""The bundled world: short dialogues with reference summaries, each made from an integer.

The same integer gives the same dialogue on every machine. The split is read from the dialogue's
own words, so that no dialogue can be in two splits.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from humanalign.tiny.fillers import NAMES
from humanalign.tiny.grammar import Situation, pattern, situations
from humanalign.types import Prompt, Split

INSTRUCTION = "Summarize the following conversation."
# A first line of a dialogue fixes the usual summary; the rest of the time any of them is used.
USUAL = 0.75


@dataclass(frozen=True)
class Scene:
    """One dialogue: its situation, the fillers of its slots, its words and its summary."""

    situation: Situation
    slots: dict[str, str] = field(hash=False)
    dialogue: str
    reference: str

    def references(self) -> list[str]:
        """Every summary that the world would accept as a reference."""
        return [form.format(**self.slots) for form in self.situation.summaries]

    def facts(self) -> list[str]:
        """The fillers that every reference names."""
        return [self.slots[slot] for slot in self.situation.facts]


def scene(number: int) -> Scene:
    """Return the dialogue of an integer: always the same one."""
    rng = random.Random(f"dialogue {number}")
    situation = rng.choice(list(situations().values()))
    slots = _fill(situation, rng)
    chosen = [rng.randrange(len(texts)) for _, texts in situation.turns]
    lines = [
        f"{slots[speaker.lower()]}: {texts[i].format(**slots)}"
        for (speaker, texts), i in zip(situation.turns, chosen, strict=True)
    ]
    usual = rng.random() < USUAL
    form = chosen[0] if usual else rng.randrange(len(situation.summaries))
    reference = situation.summaries[form % len(situation.summaries)].format(**slots)
    return Scene(situation, slots, "\n".join(lines), reference)


def _fill(situation: Situation, rng: random.Random) -> dict[str, str]:
    slots: dict[str, str] = dict(zip("ab", rng.sample(NAMES, 2), strict=True))
    for kind in dict.fromkeys(situation.slots.values()):
        same = [slot for slot, other in situation.slots.items() if other == kind]
        slots.update(zip(same, rng.sample(situation.fillers(same[0]), len(same)), strict=True))
    return slots


def split_of(dialogue: str) -> Split:
    """Return the split of a dialogue: 14 of 16 train, one validation, one test."""
    bucket = hashlib.sha256(dialogue.encode()).digest()[0] % 16
    return "test" if bucket == 0 else "validation" if bucket == 1 else "train"


def scenes(split: Split, seed: int = 0) -> Iterator[Scene]:
    """Yield different dialogues of a split, without end, in an order that the seed fixes."""
    rng, seen = random.Random(f"scenes {split} {seed}"), set[str]()
    while True:
        made = scene(rng.getrandbits(62))
        if split_of(made.dialogue) == split and made.dialogue not in seen:
            seen.add(made.dialogue)
            yield made


def prompts(split: Split, n: int, seed: int = 0) -> list[Prompt]:
    """Return `n` different prompts of a split with their reference summaries."""
    return [as_prompt(made, split) for made, _ in zip(scenes(split, seed), range(n), strict=False)]


def as_prompt(made: Scene, split: Split, instruction: str = INSTRUCTION) -> Prompt:
    """Return the task prompt of a dialogue; `fields` names its facts and its situation."""
    fields = {"facts": "|".join(made.facts()), "situation": made.situation.name}
    text = prompt_text(made.dialogue, instruction)
    return Prompt(text, reference=made.reference, source="tiny", split=split, fields=fields)


def prompt_text(dialogue: str, instruction: str = INSTRUCTION) -> str:
    """Return the plain form in which a summary is asked for."""
    return f"{instruction}\n\n{dialogue}\n\nSummary:"


def count_dialogues() -> int:
    """Return how many different dialogues the world holds.

    Every slot is said in every wording, and a dialogue can be read back in one way only
    (`parse`), so counting the choices counts the dialogues.
    """
    return sum(situation.count() for situation in situations().values())


@lru_cache(maxsize=65536)
def parse(prompt: str) -> Scene | None:
    """Read a prompt of the world back; None when its dialogue is not one of the world's."""
    found = re.search(r"(?:^|\n\n)(\w+: .+?)(?:\n\n|$)", prompt, re.DOTALL)
    lines = [line.partition(": ") for line in found[1].split("\n")] if found else []
    for situation in situations().values():
        slots = _read(situation, lines)
        if slots is not None and found:
            return Scene(situation, slots, found[1], situation.summaries[0].format(**slots))
    return None


def _read(situation: Situation, lines: list[tuple[str, str, str]]) -> dict[str, str] | None:
    if len(lines) != len(situation.turns):
        return None
    slots: dict[str, str] = {}
    for (speaker, texts), (name, _, said) in zip(situation.turns, lines, strict=True):
        found = _match(situation.name, texts, said)
        if found is None:
            return None
        for slot, value in {**found, speaker.lower(): name}.items():
            if slots.setdefault(slot, value) != value:
                return None
    return slots


def _match(situation: str, texts: tuple[str, ...], said: str) -> dict[str, str] | None:
    for text in texts:
        if found := pattern(situation, text).fullmatch(said):
            return found.groupdict()
    return None
