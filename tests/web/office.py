"""Everybody who may call the API, with a client each, over a site of ten items."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import cast

from fastapi import FastAPI
from httpx2 import Response
from starlette.testclient import TestClient
from workplace import Site, make_site

from humanalign.prefer.store import FeedbackStore
from humanalign.web.app import create_app

WORDS = ("Red.", "Green.", "Blue.")


class Api(TestClient):
    """A client of the API that speaks for one token."""

    def ask(self, method: str, path: str, body: object = None, **query: object) -> Response:
        asked = {name: str(value) for name, value in query.items()}
        return self.request(method, f"/api/v1{path}", json=body, params=asked)

    def told(self, method: str, path: str, body: object = None, **query: object) -> dict:
        response = self.ask(method, path, body, **query)
        assert response.status_code < 300, response.text
        return response.json()

    def refused(self, method: str, path: str, body: object = None) -> tuple[int, str]:
        response = self.ask(method, path, body)
        return response.status_code, response.json()["error"]


class Office:
    """A site with ten items, and clients for everybody who may want something."""

    def __init__(self, site: Site, app: FastAPI) -> None:
        self.site, self.store, self.app = site, site.store, app
        app.state.store, app.state.reckoner, app.state.criteria = site.store, None, {}
        self.home = f"/projects/{site.project.id}"
        create = site.store.people.create
        self.owner = self.client(create("owner", "owner").rater_id)
        self.reviewer = self.client(create("reviewer", "reviewer").rater_id)
        self.stranger = self.client(create("stranger", "labeler").rater_id)
        self.ann = self.client(site.labeler.rater_id)
        self.program = self.client(create("rule-1", "program", kind="rule").rater_id)
        site.store.projects.join(site.project.id, "rule-1")

    def client(self, rater_id: str = "", token: str = "ha_unknown") -> Api:
        if rater_id:
            token = self.store.people.new_token(rater_id, "test", rater_id)[1]
        headers = {"Authorization": f"Bearer {token}"}
        return Api(self.app, base_url="http://localhost", headers=headers, follow_redirects=False)

    def next(self, who: Api) -> dict:
        return who.told("POST", f"{self.home}/next")["task"]

    def at(self, task: dict, what: str) -> str:
        return f"{self.home}/items/{task['item']}/{what}"


@cache
def app() -> FastAPI:
    """The app, built once: each office puts a store of its own behind it."""
    return create_app(cast(FeedbackStore, None))


def opened(folder: Path) -> Iterator[Office]:
    """An office over a new store in `folder`, closed afterwards."""
    site = make_site(folder, texts=[WORDS] * 10)
    yield Office(site, app())
    site.store.close()


def marks(task: dict, **ranks: object) -> dict:
    """Marks by letter from marks by the first word of the text."""
    return {card["letter"]: ranks[card["text"].rstrip(".")] for card in task["cards"]}


def routes(office: Office) -> list[tuple[str, str]]:
    """Every operation with ids that exist."""
    ids = {"project": office.site.project.id, "item": office.site.items[0], "rater": "rule-1"}
    ids |= {"token": "0" * 16, "hash": "0" * 64, "name": "helpful", "number": "1"}
    filled = []
    for path, methods in office.app.openapi()["paths"].items():
        here = re.sub(r"{(\w+)}", lambda m: ids.get(m[1], "rich"), path.removeprefix("/api/v1"))
        filled += [(method.upper(), here) for method in methods]
    return filled
