"""A site with somebody of every sort, the ids of everything on it, and requests as each of them."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from fastapi.routing import iter_route_contexts
from httpx2 import Response
from starlette.testclient import TestClient
from workplace import Site, admit, make_site

from humanalign.prefer.store import FeedbackStore
from humanalign.prefer.store.asking import Item
from humanalign.prefer.store.queue import Submission
from humanalign.types import Completion, Prompt, Sampler
from humanalign.web.app import create_app
from humanalign.web.guard import SESSION, VISIT

PASSWORD = "four unrelated plain words"
# Who knocks: people by a session, programs by a token.
PEOPLE = (
    *("anonymous", "expired", "stranger", "member", "paused", "excluded"),
    *("reviewer", "owner"),
)
PROGRAMS = ("program", "revoked")


@dataclass(frozen=True)
class Town:
    """The store, what each visitor proves themselves by, and the ids for the places in paths."""

    store: FeedbackStore
    keys: Mapping[str, str]
    ids: Mapping[str, str]
    elsewhere: Mapping[str, str]

    def copy(self, folder: Path) -> Town:
        """The same town in a database of its own."""
        folder.mkdir()
        with sqlite3.connect(self.store.url) as held, sqlite3.connect(folder / "s.db") as new:
            held.backup(new)
        return replace(self, store=FeedbackStore(folder / "s.db"))

    def path(self, route: str) -> str:
        """The route with the ids of what is there."""
        return re.sub(r"{(\w+)(:path)?}", lambda found: self.ids[found[1]], route)

    def dump(self) -> list[str]:
        """Everything in the database."""
        with sqlite3.connect(self.store.url) as file:
            return list(file.iterdump())


class Visitor(TestClient):
    """A client with the cookie or the token of one of the town's people."""

    def __init__(self, town: Town, who: str = "anonymous") -> None:
        app = create_app(town.store)
        super().__init__(app, base_url="http://localhost", follow_redirects=False)
        self.proof = town.keys.get(who, "")
        if who in PROGRAMS:
            self.headers["authorization"] = f"Bearer {self.proof}"
        self.fresh()

    def fresh(self) -> None:
        """Forget every cookie but the one that this visitor came with."""
        self.cookies.clear()
        if "authorization" not in self.headers:
            name = SESSION if self.proof else VISIT
            self.cookies.set(name, self.proof or "a visit", domain="localhost.local")

    @property
    def token(self) -> str:
        """What the forms of this browser carry."""
        return hashlib.sha256(f"form {self.proof or 'a visit'}".encode()).hexdigest()

    @property
    def own(self) -> dict[str, str]:
        """The headers of a request that a page of the site sends."""
        if "authorization" in self.headers:
            return {}
        return {"X-CSRF-Token": self.token, "Sec-Fetch-Site": "same-origin"}

    def knock(self, method: str, path: str) -> Response:
        """A request with nothing in it but what proves who sends it."""
        self.fresh()
        return self.request(method, path, headers={"Accept": "text/html", **self.own})


def routes() -> Iterator[tuple[str, str]]:
    """(method, path) of everything that the app answers."""
    store = object()
    for route in iter_route_contexts(create_app(store).routes):  # type: ignore[arg-type]
        for method in sorted(set(route.methods or ()) - {"HEAD"}):
            yield method, route.path or ""


def build(folder: Path) -> Town:
    """One project with answers and a consensus, another one beside it, and everybody."""
    site = make_site(folder, texts=(("Red.", "Green.", "Blue."), ("Left.", "Right.", "Up.")))
    store, project = site.store, site.project
    people = {"member": site.labeler}
    for name in ("paused", "excluded", "answerer"):
        people[name] = site.hired(name)
    other = make_site_beside(store)
    for name, role in (("stranger", "labeler"), ("reviewer", "reviewer"), ("owner", "owner")):
        people[name] = store.people.create(name, role, password=PASSWORD)
    store.projects.join(other["project"], people["stranger"].rater_id)
    admit(store, store.projects.get(other["project"]), people["stranger"])
    program = store.people.create("bot", "program", kind="model")
    store.projects.join(project.id, program.rater_id)
    owner = people["owner"].rater_id
    store.queue.raise_overlap(site.items, 9, owner)
    _answered(site, people["answerer"].rater_id, owner)
    for who in (*(people[name].rater_id for name in ("member", "paused", "excluded")), "bot"):
        store.queue.next(project.id, who)
    for name in ("paused", "excluded"):
        store.projects.set_standing(project.id, people[name].rater_id, name, "why not", owner)
    keys = {name: store.people.open_session(each.rater_id) for name, each in people.items()}
    keys["expired"] = store.people.open_session(owner, days=-1)
    token_id, keys["program"] = store.people.new_token(program.rater_id, "bot", owner)
    revoked, keys["revoked"] = store.people.new_token(owner, "old", owner)
    store.people.revoke_token(revoked, owner)
    invites = store.people.invites
    join = invites.new("labeler", by=owner, project_id=project.id)
    spare = store.people.create("spare", "labeler")
    store.projects.join(project.id, spare.rater_id)
    ids = {
        **{"project": project.id, "item": site.items[0], "rater": spare.rater_id, "number": "1"},
        **{"hash": hashlib.sha256(join.encode()).hexdigest(), "name": "rich", "format": "rich"},
        **{"version": store.projects.instructions(project.id).id, "edition": "x"},
    }
    spare_way = invites.new("labeler", by=owner, project_id=project.id)
    ids["spare"] = hashlib.sha256(spare_way.encode()).hexdigest()
    ids["invited"] = invites.new("labeler", by=owner, project_id=project.id)
    ids |= {"owners": invites.owner_link(), "token": token_id}
    return Town(store, keys, ids, other)


def _answered(site: Site, rater_id: str, owner: str) -> None:
    store = site.store
    while (task := store.queue.next(site.project.id, rater_id)) is not None:
        marks = {card.letter: n for n, card in enumerate(task.cards, 1)}
        store.queue.submit(Submission(task.item_id, rater_id, marks, f"key {task.item_id}"))
    store.agreed.make(site.project.id, "borda", owner)


def make_site_beside(store: FeedbackStore) -> dict[str, str]:
    """A second project with an item and a version of its own; its ids."""
    made = store.projects.create("Shapes", "ranking", "honest", instructions="# Other\n\nWords.")
    prompt = Prompt("another prompt")
    rows = [Completion(prompt.id, text, Sampler("secret-7")) for text in ("Round.", "Square.")]
    asked = Item(prompt.id, tuple(each.id for each in rows), "honest", "ranking")
    [item] = store.queue.add(made.id, [prompt], rows, [asked], overlap=3)
    version = store.projects.instructions(made.id).id
    return {"project": made.id, "item": item, "version": version}
