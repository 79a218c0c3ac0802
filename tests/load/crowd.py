"""A project with many items and many labelers who have passed its gate, made in the store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from humanalign.prefer.defaults import Question
from humanalign.prefer.store import FeedbackStore
from humanalign.prefer.store.asking import Item
from humanalign.prefer.store.projects import Project
from humanalign.types import Completion, Prompt, Sampler

GUIDE = "Read every answer to its end, then give 1 to the best."
QUIZ = (Question("What is 1?", ("The best", "The worst"), 0, "1 is the first place."),)
WORDS = " A sentence that gives the page about the length of a real one." * 6


@dataclass(frozen=True)
class Crowd:
    """A store's URL, its project, and for each labeler (rater id) a cookie and an API token."""

    url: str
    project: Project
    sessions: dict[str, str]
    tokens: dict[str, str]
    items: list[str]

    @property
    def home(self) -> str:
        return f"/work/{self.project.id}"


def make_crowd(
    url: str | Path, *, items: int, labelers: int, overlap: int = 3, models: int = 4
) -> Crowd:
    """`items` rankings of an answer by each of the models; each text begins with its model's."""
    store = FeedbackStore(url)
    project = store.projects.create(
        "Load", "ranking", "helpful", instructions=GUIDE, quiz=QUIZ, by="load"
    )
    asked = [Prompt(f"Prompt {n}.{WORDS}") for n in range(items)]
    made = [
        [Completion(each.id, f"m{m} {n}.{WORDS}", Sampler(f"model-{m}")) for m in range(models)]
        for n, each in enumerate(asked)
    ]
    questions = [
        Item(each.id, tuple(one.id for one in row), "helpful")
        for each, row in zip(asked, made, strict=True)
    ]
    answers = [one for row in made for one in row]
    ids = store.queue.add(project.id, asked, answers, questions, overlap=overlap)
    hired = [hire(store, project, f"labeler {n}") for n in range(labelers)]
    sessions = {each: store.people.open_session(each) for each in hired}
    tokens = {each: store.people.new_token(each, "load", by="load")[1] for each in hired}
    store.close()
    return Crowd(str(url), project, sessions, tokens, ids)


def hire(store: FeedbackStore, project: Project, name: str) -> str:
    """A labeler who may start at once; returns the rater id."""
    rater_id = store.people.create(name, "labeler").rater_id
    version = store.projects.instructions(project.id)
    store.projects.join(project.id, rater_id)
    store.projects.consent(project.id, rater_id)
    assert store.projects.record_quiz(project.id, rater_id, version.id, 1.0)
    return rater_id
