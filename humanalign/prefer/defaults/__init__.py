"""The instructions and quizzes that come with humanalign, by criterion and kind of task.

The text is Markdown made of a criterion's part (`helpful.md`, ..., `other.md`) around the part on
giving marks of this kind (`ranking.md`, ...). The quiz asks about the criterion, then the marks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

HERE = Path(__file__).parent
OTHER = "other"


@dataclass(frozen=True)
class Question:
    """One quiz question; `answer` counts the options from 0, `why` is said after a wrong one."""

    text: str
    options: tuple[str, ...]
    answer: int
    why: str


def default_definition(criterion: str) -> str:
    """What a criterion means in one or two sentences; "" where only the owner can say."""
    return _quizzes()["definitions"].get(criterion, "")


def default_instructions(
    criterion: str, kind: str, *, definition: str = "", scale: int = 3
) -> tuple[str, tuple[Question, ...]]:
    """The text and the quiz of a criterion and a kind of task (ranking, pairwise, thumb, rating).

    `definition` is the owner's, "" for the one that comes with the criterion; a rating goes from 1
    to `scale`.
    """
    known = criterion if criterion in _quizzes()["criteria"] else OTHER
    place = Environment(
        loader=FileSystemLoader(HERE),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown; the pages sanitise what it becomes
    )
    words = {
        "criterion": criterion,
        "definition": (definition or default_definition(criterion)).strip(),
        "kind": kind,
        "scale": scale,
    }
    text = place.get_template(f"{known}.md").render(words)
    asked = [*_quizzes()["criteria"][known], *_quizzes()["kinds"][kind]]
    return text.strip() + "\n", tuple(_question(each, place, words) for each in asked)


def _question(entry: dict, place: Environment, words: dict) -> Question:
    text, why, *options = (
        place.from_string(each).render(words)
        for each in (entry["text"], entry["why"], *entry["options"])
    )
    return Question(text.strip(), tuple(options), entry["answer"], why.strip())


@cache
def _quizzes() -> dict:
    return yaml.safe_load((HERE / "quiz.yaml").read_text(encoding="utf-8"))
