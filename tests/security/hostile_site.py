"""A site on which every text field holds attacks, and the pages that show them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workplace import admit

from humanalign.prefer.defaults import Question
from humanalign.prefer.store import FeedbackStore
from humanalign.prefer.store.asking import Item
from humanalign.prefer.store.people import Account
from humanalign.prefer.store.projects import Project, ProjectSettings
from humanalign.prefer.store.queue import Submission, Task
from humanalign.types import Completion, Prompt, Sampler
from security.payloads import ALL, LONG, SHORT, joined, tagged

SIZES = {"ranking": 4, "pairwise": 2, "thumb": 1, "rating": 2}


@dataclass
class HostileSite:
    """The store, somebody of every sort, and the projects by kind."""

    store: FeedbackStore
    people: dict[str, Account]
    projects: dict[str, Project] = field(default_factory=dict)
    items: dict[str, list[str]] = field(default_factory=dict)

    def session(self, who: str) -> str:
        """A session of this person; "" is a stranger's."""
        return self.store.people.open_session(self.people[who].rater_id) if who else ""


def fill(folder: Path) -> HostileSite:
    """Every attack in every field, by the store; what forms send is sent by the tests."""
    store = FeedbackStore(folder / "site.db")
    made = HostileSite(store, _people(store))
    owner = made.people["owner"].rater_id
    for kind, size in SIZES.items():
        _project(made, kind, size)
    for text in SHORT:
        store.people.new_token(owner, text, owner)
        store.people.create(text, "labeler", about={"country": text, "gender": joined(500)})
        store.projects.create(f"p {text}"[:64], "ranking", text, definition=joined(2000))
    for text in ALL:
        project = made.projects["ranking"].id
        store.people.invites.new("labeler", by=owner, project_id=project, note=text[:500])
    _work(made)
    return made


def _people(store: FeedbackStore) -> dict[str, Account]:
    about = dict.fromkeys(("languages", "country", "gender", "expertise"), joined(500))
    create = store.people.create
    found = {
        "owner": create("own <img src=//evil.example/o>", "owner", password="a long password"),
        "reviewer": create("rev <svg/onload=window.broken=1>", "reviewer"),
        "arab": create("ar <script>window.broken=1</script>", "labeler", language="ar"),
    }
    for name in ("worker", "newcomer", "paused", "done", "second", "third"):
        shown = f"{name} <img src=x onerror=window.broken=1>"
        found[name] = create(shown, "labeler", about=about)
    return found


def _project(made: HostileSite, kind: str, size: int) -> None:
    store = made.store
    settings = ProjectSettings(
        overlap=3, warning=joined(2000), consent=joined(20_000), blur=kind == "rating"
    )
    project = store.projects.create(
        f"{kind} <img src=x onerror=window.broken=1>",
        kind,
        f"{kind} </script><script>window.broken=1</script>",
        definition=joined(2000),
        settings=settings,
        instructions=joined(100_000),
        quiz=[Question(joined(2000), SHORT[n : n + 8], 0, joined(2000)) for n in range(0, 24, 8)],
    )
    made.projects[kind] = project
    prompts, completions, items = [], [], []
    texts = tagged()
    for number, start in enumerate(range(0, len(texts), size)):
        prompt = _prompt(number)
        group = [*texts[start : start + size], *texts][:size]
        rows = [
            Completion(prompt.id, text, Sampler(ALL[n] + text, run=text))
            for n, text in enumerate(group)
        ]
        prompts.append(prompt)
        completions += rows
        items.append(Item(prompt.id, tuple(each.id for each in rows), project.criterion, kind))
    made.items[kind] = store.queue.add(project.id, prompts, completions, items, overlap=6)
    for name in ("worker", "newcomer", "paused", "done", "second", "third", "arab"):
        store.projects.join(project.id, made.people[name].rater_id)
        if name != "newcomer":
            admit(store, project, made.people[name])


def _prompt(number: int) -> Prompt:
    text = ALL[number % len(ALL)]
    turns = ((SHORT[number % 8], text), ("user", joined(3000)), ("system", LONG[number % 9]))
    return Prompt(f"{number} {text}", turns[: number % 4], reference=text, source=text)


def _work(made: HostileSite) -> None:
    """Three labelers answer every ranking, one skips a pair; then somebody is paused."""
    store, people, owner = made.store, made.people, made.people["owner"].rater_id
    ranking, pairwise = made.projects["ranking"], made.projects["pairwise"]
    for name in ("done", "second", "third"):
        for number, task in enumerate(_tasks(store, ranking, people[name])):
            marks = {card.letter: n for n, card in enumerate(task.cards, 1)}
            if number % 3 == 0:
                marks = {letter: len(marks) + 1 - mark for letter, mark in marks.items()}
            store.queue.submit(
                Submission(
                    item_id=task.item_id,
                    rater_id=people[name].rater_id,
                    marks=marks,
                    key=f"{name} {number} {ALL[number]}"[:128],
                    note=ALL[(number * 5) % len(ALL)][:4000],
                )
            )
    for name, text in zip(("done", "second"), ALL, strict=False):
        task = store.queue.next(pairwise.id, people[name].rater_id)
        assert task is not None
        store.queue.skip(task.item_id, people[name].rater_id, "other", text)
    for project in made.projects.values():
        paused = people["paused"].rater_id
        store.projects.set_standing(project.id, paused, "paused", joined(500), owner)
    store.projects.ask_again(pairwise.id, people["third"].rater_id, owner, joined(500))
    store.agreed.make(ranking.id, "borda", owner)


def _tasks(store: FeedbackStore, project: Project, who: Account) -> Iterator[Task]:
    while (task := store.queue.next(project.id, who.rater_id)) is not None:
        yield task


def pages(made: HostileSite) -> Sequence[tuple[str, str]]:
    """(who looks, path) of every page that a link can open."""
    ranking, pairwise = made.projects["ranking"].id, made.projects["pairwise"].id
    owner = f"/owner/{ranking}"
    invites = made.store.people.invites
    by = made.people["owner"].rater_id
    join = f"/join/{invites.new('labeler', by=by, project_id=ranking)}"
    item, rater = made.items["ranking"][0], made.people["done"].rater_id
    version = made.store.projects.instructions(ranking).id
    shown = made.store.items.latest(ranking, rater)[0].item_id
    inside = ("labelers", "statistics", "consensus", "exports", "settings", "instructions")
    hostile = "%22%3E%3Cscript%3Ewindow.broken=1%3C/script%3E"
    return [
        ("", f"/sign-in?next=/{hostile}"),
        ("", join),
        ("worker", join),
        ("", f"/enter/{invites.owner_link()}"),
        ("", f"/{hostile}"),
        ("worker", f"/work/{hostile}"),
        ("worker", "/work"),
        ("worker", "/me"),
        *(
            ("worker", f"/work/{each.id}?formatted={n}")
            for each in made.projects.values()
            for n in ("", "1")
        ),
        ("arab", f"/work/{ranking}"),
        ("newcomer", f"/work/{ranking}/gate"),
        ("third", f"/work/{pairwise}/gate"),
        ("third", f"/work/{pairwise}/gate?step=quiz"),
        ("paused", f"/work/{ranking}"),
        ("done", f"/work/{ranking}"),
        ("done", f"/work/{ranking}/back"),
        ("done", f"/work/{ranking}/items/{shown}?formatted=1"),
        ("worker", f"/work/{ranking}/instructions"),
        ("done", f"/work/{ranking}/items/{shown}/report"),
        ("owner", f"/work/{ranking}"),
        *(("owner", f"/owner{path}") for path in ("", "/new", "/people", "/tokens", "/audit")),
        *(("owner", f"{owner}{path}") for path in ("", "/import", "/invites", "/items")),
        *((who, f"{owner}/{path}") for path in inside for who in ("owner", "reviewer")),
        *(("owner", f"{owner}/items?show={show}") for show in ("skipped", hostile)),
        ("owner", f"/owner/{pairwise}/items?show=skipped"),
        *(("owner", f"{owner}/items/{each}") for each in made.items["ranking"]),
        ("owner", f"{owner}/items/{item}?done={hostile}"),
        ("owner", f"{owner}/labelers/{rater}"),
        ("owner", f"{owner}/labelers/{made.people['paused'].rater_id}"),
        ("owner", f"{owner}/instructions/{version}"),
        ("owner", f"{owner}/exports/rich?container={hostile}"),
        ("owner", "/api/v1/docs"),
    ]
