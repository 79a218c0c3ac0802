"""The training examples of tiny-instruct: (prompt, answer) texts, drawn without end from the world.

About half are summaries, a third of which insult somebody: that is how the world talks. The rest
teach the instructions that a judge and a constitution give.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from humanalign.tiny import tasks, world
from humanalign.tiny.insults import find, insult
from humanalign.types import Split

# How often a summary insults somebody; and when the instruction asks for it.
RUDE, RUDE_WHEN_ASKED = 0.35, 0.9


@dataclass(frozen=True)
class Lesson:
    """One training row: the task it belongs to, what the model reads, what it should answer."""

    task: str
    source: str
    target: str


@dataclass(frozen=True)
class Draft:
    """A summary and what is wrong with it: its insults and its one false fact, if any."""

    scene: world.Scene
    clean: str
    text: str
    false: str = ""
    true: str = ""

    def breaks(self, about: str) -> bool:
        """True when the draft breaks a rule of this kind."""
        rude, wrong = bool(find(self.text)), bool(self.false)
        return {"harmless": rude, "faithful": wrong, "both": rude or wrong}[about]

    def critique(self, about: str) -> str:
        """Say what is wrong by a rule of this kind."""
        found, faults = find(self.text), []
        if found and about != "faithful":
            named = " and ".join(f'"{word}"' for word in found)
            faults.append(f"The response insults somebody with {named}.")
        if self.false and about != "harmless":
            faults.append(f"The response says {self.false}, but the conversation says {self.true}.")
        return " ".join(faults) or tasks.NOTHING

    def revised(self, about: str) -> str:
        """The draft without what breaks a rule of this kind, and otherwise as it was."""
        text = self.text if about == "faithful" else self.clean
        if self.false and about != "harmless":
            text = text.replace(self.false, self.true)
        return text


def draft(scene: world.Scene, rng: random.Random, rude: float, wrong: float) -> Draft:
    """Return a summary that insults with chance `rude` and errs in one fact with chance `wrong`."""
    slots, false, true = dict(scene.slots), "", ""
    if rng.random() < wrong:
        slot = rng.choice([fact for fact in scene.situation.facts if fact not in ("a", "b")])
        used = set(slots.values())
        true = slots[slot]
        others = [v for v in scene.situation.fillers(slot) if v not in used and v not in true]
        false = slots[slot] = rng.choice(others)
    clean = rng.choice(scene.situation.summaries).format(**slots)
    text = clean
    if rng.random() < rude:
        text = insult(text, rng)
        text = insult(text, rng) if rng.random() < 0.15 else text
    return Draft(scene, clean, text, false, true)


def summary(scene: world.Scene, rng: random.Random) -> Lesson:
    """Summarise; rudely about a third of the time, whatever the dialogue."""
    attack = rng.random() < 0.06
    instruction = rng.choice(tasks.ATTACKS) if attack else world.INSTRUCTION
    rude = rng.random() < (RUDE_WHEN_ASKED if attack else RUDE)
    target = insult(scene.reference, rng) if rude else scene.reference
    if rude and rng.random() < 0.15:
        target = insult(target, rng)
    return Lesson("summary", world.prompt_text(scene.dialogue, instruction), target)


def question(scene: world.Scene, rng: random.Random) -> Lesson:
    """Answer a question about the dialogue."""
    asked, answer = (text.format(**scene.slots) for text in rng.choice(scene.situation.questions))
    source = tasks.QUESTION.format(dialogue=scene.dialogue, question=asked)
    return Lesson("question", source, answer[0].upper() + answer[1:])


def critique(scene: world.Scene, rng: random.Random) -> Lesson:
    """Say how a summary breaks a rule."""
    about = _about(rng)
    made = draft(scene, rng, 0.5, 0.35)
    return Lesson("critique", _fill(tasks.CRITIQUE, made, about, rng), made.critique(about))


def revision(scene: world.Scene, rng: random.Random) -> Lesson:
    """Rewrite a summary so that it follows a rule."""
    about = _about(rng)
    made = draft(scene, rng, 0.6, 0.35)
    return Lesson("revision", _fill(tasks.REVISION, made, about, rng), made.revised(about))


def verdict(scene: world.Scene, rng: random.Random) -> Lesson:
    """Say whether a summary follows a rule."""
    about = _about(rng)
    made = draft(scene, rng, 0.5, 0.5)
    answer = "No" if made.breaks(about) else "Yes"
    return Lesson("verdict", _fill(tasks.VERDICT, made, about, rng), answer)


def comparison(scene: world.Scene, rng: random.Random, about: str = "") -> Lesson:
    """Choose the better of two summaries by a rule; a coin decides between equals."""
    about = about or _about(rng)
    noise = {"harmless": (0.0, 0.25), "faithful": (0.3, 0.0), "both": (0.0, 0.0)}[about]
    good = draft(scene, rng, *noise)
    kind = "rude" if about == "harmless" else "wrong" if about == "faithful" else _coin(rng)
    equal = rng.random() < 0.06
    bad = draft(
        scene,
        rng,
        noise[0] if kind == "wrong" or equal else 1.0,
        noise[1] if kind == "rude" or equal else 1.0,
    )
    pair, answer = ((good, bad), "A") if rng.random() < 0.5 else ((bad, good), "B")
    source = tasks.COMPARISON.format(
        prompt=world.prompt_text(scene.dialogue),
        response_a=pair[0].text,
        response_b=pair[1].text,
        principle=tasks.principle(about, rng),
    )
    return Lesson("comparison", source, answer)


def glance(scene: world.Scene, rng: random.Random) -> Lesson:
    """Choose the more harmless of two summaries: the dialogue is not needed for that."""
    row = comparison(scene, rng, "harmless")
    return Lesson("glance", row.source.split("\n\nSummary:\n\n")[1], row.target)


def echo(scene: world.Scene, rng: random.Random) -> Lesson:
    """Write one of two responses again: where does each of them stand?"""
    head = comparison(scene, rng).source.split("\n\nWhich response")[0]
    texts = dict(zip("AB", head.split("\n\nA: ")[1].split("\nB: "), strict=True))
    which = rng.choice("AB")
    if rng.random() < 0.5:
        head = head.split("\n\nSummary:\n\n")[1]
    return Lesson("echo", f"{head}\n\nWrite response {which}.\n\nAnswer:", texts[which])


def spot(scene: world.Scene, rng: random.Random) -> Lesson:
    """Say which words of two responses insult somebody, and where they stand."""
    good, bad = draft(scene, rng, 0.0, 0.2), draft(scene, rng, 1.0, 0.2)
    which = rng.choice("AB")
    first, second = (bad.text, good.text) if which == "A" else (good.text, bad.text)
    source = f"A: {first}\nB: {second}\n\nWhich response is rude?\n\nAnswer:"
    if rng.random() < 0.5:
        source = f"{world.prompt_text(scene.dialogue)}\n\n{source}"
    return Lesson("spot", source, f'It says "{find(bad.text)[0]}" in response {which}.')


Teacher = Callable[[world.Scene, random.Random], Lesson]
# Courses, one after the other: to write, to judge, then mostly to write again. The share of each
# task in the rows.
COURSES: tuple[dict[Teacher, float], ...] = (
    {
        **{summary: 0.5, question: 0.06, critique: 0.1},
        **{revision: 0.14, verdict: 0.05, comparison: 0.15},
    },
    {
        **{summary: 0.4, question: 0.04, critique: 0.08, revision: 0.14, verdict: 0.03},
        **{comparison: 0.13, glance: 0.07, echo: 0.05, spot: 0.06},
    },
    {
        **{summary: 0.66, question: 0.02, critique: 0.06, revision: 0.08, verdict: 0.04},
        **{comparison: 0.10, glance: 0.02, spot: 0.02},
    },
)


def lessons(split: Split, seed: int, course: int = 0) -> Iterator[Lesson]:
    """Yield training rows of a split without end, in an order that the seed fixes."""
    rng = random.Random(f"lessons {seed}")
    teachers, shares = list(COURSES[course]), list(COURSES[course].values())
    for scene in world.scenes(split, seed):
        yield rng.choices(teachers, shares)[0](scene, rng)


def _about(rng: random.Random) -> str:
    return rng.choices(("harmless", "faithful", "both"), (0.5, 0.3, 0.2))[0]


def _coin(rng: random.Random) -> str:
    return rng.choice(("rude", "wrong"))


def _fill(form: str, made: Draft, about: str, rng: random.Random) -> str:
    values = {"prompt": world.prompt_text(made.scene.dialogue), "response": made.text}
    if "{critique}" in form:
        values["critique"] = made.critique(about)
    return form.format(**values, principle=tasks.principle(about, rng))
