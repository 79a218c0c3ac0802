"""A labelling site in one process: a store, a project, four people, browsers without windows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from httpx2 import Response
from plain_browser import Labeler
from starlette.testclient import TestClient
from workplace import Site, make_site

from humanalign.prefer.store.people import Account
from humanalign.web.app import create_app
from humanalign.web.guard import SESSION

# What a browser adds to a request that a page of the same site sends.
OWN = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}


class Browser(TestClient):
    """A browser on the site: it keeps cookies, follows nothing, and fills in forms as people do."""

    def token(self, path: str = "/sign-in") -> str:
        """The token that the forms of a page carry."""
        return re.findall(r'name="csrf" content="(\w*)"', self.get(path).text)[0]

    def enter(self, session: str) -> Browser:
        """Be signed in; the domain is what cookies of "localhost" are kept under."""
        self.cookies.set(SESSION, session, domain="localhost.local")
        return self

    def fill(self, path: str, *, form: str = "", **fields: str) -> Response:
        """Send the form that stands on the page `form` (or on `path`) to `path`."""
        return self.post(path, data={"csrf": self.token(form or path), **fields}, headers=OWN)


Open = Callable[..., Browser]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One store for the tests of a file: a project with an item, and Ann who may work on it."""
    made = make_site(tmp_path_factory.mktemp("site"))
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def people(site: Site) -> dict[str, Account]:
    """Somebody of every kind; "stranger" is a labeler of no project."""
    create = site.store.people.create
    others = {"owner": "owner", "reviewer": "reviewer", "stranger": "labeler"}
    made = {name: create(name, role) for name, role in others.items()}
    return {"member": site.labeler, **made}


@pytest.fixture(scope="module")
def app(site: Site):
    return create_app(site.store)


@pytest.fixture
def browser(app, site: Site) -> Open:
    """Opens a browser: `browser(account)` is signed in, `browser()` is a stranger's."""

    def opened(account: Account | None = None) -> Browser:
        made = Browser(app, base_url="http://localhost", follow_redirects=False)
        return made.enter(site.store.people.open_session(account.rater_id)) if account else made

    return opened


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Site]:
    """A store of its own for a test that changes what others would see."""
    made = make_site(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Callable[..., tuple[Site, Labeler]]]:
    """Makes a site and a labeler on it: `place(texts=..., kind=...)`."""
    made: list[Site] = []

    def make(**how) -> tuple[Site, Labeler]:
        made.append(make_site(tmp_path, **how))
        return made[-1], Labeler(made[-1])

    yield make
    for site in made:
        site.store.close()


@pytest.fixture
def boss(fresh: Site) -> Browser:
    """The owner of a store that the test changes."""
    account = fresh.store.people.create("Olga", "owner")
    made = Browser(create_app(fresh.store), base_url="http://localhost", follow_redirects=False)
    return made.enter(fresh.store.people.open_session(account.rater_id))
