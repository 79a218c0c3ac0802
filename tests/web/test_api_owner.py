"""The owner's side of the API: items, consensus, files, people; and mistakes in one sentence."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from office import Office, marks, opened, routes
from sqlalchemy import Engine, event

from humanalign.web.api.frame import Said

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


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    yield from opened(tmp_path)


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


@pytest.mark.usefixtures("either_database")
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


@pytest.mark.usefixtures("either_database")
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


@pytest.fixture
def agreed(office: Office) -> Office:
    """Ann has answered all ten items, and there is a version."""
    while (task := office.next(office.ann)) is not None:
        sent = {"key": task["item"], "marks": marks(task, Red=1, Green=2, Blue=3)}
        office.ann.told("POST", office.at(task, "answers"), sent)
    office.owner.told("POST", f"{office.home}/consensus", {})
    return office


def test_a_page_of_pairs_takes_as_many_queries_for_ten_items_as_for_one(agreed: Office):
    def queries(limit: int) -> int:
        asked: list[str] = []
        event.listen(Engine, "before_cursor_execute", note := lambda *a: asked.append(a[2]))
        try:
            agreed.owner.told("GET", f"{agreed.home}/pairs", limit=limit)
        finally:
            event.remove(Engine, "before_cursor_execute", note)
        return len(asked)

    assert queries(10) == queries(1)


def test_pairs_come_by_split_and_no_prompt_is_in_two(agreed: Office):
    whole = agreed.owner.told("GET", f"{agreed.home}/pairs")["pairs"]
    parts = {
        split: {pair["prompt"] for pair in told["pairs"]}
        for split in ("train", "validation", "test")
        for told in [agreed.owner.told("GET", f"{agreed.home}/pairs", split=split)]
    }
    assert sum(map(len, parts.values())) == len({pair["prompt"] for pair in whole}) == 10
    assert set.union(*parts.values()) == {pair["prompt"] for pair in whole}
    assert parts["train"]
    assert parts["test"]


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


def test_half_a_surrogate_pair_in_an_answer_breaks_nothing():
    assert Said({"error": "what is \ud800"}).body == b'{"error":"what is ?"}'
