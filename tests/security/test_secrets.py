"""What an answer of the server may hold and must carry: no secrets, every header."""

from __future__ import annotations

import hashlib
import logging
import stat
from dataclasses import asdict
from pathlib import Path

import pytest
from fastapi import FastAPI
from httpx2 import Response

from humanalign.prefer.store import FeedbackStore
from humanalign.prefer.store.sessions import MOST_SESSIONS
from humanalign.web import assets
from security.access import table
from security.town import Town, Visitor, build

# What the two rooms that say how the API works speak of, of course.
MANUALS = ("/api/v1/openapi.json", "/api/v1/docs")
# What would end the visit.
ENDS = ("/sign-out", "/enter/{token}")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory):
    """With a known right answer for the member's item, and one asked after every second."""
    made = build(tmp_path_factory.mktemp("town"))
    store, owner = made.store, made.store.people.named("owner")
    assert owner is not None
    project = store.projects.get(made.ids["project"])
    ids = [each.id for each in store.items.item(project.id, made.ids["item"]).completions]
    store.queue.set_gold(made.ids["item"], dict(zip(ids, (1, 2, "F"), strict=True)), owner.rater_id)
    settings = type(project.settings)(**{**asdict(project.settings), "gold_every": 7})
    store.projects.configure(project.id, settings, owner.rater_id)
    yield made
    made.store.close()


def secrets_of(town: Town, who: str) -> dict[str, str]:
    """What this visitor must never be sent, by what it is."""
    found = {f"the key of {name}": key for name, key in town.keys.items() if name != who}
    store = town.store
    for item in store.items.page(town.ids["project"]):
        for each in store.items.item(town.ids["project"], item.id).completions:
            found[f"who wrote {each.text}"] = each.sampler.model
            found[f"the id of {each.text}"] = each.id
    mine = store.people.of_session(town.keys.get(who, "")) if who != "anonymous" else None
    for account in store.people.accounts():
        if mine is None or account.rater_id != mine.rater_id:
            found[f"the pseudonym of {account.name}"] = account.rater_id
    found |= {"a password": "$argon2", "a test item": '"gold_every":7', "gold": '"gold":'}
    digests = [hashlib.sha256(key.encode()).hexdigest() for key in town.keys.values()]
    found |= {f"a digest {n}": digest for n, digest in enumerate(digests)}
    found |= {"an invite": town.ids["hash"], "another": town.ids["spare"]}
    del found["the pseudonym of bot"]  # the short name of a program, in many words
    return found


@pytest.mark.parametrize("who", ["anonymous", "stranger", "member", "paused", "answerer"])
def test_nothing_a_labeler_can_get_holds_a_secret(who: str, town: Town, tmp_path: Path):
    mine = town.copy(tmp_path / "town")
    visitor, secrets, leaks = Visitor(mine, who), secrets_of(mine, who), set()
    paths = [(m, mine.path(p)) for m, p in table() if p not in (*MANUALS, *ENDS)]
    item = f"/work/{mine.ids['project']}/items/{mine.ids['item']}"
    paths += [("GET", f"{item}?formatted=1"), ("GET", f"/join/{mine.ids['invited']}")]
    for method, path in paths:
        answer = visitor.knock(method, path)
        # Who is not signed in is sent to the door, and from there to what was asked for.
        told = (answer.text + str(answer.headers)).replace(path, "")
        leaks |= {(path, name) for name, secret in secrets.items() if secret in told}
    form = {"mark.A": "1", "mark.B": "2", "mark.C": "3", "key": "k", "revision": "9"}
    visitor.fresh()
    answer = visitor.post(item, data=form, headers=visitor.own)
    leaks |= {("conflict", name) for name, secret in secrets.items() if secret in answer.text}
    mine.store.close()
    assert leaks == set()


def test_the_page_of_a_new_token_is_the_only_one_that_shows_it(town: Town, tmp_path: Path):
    mine = town.copy(tmp_path / "town")
    owner = Visitor(mine, "owner")
    made = owner.post("/owner/tokens", data={"name": "t", "whose": "me"}, headers=owner.own).text
    [secret] = {word for word in made.replace('"', " ").split() if word.startswith("ha_")}
    seen = [p for m, p in table() if m == "GET" and secret in owner.knock(m, mine.path(p)).text]
    mine.store.close()
    assert seen == []


EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def _answers(town: Town) -> dict[str, Response]:
    """An answer of every kind that there is."""
    owner, nobody, address = Visitor(town, "owner"), Visitor(town), assets.address("style.css")
    project = town.ids["project"]
    etag = nobody.get(address).headers["etag"]
    app = owner.app
    assert isinstance(app, FastAPI)
    app.add_api_route("/breaks/{way:path}", lambda: 1 // 0)
    kinds = {
        "page": owner.get("/me"),
        "redirect": nobody.get("/me"),
        "json": owner.get("/health"),
        "api": owner.get("/api/v1/me"),
        "not for strangers": nobody.get("/api/v1/me"),
        "static": nobody.get(address),
        "unchanged": nobody.get(address, headers={"If-None-Match": etag}),
        "download": owner.get(f"/owner/{project}/exports/rich"),
        "my data": owner.get("/me/data"),
        "consensus": owner.get(f"/owner/{project}/consensus/1.jsonl"),
        "missing": nobody.get("/nothing"),
        "gone": nobody.get("/join/nothing"),
        "method": nobody.get("/sign-out"),
        "forged": owner.post("/sign-out"),
        "large": owner.post("/me/profile", content=b"x" * (1 << 21), headers=owner.own),
        "wrong": owner.post("/owner/new", headers=owner.own),
        "host": owner.get("/me", headers={"Host": "evil.example"}),
        "options": owner.request("OPTIONS", "/me", headers={"Origin": "https://evil.example"}),
        "broken": owner.get("/breaks/x"),
    }
    return kinds


def test_every_kind_of_answer_carries_every_header(town: Town):
    for name, answer in _answers(town).items():
        headers = answer.headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy, name
        assert "unsafe" not in policy, name
        assert "frame-ancestors 'none'" in policy, name
        assert EVERYWHERE.items() <= dict(headers).items(), name
        assert not any(each.startswith("access-control") for each in headers), name
        kept = headers["cache-control"]
        assert kept == "no-store" or name in ("static", "unchanged"), name
        assert not {"server", "x-powered-by"} & set(headers), name


def test_files_come_as_files_under_plain_names(town: Town):
    owner, base = Visitor(town, "owner"), f"/owner/{town.ids['project']}"
    wanted = [f"{base}/exports/rich", f"{base}/consensus/1.jsonl", "/me/data"]
    wanted += [f"{base}/exports/rich?of={of}" for of in ("1", "raw")]
    for path in wanted:
        said = owner.get(path).headers["content-disposition"]
        assert said.startswith('attachment; filename="')
        assert all(
            c.isalnum() or c in "-." for c in said.removeprefix('attachment; filename="')[:-1]
        )


@pytest.mark.parametrize(
    "query",
    [
        *("of=%D9%A1", "of=1%0d%0aX: y", 'container=x".jsonl', "container=.jsonl%0d%0aX:%20y"),
        *("of=99999999999999999999", "split=%00", "container=%00", "ties=%0a", "of=-1"),
        *("container=.jsonl.gz.gz", "container=../../x.jsonl", "of=", "split=\u202e"),
    ],
)
def test_what_an_export_is_asked_for_never_ends_up_in_its_headers(query: str, town: Town):
    answer = Visitor(town, "owner").get(f"/owner/{town.ids['project']}/exports/rich?{query}")
    assert answer.status_code in (404, 422)
    assert "x" not in answer.headers


def test_a_failure_is_one_line_in_the_log_whatever_the_address_holds(town: Town, caplog):
    visitor = Visitor(town)
    assert isinstance(visitor.app, FastAPI)
    visitor.app.add_api_route("/breaks/{way}", lambda: 1 // 0)
    with caplog.at_level(logging.ERROR, "humanalign.web"):
        visitor.get("/breaks/x%0aERROR forged line%0d%1b[31m")
    [record] = [each for each in caplog.records if each.name == "humanalign.web"]
    assert "forged" in record.getMessage()
    assert record.getMessage().isprintable()


def test_a_new_store_is_a_file_that_only_its_owner_reads(tmp_path: Path):
    store = FeedbackStore(tmp_path / "new" / "s.db")
    store.people.create("ann", "labeler")
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "new").iterdir()}
    store.close()
    assert set(modes.values()) == {0o600}
    assert {"s.db", "s.db-wal"} <= set(modes)


def test_one_account_cannot_fill_the_store_with_sessions(tmp_path: Path):
    store = FeedbackStore(tmp_path / "s.db")
    ann = store.people.create("ann", "labeler").rater_id
    sessions = [store.people.open_session(ann) for _ in range(MOST_SESSIONS + 2)]
    open_ = [each for each in sessions if store.people.of_session(each)]
    store.close()
    assert len(open_) == MOST_SESSIONS
    assert sessions[-1] in open_


def test_nobody_takes_the_name_that_erasing_somebody_needs(tmp_path: Path):
    store = FeedbackStore(tmp_path / "s.db")
    ann = store.people.create("ann", "labeler").rater_id
    with pytest.raises(Exception, match="cannot begin with 'erased-'"):
        store.people.create(f"Erased-{ann}", "labeler")
    store.people.erase(ann, ann)
    assert store.people.account(ann).erased
    store.close()
