"""The API: who may do what, that what is sent is what is stored, and sentences for mistakes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from httpx2 import Response
from starlette.testclient import TestClient
from workplace import Site, make_site

from humanalign.prefer.store import FeedbackStore
from humanalign.web.app import create_app

WORDS = ("Red.", "Green.", "Blue.")
SURROGATE = b'{"name": "\\ud800", "key": "\\ud800", "text": "\\ud800", "reason": "\\ud800"}'
HOSTILE = {
    "nothing": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "deep": b"[" * 5_000 + b"]" * 5_000,
    "a number of 5,000 digits": b'{"overlap": ' + b"9" * 5_000 + b"}",
    "not a number": b'{"settings": {"pass_mark": NaN}, "hours": Infinity, "revision": 1e999}',
    "half a pair": SURROGATE,
    "a zero byte": SURROGATE.replace(b"\\ud800", b"\\u0000"),
    "half a pair for a name": b'{"\\ud800": 1}',
    "no UTF-8": b'{"name": "\xff\xfe"}',
}


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


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """The app, built once: each test puts a store of its own behind it."""
    return create_app(FeedbackStore(tmp_path_factory.mktemp("unused") / "unused.db"))


@pytest.fixture
def office(tmp_path: Path, served: FastAPI) -> Iterator[Office]:
    site = make_site(tmp_path, texts=[WORDS] * 10)
    yield Office(site, served)
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


def test_without_a_token_there_is_nothing_but_health(office: Office):
    strange = office.client()
    open_to_all = [r for r in routes(office) if strange.ask(*r).status_code != 401]
    assert open_to_all == [("GET", "/health")]


def test_a_labeler_sees_no_operation_of_the_owners(office: Office):
    own = ("/me", "/projects", "/criteria", "/health", "/next", "/task", "/answers", "/draft")
    own += ("/heartbeat", "/skip", "/instructions", office.home)
    seen = []
    for method, path in routes(office):
        mine = path.endswith(own) and (method == "GET" or "/items/" in path or "/next" in path)
        if not mine and office.ann.ask(method, path, {}).status_code not in (404, 422):
            seen.append((method, path))
    assert seen == []


def test_a_stranger_to_the_project_sees_nothing_of_it(office: Office):
    inside = [r for r in routes(office) if r[1].startswith(office.home)]
    found = [r for r in inside if office.stranger.ask(*r, {}).status_code not in (404, 422)]
    assert found == []
    assert office.stranger.told("GET", "/projects") == {"projects": []}


def test_a_reviewer_reads_everything_and_changes_nothing(office: Office):
    work = ("/task", "/next", "/answers", "/draft", "/heartbeat", "/skip")
    asked = [r for r in routes(office) if not r[1].endswith(work)]
    before = office.owner.told("GET", "/audit")
    reads = {r: office.reviewer.ask(*r).status_code for r in asked if r[0] == "GET"}
    writes = {r: office.reviewer.ask(*r, {}).status_code for r in asked if r[0] != "GET"}
    # There is no consensus yet, so nothing of it; tokens are the owner's alone.
    hidden = {("GET", "/tokens"), ("GET", f"{office.home}/pairs")}
    hidden |= {("GET", f"{office.home}/consensus/1")}
    assert {r for r, status in reads.items() if status != 200} == hidden
    assert set(writes.values()) <= {404, 422}
    assert office.owner.told("GET", "/audit") == before


def test_what_is_sent_is_what_the_store_holds(office: Office):
    task = office.next(office.ann)
    sent = {"key": "k1", "marks": marks(task, Red=2, Green=1, Blue="F"), "note": "hm"}
    said = office.ann.told("POST", office.at(task, "answers"), sent)
    assert (said["revision"], said["replayed"], said["extra"]) == (1, False, False)
    ranking = office.store.rankings()[0]
    words = {id_: c.text for id_, c in office.store.completions().items()}
    assert [[words[id_] for id_ in tier] for tier in ranking.tiers] == [["Green."], ["Red."]]
    assert [words[id_] for id_ in ranking.rejected] == ["Blue."]


def test_people_are_told_letters_and_texts_only(office: Office):
    other = office.next(office.program)
    note = {"key": "k", "marks": marks(other, Red=1, Green=2, Blue=3), "note": "secret note"}
    office.program.told("POST", office.at(other, "answers"), note)
    task = office.next(office.ann)
    assert task["item"] == other["item"]
    assert {card["completion"] for card in task["cards"]} == {None}
    assert "secret" not in json.dumps(task)
    ids = {c.id for c in office.store.completions().values()}
    assert not any(id_ in json.dumps(task) for id_ in ids)


def test_a_program_is_told_the_ids_of_completions(office: Office):
    task = office.next(office.program)
    texts = {id_: c.text for id_, c in office.store.completions().items()}
    assert all(texts[card["completion"]] == card["text"] for card in task["cards"])
    assert "secret" not in json.dumps(task)


def test_the_same_key_again_is_the_same_answer_and_another_answer_is_refused(office: Office):
    task = office.next(office.ann)
    sent = {"key": "k1", "marks": marks(task, Red=1, Green=2, Blue=2)}
    first = office.ann.told("POST", office.at(task, "answers"), sent)
    again = office.ann.told("POST", office.at(task, "answers"), sent)
    assert again == {**first, "replayed": True}
    other = {"key": "k1", "marks": marks(task, Red=2, Green=1, Blue=2)}
    status, said = office.ann.refused("POST", office.at(task, "answers"), other)
    assert (status, said) == (409, "key 'k1' was already used for another answer; send a new key")


def test_a_stale_answer_is_told_how_the_task_stands(office: Office):
    task = office.next(office.ann)
    held = marks(task, Red=1, Green=2, Blue=3)
    office.ann.told("POST", office.at(task, "answers"), {"key": "a", "marks": held})
    late = {"key": "b", "marks": marks(task, Red=3, Green=2, Blue=1)}
    response = office.ann.ask("POST", office.at(task, "answers"), late)
    assert response.status_code == 409
    assert response.json()["held"]["marks"] == held
    assert response.json()["held"]["revision"] == 1


def test_a_card_without_a_mark_is_named(office: Office):
    task = office.next(office.ann)
    sent = {"key": "k", "marks": {"A": 1, "C": 2}}
    status, said = office.ann.refused("POST", office.at(task, "answers"), sent)
    assert (status, said) == (422, "card B has no mark; give it a rank from 1 to 3, or F")


def test_the_next_task_comes_in_the_answer_where_it_is_asked_for(office: Office):
    task = office.next(office.ann)
    sent = {"key": "k", "marks": marks(task, Red=1, Green=2, Blue=3)}
    said = office.ann.told("POST", office.at(task, "answers"), sent, next=True)
    assert said["task"]["item"] != task["item"]
    assert said["task"] == office.next(office.ann) | {"lease_until": said["task"]["lease_until"]}


def test_a_draft_comes_back_with_its_task_and_is_no_answer(office: Office):
    task = office.next(office.ann)
    draft = {"marks": {"A": 2}, "note": "unsure", "revision": 0}
    office.ann.told("PUT", office.at(task, "draft"), draft)
    again = office.ann.told("GET", office.at(task, "task"))
    assert {name: again["draft"][name] for name in draft} == draft
    assert (again["marks"], again["revision"]) == ({}, 0)


def test_a_skipped_task_goes_to_others_only(office: Office):
    task = office.next(office.ann)
    office.ann.told("POST", office.at(task, "skip"), {"reason": "unclear"})
    assert office.next(office.ann)["item"] != task["item"]
    assert office.next(office.program)["item"] == task["item"]


def test_a_heartbeat_holds_the_task_longer(office: Office):
    task = office.next(office.ann)
    held = office.ann.told("POST", office.at(task, "heartbeat"))["lease_until"]
    assert held >= task["lease_until"]


def test_people_pass_the_gate_first_and_programs_need_not(office: Office):
    office.store.projects.join(office.site.project.id, office.stranger.told("GET", "/me")["rater"])
    assert office.stranger.refused("POST", f"{office.home}/next") == (
        403,
        "you have not agreed to take part yet; open the project in the browser first",
    )
    assert office.next(office.program)["item"]


def test_a_new_version_of_the_instructions_stamps_programs_and_stops_people(office: Office):
    made = office.owner.told("POST", f"{office.home}/instructions", {"text": "Rank by colour."})
    task = office.next(office.program)
    sent = {"key": "k", "marks": marks(task, Red=1, Green=2, Blue=3)}
    office.program.told("POST", office.at(task, "answers"), sent)
    assert office.store.rankings()[0].instructions == made["id"]
    assert office.ann.ask("POST", f"{office.home}/next").status_code == 403


@pytest.mark.parametrize("status", ["paused", "excluded"])
def test_a_member_who_is_stopped_gets_no_work_by_any_address(office: Office, status: str):
    task = office.next(office.program)
    other = office.owner.told("POST", "/projects", {"name": "Other"})["id"]
    standing = {"status": status, "reason": "too fast"}
    office.owner.told("PUT", f"/projects/{other}/members/rule-1", {})
    office.owner.told("PUT", f"{office.home}/members/rule-1", standing)
    sent = {"key": "k", "marks": {"A": 1, "B": 2, "C": 3}}
    assert office.program.ask("POST", office.at(task, "answers"), sent).status_code == 403
    around = f"/projects/{other}/items/{task['item']}/answers"
    assert office.program.ask("POST", around, sent).status_code == 404
    around = f"/projects/{other}/items/{task['item']}"
    for method, what, body in (
        ("GET", "task", None),
        ("PUT", "draft", {}),
        ("POST", "heartbeat", None),
        ("POST", "skip", {"reason": "other"}),
    ):
        assert office.program.ask(method, f"{around}/{what}", body).status_code == 404


def test_sending_items_again_changes_nothing(office: Office):
    item = {"prompt": "Name a fruit", "completions": [{"text": "Fig"}, {"text": "Oak"}]}
    first = office.owner.told("POST", f"{office.home}/items", {"items": [item]})
    again = office.owner.told("POST", f"{office.home}/items", {"items": [item, item]})
    assert again == first
    assert len(office.owner.told("GET", f"{office.home}/items")["items"]) == 11


def test_pages_of_items_join_to_the_whole_list(office: Office):
    pages, after = [], 0
    while after is not None:
        said = office.owner.told("GET", f"{office.home}/items", after=after, limit=4)
        pages.append([row["id"] for row in said["items"]])
        after = said["next"]
    assert [len(page) for page in pages] == [4, 4, 2]
    assert [item for page in pages for item in page] == office.site.items


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        ({"completions": [{"text": "a"}]}, "prompt: is required"),
        (
            {"prompt": "p", "completions": [{"text": "a"}]},
            "items.0.completions: expected 2 to 9 for a ranking, got 1",
        ),
        (
            {"prompt": "p", "completions": [{"text": "a"}] * 2},
            "items.0.completions: two are the same text by the same model and seed; send one",
        ),
        (
            {"prompt": "p", "completions": [{"text": "a"}, {"text": "b"}], "gold": [1]},
            "items.0.gold: expected 2 marks, got 1",
        ),
        (
            {"prompt": "p", "completions": [{"text": "a"}, {"text": "b", "seed": 2**63}]},
            "items.0.completions.1.seed: expected at most 9223372036854775807, "
            "got 9223372036854775808",
        ),
        (
            {"prompt": "p", "completions": [{"text": "a"}, {"text": "b", "name": "x"}]},
            "items.0.completions.1.name: is not a field of this request; leave it out",
        ),
    ],
)
def test_a_mistake_in_an_item_is_one_sentence(office: Office, item: dict, sentence: str):
    status, said = office.owner.refused("POST", f"{office.home}/items", {"items": [item]})
    assert status == 422
    assert said.endswith(sentence)


def test_a_mark_that_is_none_is_named_with_what_was_seen(office: Office):
    task = office.next(office.ann)
    sent = {"key": "k", "marks": {"A": "best", "B": 1, "C": 2}}
    assert office.ann.refused("POST", office.at(task, "answers"), sent) == (
        422,
        "marks.A: expected 1 to 9, F, up or down, got 'best'",
    )


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data"])
def test_a_hostile_body_is_refused_in_a_sentence(office: Office, kind: str):
    writes = [route for route in routes(office) if route[0] in ("POST", "PUT")]
    broken = []
    for name, body in HOSTILE.items():
        for method, path in writes:
            who = office.program if "/items/" in path else office.owner
            headers = {"Content-Type": kind}
            said = who.request(method, f"/api/v1{path}", content=body, headers=headers)
            if said.status_code not in (200, 201, 404, 422) or not said.json():
                broken.append((method, path, name, said.status_code))
    assert broken == []


def test_a_consensus_gives_all_pairs_of_what_the_labelers_agree_on(office: Office):
    for who in (office.ann, office.program):
        task = office.next(who)
        sent = {"key": str(id(who)), "marks": marks(task, Red=1, Green=2, Blue=3)}
        who.told("POST", office.at(task, "answers"), sent)
    made = office.owner.told("POST", f"{office.home}/consensus", {})
    rows = office.owner.told("GET", f"{office.home}/consensus/{made['number']}")["rows"]
    words = {id_: c.text for id_, c in office.store.completions().items()}
    assert {words[id_]: mark for id_, mark in rows[0]["marks"].items()} == {
        "Red.": 1,
        "Green.": 2,
        "Blue.": 3,
    }
    pairs = office.owner.told("GET", f"{office.home}/pairs")["pairs"]
    ordered = [("Red.", "Green."), ("Red.", "Blue."), ("Green.", "Blue.")]
    assert [(pair["chosen"], pair["rejected"]) for pair in pairs] == ordered
    given = office.owner.told("GET", f"{office.home}/judgements")["judgements"]
    assert [row["number"] for row in given] == [1, 2]
    assert office.owner.told("GET", f"{office.home}/statistics")["counted"] == 2


def test_an_export_is_the_file_that_the_page_gives(office: Office):
    task = office.next(office.program)
    sent = {"key": "k", "marks": marks(task, Red=1, Green=2, Blue="F")}
    office.program.told("POST", office.at(task, "answers"), sent)
    listed = [e["name"] for e in office.owner.told("GET", f"{office.home}/exports")["exports"]]
    assert "preference" in listed
    file = office.owner.ask("GET", f"{office.home}/exports/preference")
    rows = [json.loads(line) for line in file.text.splitlines()]
    assert [(row["chosen"], row["rejected"]) for row in rows] == [("Red.", "Green.")]


def test_a_revoked_token_opens_nothing(office: Office):
    made = office.owner.told("POST", "/raters", {"name": "model-7", "kind": "model"})
    model = office.client(token=made["token"])
    assert model.told("GET", "/me")["rater"] == "model-7"
    office.owner.told("DELETE", f"/tokens/{made['id']}")
    assert model.ask("GET", "/me").status_code == 401


def test_no_token_speaks_for_another_person(office: Office):
    body = {"name": "mine", "rater": office.site.labeler.rater_id}
    status, said = office.owner.refused("POST", "/tokens", body)
    assert (status, said.partition(";")[0][-11:]) == (422, "is a person")


def test_an_invite_opens_once_and_is_listed_without_its_token(office: Office):
    body = {"project": office.site.project.id}
    made = office.owner.told("POST", "/invites", body)
    assert office.store.people.invites.open(made["token"]) is not None
    listed = office.owner.ask("GET", "/invites").text
    assert made["token"] not in listed
    office.owner.told("DELETE", f"/invites/{json.loads(listed)['invites'][0]['hash']}")
    assert office.store.people.invites.open(made["token"]) is None


def test_what_the_owner_does_is_in_the_audit_log(office: Office):
    office.owner.told("PUT", f"{office.home}/status", {"status": "paused"})
    entry = office.owner.told("GET", "/audit", limit=1)["entries"][0]
    me = office.owner.told("GET", "/me")["rater"]
    said = (entry["actor"], entry["action"], entry["detail"])
    assert said == (me, "set project status", {"status": "paused"})


def test_the_page_of_the_api_names_every_operation_and_runs_no_foreign_script(office: Office):
    text = office.client().get("/api/v1/docs").text
    missing = [path for path in office.app.openapi()["paths"] if f"<code>{path}</code>" not in text]
    assert missing == []
    assert all(src.startswith("/static/") for src in re.findall(r'<script[^>]*src="([^"]*)"', text))
    assert re.findall(r"<script(?![^>]*src=)", text) == []
