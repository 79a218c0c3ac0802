"""Who gets in, what a foreign page can do, and what every answer of the server carries."""

from __future__ import annotations

import asyncio
import logging
import re

import pytest
from conftest import OWN, Browser, Open
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.requests import Request
from workplace import Site

from humanalign.errors import DataError
from humanalign.prefer.store.people import Account
from humanalign.web import assets, guard
from humanalign.web.app import create_app
from humanalign.web.shield import BODY_LIMIT, IMPORT_LIMIT, Shield

PUBLIC = {
    *("/health", "/sign-in", "/sign-out", "/join/{token}", "/enter/{token}"),
    *("/static/{edition}/{name:path}", "/api/v1/health", "/api/v1/docs", "/api/v1/openapi.json"),
}
# What everybody who is signed in has: their own account, the list of their own projects.
OWN_PAGES = {
    *("/", "/me", "/me/profile", "/me/password", "/me/data", "/work"),
    *("/api/v1/me", "/api/v1/projects", "/api/v1/criteria"),
}
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def app(site: Site) -> FastAPI:
    """The app with routes that only show who was let in."""
    made = create_app(site.store)

    def owner(viewer: guard.OwnerViewer) -> str:
        return viewer.name

    def staff(viewer: guard.Staff) -> str:
        return viewer.name

    def worker(seat: guard.Worker) -> str:
        return "member" if seat.member else "visitor"

    def program(account: guard.Bearer) -> str:
        return account.name

    def breaks() -> str:
        raise RuntimeError("secret detail")

    def refuses() -> str:
        raise DataError(f"row 3: {HOSTILE} is no rank")

    async def reads(request: Request) -> int:
        return len(await request.body())

    made.add_api_route("/probe/owner", owner, methods=["GET", "POST"])
    made.add_api_route("/probe/staff", staff, methods=["GET", "POST"])
    made.add_api_route("/probe/work/{project}", worker, methods=["GET", "POST"])
    made.add_api_route("/api/probe", program, methods=["GET", "POST"])
    made.add_api_route("/probe/breaks", breaks)
    made.add_api_route("/probe/refuses", refuses)
    made.add_api_route("/probe/reads", reads, methods=["POST"])
    return made


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/probe/owner", {"owner": 200, "reviewer": 404, "member": 404, "stranger": 404}),
        ("/probe/staff", {"owner": 200, "reviewer": 200, "member": 404, "stranger": 404}),
        ("/probe/work/{id}", {"owner": 200, "reviewer": 200, "member": 200, "stranger": 404}),
        ("/probe/work/nowhere", {"owner": 404, "reviewer": 404, "member": 404, "stranger": 404}),
    ],
)
def test_a_page_opens_for_those_it_is_for(
    path: str, allowed: dict, browser: Open, people: dict[str, Account], site: Site
):
    path = path.format(id=site.project.id)
    assert {who: browser(people[who]).get(path).status_code for who in allowed} == allowed


def test_a_reviewer_looks_and_changes_nothing(browser: Open, people: dict[str, Account]):
    reviewer, owner = browser(people["reviewer"]), browser(people["owner"])
    assert reviewer.fill("/probe/staff", form="/me").status_code == 404
    assert owner.fill("/probe/staff", form="/me").status_code == 200


def test_staff_in_a_project_are_visitors_until_they_join(browser: Open, people, site: Site):
    path = f"/probe/work/{site.project.id}"
    assert browser(people["owner"]).get(path).json() == "visitor"
    assert browser(people["member"]).get(path).json() == "member"


def knocked(site: Site, who: Account | None) -> dict[tuple[str, str], int]:
    """What every route answers this person: (method, path) -> status.

    Ids in the path are those of the site's project, item and labeler, so nothing is missing.
    """
    app = create_app(site.store)
    browser = Browser(app, base_url="http://localhost", follow_redirects=False)
    if who is not None:
        browser.enter(site.store.people.open_session(who.rater_id))
    known = {"project": site.project.id, "item": site.items[0], "rater": site.labeler.rater_id}
    headers = {**OWN, "X-CSRF-Token": browser.token("/nothing")}
    found = {}
    for route in iter_route_contexts(app.routes):
        path = re.sub(r"{(\w+)(:path)?}", lambda m: known.get(m[1], m[1]), route.path or "")
        for method in sorted(set(route.methods or ()) - {"HEAD"}):
            if path not in ("/sign-out", "/me/delete"):  # these end the visit
                answer = browser.request(method, path, headers=headers)
                found[method, route.path] = answer.status_code
    return found


def test_no_route_answers_a_stranger_but_the_doors(fresh: Site):
    found = knocked(fresh, None)
    assert len(found) > 90
    assert {key[1] for key, status in found.items() if status not in (303, 401, 404)} <= PUBLIC


def test_a_labeler_finds_nothing_of_other_projects_or_of_owners(fresh: Site):
    stranger = fresh.store.people.create("stranger", "labeler")
    found = knocked(fresh, stranger)
    assert {k: v for k, v in found.items() if v != 404 and k[1] not in PUBLIC | OWN_PAGES} == {}


def test_a_member_of_a_project_finds_nothing_of_its_owners(fresh: Site):
    found = knocked(fresh, fresh.labeler)
    assert {k: v for k, v in found.items() if k[1].startswith("/owner") and v != 404} == {}


def test_a_stranger_signs_in_and_comes_back_to_the_page(browser: Open):
    answer = browser().get("/probe/owner")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/probe/owner")


def test_a_script_of_somebody_signed_out_is_told_so_in_json(browser: Open):
    answer = browser().get("/probe/owner", headers={"Accept": "application/json"})
    assert answer.status_code == 401
    assert answer.json() == {"error": "You are signed out. Sign in again to go on."}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, 403),
        ({"Origin": "http://localhost"}, 200),
        ({"Origin": "http://localhost:8000"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({}, 403),
    ],
)
def test_an_unsafe_request_comes_from_a_page_of_this_site(
    headers: dict, status: int, browser: Open, people: dict[str, Account]
):
    opened = browser(people["owner"])
    sent = {"csrf": opened.token("/me")}
    assert opened.post("/probe/owner", data=sent, headers=headers).status_code == status


def test_a_form_without_its_token_is_refused(browser: Open, people: dict[str, Account]):
    owner = browser(people["owner"])
    foreign = browser(people["reviewer"]).token("/me")
    stale = browser(people["owner"]).token("/me")
    tokens = [{}, {"csrf": ""}, {"csrf": "é"}, {"csrf": foreign}, {"csrf": stale}]
    sent = [owner.post("/probe/owner", data=data, headers=OWN).status_code for data in tokens]
    assert sent == [403, 403, 403, 403, 403]


def test_a_script_sends_the_token_as_a_header(browser: Open, people: dict[str, Account]):
    owner = browser(people["owner"])
    headers = {**OWN, "X-CSRF-Token": owner.token("/me")}
    assert owner.post("/probe/owner", json={}, headers=headers).status_code == 200


def test_a_strangers_form_has_a_token_too(browser: Open):
    opened = browser()
    data = {"name": "nobody", "password": "x"}
    assert opened.post("/sign-in", data=data, headers=OWN).status_code == 403
    assert opened.fill("/sign-in", **data).status_code == 422


def test_a_programs_token_needs_neither_origin_nor_form_token(browser: Open, site: Site, people):
    _, token = site.store.people.new_token(people["owner"].rater_id, "ci", "test")
    headers = {"Authorization": f"Bearer {token}"}
    assert browser().post("/api/probe", headers=headers).json() == "owner"


def test_a_wrong_token_is_not_made_good_by_a_session(browser: Open, people: dict[str, Account]):
    headers = {"Authorization": "Bearer ha_wrong"}
    assert browser(people["owner"]).get("/api/probe", headers=headers).status_code == 401


def test_a_session_alone_changes_nothing_by_the_api(browser: Open, people: dict[str, Account]):
    owner = browser(people["owner"])
    assert owner.post("/api/probe", headers=OWN).status_code == 403
    assert owner.get("/api/probe").json() == "owner"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *(("localhost", 200), ("127.0.0.1:8000", 200), ("LOCALHOST:1", 200), ("", 400)),
        *(("evil.example", 400), ("localhost.evil.example", 400), ("[::1]:8000", 400)),
    ],
)
def test_only_known_host_names_are_answered(host: str, status: int, browser: Open):
    assert browser().get("/health", headers={"Host": host}).status_code == status


def test_a_proxy_may_take_over_the_check_of_host_names(site: Site):
    opened = Browser(create_app(site.store, hosts=("*",)), base_url="http://any.example")
    assert opened.get("/health").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        *("/health", "/sign-in", "/me", "/nothing", "/probe/breaks", "/probe/refuses"),
        *("/api/probe", assets.address("style.css")),
    ],
)
def test_every_answer_forbids_what_the_pages_do_not_need(path: str, browser: Open):
    headers = browser().get(path).headers
    policy = dict(part.strip().partition(" ")[::2] for part in headers.pop(POLICY).split(";"))
    assert policy == {
        "default-src": "'none'",
        **dict.fromkeys(("script-src", "style-src", "connect-src", "form-action"), "'self'"),
        "img-src": "'self' data:",
        **dict.fromkeys(("base-uri", "frame-ancestors"), "'none'"),
    }
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]


POLICY = "content-security-policy"


def test_an_answer_to_a_foreign_host_or_site_carries_the_headers_too(browser: Open):
    foreign = browser().get("/", headers={"Host": "evil.example"})
    cross = browser().post("/sign-in", headers={"Sec-Fetch-Site": "cross-site"})
    assert POLICY in foreign.headers
    assert POLICY in cross.headers


def test_pages_are_kept_nowhere(browser: Open, people: dict[str, Account]):
    assert browser(people["owner"]).get("/me").headers["cache-control"] == "no-store"


def test_a_static_file_is_kept_as_long_as_its_address_names_it(browser: Open):
    opened, address = browser(), assets.address("style.css")
    assert "immutable" in opened.get(address).headers["cache-control"]
    old = opened.get("/static/0123456789ab/style.css")
    assert (old.status_code, old.headers["cache-control"]) == (200, "no-cache")
    again = opened.get(address, headers={"If-None-Match": old.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("name", ["../app.py", "%2e%2e/app.py", "work", "nothing.css", ""])
def test_nothing_but_the_static_files_is_served(name: str, browser: Open):
    assert browser().get(f"/static/x/{name}").status_code == 404


def test_a_body_over_a_megabyte_is_refused(browser: Open):
    opened = browser()
    token = {"X-CSRF-Token": opened.token(), **OWN}
    fits, too_large = b"x" * BODY_LIMIT, b"x" * (BODY_LIMIT + 1)
    assert opened.post("/probe/reads", content=fits, headers=token).json() == BODY_LIMIT
    assert opened.post("/probe/reads", content=too_large, headers=token).status_code == 413


def test_a_body_that_does_not_say_its_size_is_read_up_to_the_limit(browser: Open):
    opened = browser()
    token = {"X-CSRF-Token": opened.token(), **OWN}
    pieces = (b"x" * 65536 for _ in range(40))
    assert opened.post("/probe/reads", content=pieces, headers=token).status_code == 413


@pytest.mark.parametrize(("path", "limit"), [("/a/import", IMPORT_LIMIT), ("/a", BODY_LIMIT)])
def test_reading_stops_at_the_limit_of_the_path(path: str, limit: int):
    read = _bytes_read(path)
    assert limit - 2**20 <= read <= limit


def _bytes_read(path: str) -> int:
    """How much an endless body gets through to an app behind the shield."""
    total = 0

    async def app(_scope, receive, _send):
        nonlocal total
        while True:
            total += len((await receive())["body"])

    async def endless():
        return {"type": "http.request", "body": b"x" * 2**18, "more_body": True}

    async def send(_message):
        pass

    headers = [(b"host", b"a"), (b"sec-fetch-site", b"none"), (b"accept", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "scheme": "http"}
    shield = Shield(app, hosts=("a",))
    asyncio.run(shield({**scope, "headers": headers, "server": ("a", 80)}, endless, send))
    return total


@pytest.mark.parametrize(
    ("given", "path"),
    [
        *(("/work/a?b=c", "/work/a?b=c"), ("/", "/"), ("", "/"), ("work", "/")),
        *(("//evil.example", "/"), ("/\\evil.example", "/"), ("https://evil.example", "/")),
        *(("/\t/evil.example", "/"), ("/\u2028/x", "/"), ("javascript:alert(1)", "/")),
        ("/a\r\nSet-Cookie: x=y", "/"),
    ],
)
def test_a_sign_in_leads_only_to_pages_of_this_site(given: str, path: str):
    assert guard.safe_path(given) == path


def test_an_unexpected_error_is_logged_and_tells_a_stranger_nothing(browser: Open, caplog):
    with caplog.at_level(logging.ERROR, "humanalign.web"):
        answer = browser().get("/probe/breaks")
    assert (answer.status_code, "secret detail" in answer.text) == (500, False)
    assert "secret detail" in caplog.text


def test_a_mistake_is_a_page_with_its_sentence_and_no_markup_of_strangers(browser: Open):
    answer = browser().get("/probe/refuses")
    assert answer.status_code == 422
    assert "row 3: &lt;script&gt;" in answer.text
    assert HOSTILE not in answer.text


def test_a_mistake_is_json_where_a_program_asks(browser: Open):
    answer = browser().get("/probe/refuses", headers={"Accept": "application/json"})
    assert answer.json() == {"error": f"row 3: {HOSTILE} is no rank"}


def test_a_request_looks_its_session_up_once(browser: Open, people, site: Site, monkeypatch):
    asked = []
    look = site.store.people.of_session
    monkeypatch.setattr(site.store.people, "of_session", lambda t: asked.append(t) or look(t))
    browser(people["member"]).get(f"/probe/work/{site.project.id}")
    assert len(asked) == 1


def flags(answer, name: str) -> set[str]:
    """What a cookie that was sent says of itself."""
    cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith(f"{name}="))
    return {part.strip().lower() for part in cookie.split(";")[1:]}


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(browser: Open, site: Site):
    site.store.people.create("carol", "labeler", password="four plain words")
    answer = browser().fill("/sign-in", name="carol", password="four plain words")
    assert {"httponly", "samesite=lax", "path=/"} <= flags(answer, guard.SESSION)


@pytest.mark.parametrize(("secure", "scheme"), [(False, "http"), (True, "http"), (False, "https")])
def test_cookies_of_a_site_behind_tls_never_travel_without(site: Site, secure: bool, scheme: str):
    opened = Browser(create_app(site.store, secure=secure), base_url=f"{scheme}://localhost")
    assert ("secure" in flags(opened.get("/sign-in"), guard.VISIT)) is (secure or scheme == "https")
