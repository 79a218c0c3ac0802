"""Requests that another site, another session or nobody forged: refused, and nothing is changed."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest
from httpx2 import Response

from humanalign.web import guard
from humanalign.web.guard import LANGUAGE, SESSION, THEME, VISIT
from security.access import table
from security.town import PASSWORD, Town, Visitor, build

UNSAFE = [(method, path) for method, path in table() if method != "GET"]
BROWSER = {"Accept": "text/html"}
OURS = "http://localhost"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory):
    made = build(tmp_path_factory.mktemp("town"))
    yield made
    made.store.close()


def forgeries(town: Town, visitor: Visitor) -> dict[str, dict[str, str]]:
    """Headers of requests that no page of this session sent."""
    other = Visitor(town, "member" if visitor.proof != town.keys["member"] else "owner")
    right, token = {"Sec-Fetch-Site": "same-origin"}, {"X-CSRF-Token": visitor.token}
    return {
        "no token": right,
        "an empty token": {**right, "X-CSRF-Token": ""},
        "a wrong token": {**right, "X-CSRF-Token": "0" * 64},
        "another session's token": {**right, "X-CSRF-Token": other.token},
        "another site": {**token, "Sec-Fetch-Site": "cross-site", "Origin": OURS},
        "a neighbour of the site": {**token, "Sec-Fetch-Site": "same-site", "Origin": OURS},
        "a foreign origin": {**token, "Origin": "https://evil.example"},
        "an origin on another port": {**token, "Origin": f"{OURS}:8081"},
        "an origin that hides": {**token, "Origin": "null"},
        "an origin that begins alike": {**token, "Origin": f"{OURS}.evil.example"},
        "neither origin nor site": token,
        "no header at all": {},
        "a bearer that is none": {"Authorization": "Bearer junk", "Sec-Fetch-Site": "cross-site"},
    }


@pytest.mark.parametrize("who", ["owner", "member"])
def test_no_forged_request_is_taken_and_nothing_is_written(who: str, town: Town, tmp_path: Path):
    mine = town.copy(tmp_path / "town")
    visitor, before, taken = Visitor(mine, who), mine.dump(), {}
    for method, route in UNSAFE:
        path = mine.path(route)
        for name, headers in forgeries(mine, visitor).items():
            visitor.fresh()
            answer = visitor.request(method, path, headers={**BROWSER, **headers})
            # A token that is none says who is asking: nobody. The API says so by 401.
            refused = answer.status_code in (403, 401 if name.startswith("a bearer") else 403)
            if not refused and not (answer.status_code == 404 and path.endswith("/import")):
                taken[method, route, name] = answer.status_code
    after = mine.dump()
    mine.store.close()
    assert taken == {}
    assert after == before


def test_a_page_that_is_looked_at_writes_nothing(town: Town, tmp_path: Path):
    """Whatever a link or a picture of another site opens by GET, it changes nothing."""
    mine = town.copy(tmp_path / "town")
    for who in ("owner", "answerer"):
        visitor = Visitor(mine, who)
        before = mine.dump()
        for method, route in table():
            if method == "GET" and route not in ("/work/{project}", "/enter/{token}"):
                visitor.knock(method, mine.path(route))
        assert mine.dump() == before
    mine.store.close()


def signed_in(visitor: Visitor, **fields: str) -> Response:
    form = {"name": "owner", "password": PASSWORD, "csrf": visitor.token, **fields}
    return visitor.post("/sign-in", data=form, headers={"Sec-Fetch-Site": "same-origin"})


def test_signing_in_gives_a_new_session_and_ends_the_one_that_was_brought(town: Town):
    people = town.store.people
    planted = people.open_session(people.named("stranger").rater_id)  # type: ignore[union-attr]
    visitor = Visitor(town)
    visitor.proof = planted
    visitor.fresh()
    answer = signed_in(visitor)
    assert answer.cookies[SESSION] != planted
    assert people.of_session(planted) is None


def test_a_session_that_somebody_made_up_is_never_taken_over(town: Town):
    visitor = Visitor(town)
    visitor.proof = "chosen-by-an-attacker"
    visitor.fresh()
    answer = signed_in(visitor)
    assert answer.cookies[SESSION] != "chosen-by-an-attacker"
    assert town.store.people.of_session("chosen-by-an-attacker") is None


@pytest.mark.parametrize("secure", [True, False])
def test_cookies_are_out_of_reach_of_scripts_and_other_sites(town: Town, secure: bool):
    visitor = Visitor(town)
    visitor.app.state.secure = secure  # type: ignore[attr-defined]
    visitor.cookies.clear()
    page = visitor.get("/sign-in?lang=ar")
    visitor.fresh()
    sent = [
        *page.headers.get_list("set-cookie"),
        *signed_in(visitor).headers.get_list("set-cookie"),
    ]
    found = {line.partition("=")[0]: set(map(str.strip, line.lower().split(";"))) for line in sent}
    for name in (SESSION, VISIT, LANGUAGE):
        assert {"httponly", "samesite=lax", "path=/"} <= found[name]
        assert ("secure" in found[name]) is secure
        assert not any(part.startswith("domain") for part in found[name])


def test_the_theme_is_the_only_cookie_that_scripts_read(town: Town):
    visitor = Visitor(town, "stranger")
    answer = visitor.post("/me/profile", data={"theme": "dark"}, headers=visitor.own)
    assert answer.headers["set-cookie"].startswith(f"{THEME}=dark")
    assert "samesite=lax" in answer.headers["set-cookie"].lower()


def test_signing_out_ends_the_session_in_the_server(town: Town):
    people = town.store.people
    visitor = Visitor(town)
    visitor.proof = people.open_session(people.named("reviewer").rater_id)  # type: ignore[union-attr]
    visitor.fresh()
    assert visitor.get("/owner").status_code == 200
    visitor.post("/sign-out", headers=visitor.own)
    visitor.fresh()
    assert visitor.get("/owner").status_code == 303


def test_a_new_password_ends_every_other_session(town: Town):
    people = town.store.people
    account = people.create("changer", "labeler", password=PASSWORD)
    here, there = (people.open_session(account.rater_id) for _ in range(2))
    visitor = Visitor(town)
    visitor.proof = here
    visitor.fresh()
    form = {"current": PASSWORD, "new": "another long password"}
    assert visitor.post("/me/password", data=form, headers=visitor.own).status_code == 303
    assert people.of_session(here) is not None
    assert people.of_session(there) is None


def race(town: Town, path: str, **fields: str) -> list[int]:
    """The answers to eight who use a link at the same moment."""
    found: list[int] = []
    gate = threading.Barrier(8)

    def use(number: int) -> None:
        visitor = Visitor(town)
        form = {name: text.format(number) for name, text in fields.items()}
        gate.wait()
        answer = visitor.post(path, data=form, headers=visitor.own)
        found.append(answer.status_code)

    threads = [threading.Thread(target=use, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(found)


def test_an_owners_link_that_is_raced_lets_one_in(town: Town, tmp_path: Path):
    mine = town.copy(tmp_path / "town")
    found = race(mine, f"/enter/{mine.ids['owners']}")
    mine.store.close()
    assert found == [303, *[410] * 7]


def test_an_invite_that_is_raced_makes_one_account(town: Town, tmp_path: Path):
    mine = town.copy(tmp_path / "town")
    before = len(mine.store.people.accounts())
    found = race(mine, f"/join/{mine.ids['invited']}", name="racer {}", password=PASSWORD)
    after = len(mine.store.people.accounts())
    mine.store.close()
    assert (after - before, found.count(303)) == (1, 1)


def test_guessing_a_password_is_slowed_down_for_the_name_and_for_the_source(town: Town, tmp_path):
    mine = town.copy(tmp_path / "town")
    visitor = Visitor(mine)
    name = [signed_in(visitor, password=f"guess {n}").status_code for n in range(7)]
    right = signed_in(visitor)
    many = [signed_in(visitor, name=f"n{n}", password="guess").status_code for n in range(30)]
    mine.store.close()
    assert (name[0], name[-1], right.status_code) == (422, 429, 429)
    assert int(right.headers["retry-after"]) > 0
    assert many[-1] == 429


@pytest.mark.parametrize(
    "where",
    [
        *("//evil.example", "/\\evil.example", "https://evil.example", "http:evil.example"),
        *("///evil.example", "\\\\evil.example", "/\t/evil.example", "/\n//evil.example"),
        *("javascript:alert(1)", "data:text/html,x", "evil.example", " //evil.example", "\x00//e"),
        *("/%0d%0aSet-Cookie:x=y", "/\r\nSet-Cookie: x=y", "/\u2028//evil.example", "////e"),
    ],
)
def test_signing_in_leads_nowhere_else(where: str, town: Town):
    visitor = Visitor(town, "owner")
    answers = [visitor.get("/sign-in", params={"next": where})]
    visitor = Visitor(town)
    answers.append(signed_in(visitor, next=where))
    for answer in answers:
        assert re.match(r"/(?![/\\])", answer.headers["location"])
        assert "x" not in answer.cookies


@pytest.mark.parametrize(
    "host",
    [
        *(
            "evil.example",
            "localhost.evil.example",
            "localhost@evil.example",
            "",
            "localhost:80:80",
        ),
        *("localhost/../x", "localhost:80/api/v1", "localhost:port", "127.0.0.1#x", "[::1", "::1"),
        *("localhost?x", "local host", "localhost%00", "[localhost]", "localhost\\evil"),
    ],
)
def test_a_request_by_another_name_is_not_answered(host: str, town: Town):
    visitor = Visitor(town, "owner")
    assert visitor.get("/owner", headers={"Host": host}).status_code == 400
    headers = {**visitor.own, "Host": host}
    assert visitor.post("/sign-out", headers=headers).status_code == 400


def test_a_token_excuses_no_page_from_its_own_token(town: Town):
    """A bearer's header is for the API: on a page the cookie counts, and so does its token."""
    visitor = Visitor(town, "owner")
    headers = {"Authorization": f"Bearer {town.keys['program']}", "Sec-Fetch-Site": "same-origin"}
    assert visitor.post("/owner/tokens", headers=headers).status_code == 403
    assert guard.SESSION in visitor.cookies
