"""Every route against everybody: who gets in is written in `access`, and nothing else is true."""

from __future__ import annotations

from pathlib import Path

import pytest
from httpx2 import Response

from security.access import CLASSES, table
from security.town import PEOPLE, PROGRAMS, Town, Visitor, build, routes

# What takes the visitor's way in away comes last.
LAST = ("/work/{project}/join", "/me/delete", "/enter/{token}", "/sign-out")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory):
    made = build(tmp_path_factory.mktemp("town"))
    yield made
    made.store.close()


def met(answer: Response) -> str:
    """The letter of `access` for an answer."""
    if answer.status_code in (303, 307):
        return "d" if answer.headers["location"].startswith("/sign-in") else "i"
    return {401: "d", 403: "r", 404: "n", 410: "n"}.get(answer.status_code, "i")


def concrete(town: Town, path: str) -> str:
    """The path with ids; a token in it is an invite, an owner's link or an API token's id."""
    ways = {"/join/{token}": "invited", "/enter/{token}": "owners"}
    if path in ways:
        return path.replace("{token}", town.ids[ways[path]])
    if path.startswith("/static/"):
        return "/static/x/style.css"
    if path == "/api/v1/invites/{hash}":
        return path.replace("{hash}", town.ids["spare"])
    return town.path(path)


def test_every_route_stands_in_the_table_and_nothing_else_does():
    assert sorted(table()) == sorted(routes())


@pytest.mark.parametrize("who", PEOPLE)
def test_people_get_in_exactly_where_the_table_says(who: str, town: Town, tmp_path: Path):
    mine = town.copy(tmp_path / "town")
    visitor, place = Visitor(mine, who), PEOPLE.index(who)
    wrong = {}
    for (method, path), name in sorted(table().items(), key=lambda each: _turn(each[0][1])):
        answer = visitor.knock(method, concrete(mine, path))
        expected = "i" if path == "/sign-out" else CLASSES[name][place]
        found = "i" if path == "/sign-out" and answer.status_code == 303 else met(answer)
        if answer.status_code >= 500 or found != expected:
            wrong[method, path] = (expected, found, answer.status_code)
    mine.store.close()
    assert wrong == {}


@pytest.mark.parametrize("who", PROGRAMS)
def test_tokens_open_the_api_alone(who: str, town: Town, tmp_path: Path):
    mine = town.copy(tmp_path / "town")
    visitor, place = Visitor(mine, who), len(PEOPLE) + PROGRAMS.index(who)
    wrong = {}
    for (method, path), name in table().items():
        answer = visitor.knock(method, concrete(mine, path))
        if name.startswith("api"):
            right = met(answer) == CLASSES[name][place]
        else:
            right = met(answer) != "i" or (name == "open" and method == "GET")
        if answer.status_code >= 500 or not right:
            wrong[method, path] = answer.status_code
    mine.store.close()
    assert wrong == {}


def _turn(path: str) -> int:
    return LAST.index(path) if path in LAST else -1


NESTED = [each for each in table() if "{project}" in each[1]]


@pytest.mark.parametrize("who", ["owner", "reviewer", "member", "stranger"])
def test_ids_of_another_project_are_unknown_in_mine(who: str, town: Town, tmp_path: Path):
    """My project's address with the other's item or version; and no project of this id."""
    mine = town.copy(tmp_path / "town")
    visitor, open_ = Visitor(mine, who), {}
    for method, path in NESTED:
        for name in ("item", "version"):
            if "{" + name + "}" in path:
                ids = {**mine.ids, name: mine.elsewhere[name]}
                if who == "stranger":
                    ids["project"] = mine.elsewhere["project"]
                    ids[name] = mine.ids[name]
                answer = visitor.knock(method, concrete(_with(mine, ids), path))
                if answer.status_code not in (404, 422) or _told(answer):
                    open_[method, path] = answer.status_code
        nowhere = concrete(_with(mine, {**mine.ids, "project": "f" * 16}), path)
        answer = visitor.knock(method, nowhere)
        if answer.status_code not in (404, 422):
            open_[method, path, "nowhere"] = answer.status_code
    mine.store.close()
    assert open_ == {}


def _with(town: Town, ids: dict[str, str]) -> Town:
    return Town(town.store, town.keys, ids, town.elsewhere)


def _told(answer: Response) -> bool:
    return any(word in answer.text for word in ("Round.", "Square.", "Red.", "another prompt"))
