"""A labelling site for tests: a store with one project and one labeler, and a server over it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn

from humanalign.prefer.defaults import Question
from humanalign.prefer.store import FeedbackStore
from humanalign.prefer.store.asking import Item
from humanalign.prefer.store.people import Account
from humanalign.prefer.store.projects import Project, ProjectSettings
from humanalign.types import Completion, Prompt, Sampler
from humanalign.web.app import create_app
from humanalign.web.guard import SESSION

QUIZ = (
    Question(
        "Which answer is best?", ("The longest", "The most helpful"), 1, "Length is no merit."
    ),
    Question("May answers tie?", ("Yes, sparingly", "Never"), 0, "Ties say that you cannot tell."),
    Question("What is F for?", ("Unusable answers", "Fine ones"), 0, "F stands outside the ranks."),
)
GUIDE = "# How to rank\n\nRead every answer to its end.\n\nGive 1 to the best."


@dataclass
class Site:
    """One project and a labeler who has passed its gate."""

    store: FeedbackStore
    project: Project
    items: list[str]
    labeler: Account
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> str:
        return f"/work/{self.project.id}"

    def token(self, who: Account | None = None) -> str:
        """A session of the labeler, or of somebody else."""
        account = who or self.labeler
        if account.rater_id not in self.tokens:
            self.tokens[account.rater_id] = self.store.people.open_session(account.rater_id)
        return self.tokens[account.rater_id]

    def cookies(self, who: Account | None = None) -> dict[str, str]:
        return {SESSION: self.token(who)}

    def hired(self, name: str, *, language: str = "en") -> Account:
        """Another labeler who may start at once."""
        account = self.store.people.create(name, "labeler", language=language)
        self.store.projects.join(self.project.id, account.rater_id)
        admit(self.store, self.project, account)
        return account


def admit(store: FeedbackStore, project: Project, account: Account) -> None:
    """Take somebody through the gate."""
    version = store.projects.instructions(project.id)
    store.projects.consent(project.id, account.rater_id)
    assert store.projects.record_quiz(project.id, account.rater_id, version.id, 1.0)


def make_site(
    folder: Path,
    kind: str = "ranking",
    texts: Sequence[Sequence[str]] = (("Red.", "Green.", "Blue."),),
    *,
    language: str = "en",
    prompts: Sequence[Prompt] | None = None,
    settings: ProjectSettings | None = None,
) -> Site:
    """A project with an item for each row of `texts`, as many answers as there are in it."""
    store = FeedbackStore(folder / "site.db")
    project = store.projects.create(
        "Colours",
        kind,
        "helpful",
        definition="It does what the prompt asks for.",
        settings=settings,
        instructions=GUIDE,
        quiz=QUIZ,
    )
    asked = prompts or [Prompt(f"Prompt number {n}") for n in range(1, len(texts) + 1)]
    made = [
        [Completion(prompt.id, text, Sampler(f"secret-{n}", seed=918273640 + n)) for n, text in row]
        for prompt, row in zip(asked, map(enumerate, texts), strict=True)
    ]
    items = [
        Item(prompt.id, tuple(each.id for each in row), "helpful", kind)
        for prompt, row in zip(asked, made, strict=True)
    ]
    rows = [each for row in made for each in row]
    ids = store.queue.add(project.id, asked, rows, items, overlap=3)
    labeler = store.people.create("ann", "labeler", language=language)
    site = Site(store, project, ids, labeler)
    store.projects.join(project.id, labeler.rater_id)
    admit(store, project, labeler)
    return site


@contextmanager
def served(store: FeedbackStore) -> Iterator[str]:
    """The app on a free port of this machine, in a thread; yields its address."""
    config = uvicorn.Config(create_app(store), port=0, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = server.force_exit = True
        thread.join(10)
