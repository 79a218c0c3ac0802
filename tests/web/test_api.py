"""The API: who may do what, and that a rater's answer is stored as it was sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from office import Office, marks, opened, routes


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    yield from opened(tmp_path)


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
    work = ("/task", "/next", "/answers", "/draft", "/heartbeat", "/skip", "/report")
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


@pytest.mark.usefixtures("either_database")
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


@pytest.mark.usefixtures("either_database")
def test_the_same_key_again_is_the_same_answer_and_another_answer_is_refused(office: Office):
    task = office.next(office.ann)
    sent = {"key": "k1", "marks": marks(task, Red=1, Green=2, Blue=2)}
    first = office.ann.told("POST", office.at(task, "answers"), sent)
    again = office.ann.told("POST", office.at(task, "answers"), sent)
    assert again == {**first, "replayed": True}
    other = {"key": "k1", "marks": marks(task, Red=2, Green=1, Blue=2)}
    status, said = office.ann.refused("POST", office.at(task, "answers"), other)
    assert (status, said) == (409, "key 'k1' was already used for another answer; send a new key")


@pytest.mark.usefixtures("either_database")
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


@pytest.mark.usefixtures("either_database")
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
