"""Answers from a page that was open when the instructions were to be passed again."""

from __future__ import annotations

import json

from plain_browser import rows
from workplace import GUIDE, QUIZ, admit

MARKS = {"mark.A": "1", "mark.B": "2"}


def stored(site) -> list[tuple]:
    return rows(site, "select instructions from answer order by id")


def ask_again(site) -> None:
    site.store.projects.ask_again(site.project.id, site.labeler.rater_id, "owner", "misread")


def test_a_first_answer_of_who_is_asked_again_waits_as_a_draft_behind_the_gate(place):
    site, labeler = place(texts=[("a", "b")])
    action, fields = labeler.form(labeler.get())
    ask_again(site)
    sent = labeler.send(action, fields | MARKS | {"note": "close"})
    assert sent.headers["location"] == f"{site.home}/gate?kept=1"
    assert "is not stored yet" in labeler.get(sent.headers["location"]).text
    assert stored(site) == []
    admit(site.store, site.project, site.labeler)
    _, back = labeler.form(labeler.get())
    assert (back["mark.A"], back["mark.B"], back["note"]) == ("1", "2", "close")


def test_an_answer_under_no_version_is_never_stored_while_the_gate_is_shut(place):
    site, labeler = place(texts=[("a", "b"), ("c", "d")])
    labeler.answer(A="1", B="2")
    version = site.store.projects.instructions(site.project.id).id
    action, fields = labeler.form(labeler.get())
    ask_again(site)
    for named in ("", "0" * 16):
        assert labeler.send(action, fields | MARKS | {"instructions": named}).status_code == 303
    assert stored(site) == [(version,)]


def test_an_open_page_under_a_version_passed_before_is_taken(place):
    site, labeler = place(texts=[("a", "b"), ("c", "d")])
    labeler.answer(A="1", B="2")
    version = site.store.projects.instructions(site.project.id).id
    action, fields = labeler.form(labeler.get())
    ask_again(site)
    assert labeler.send(action, fields | MARKS).headers["location"] == site.home
    assert stored(site) == [(version,), (version,)]


def test_new_instructions_let_the_open_page_end_under_the_old_ones(place):
    site, labeler = place(texts=[("a", "b")])
    old = site.store.projects.instructions(site.project.id).id
    action, fields = labeler.form(labeler.get())
    made = site.store.projects.publish(site.project.id, GUIDE + "\n\nNew.", QUIZ, "owner")
    forged = labeler.send(action, fields | MARKS | {"instructions": made.id})
    assert (forged.headers["location"], stored(site)) == (f"{site.home}/gate?kept=1", [])
    assert labeler.send(action, fields | MARKS).headers["location"] == site.home
    assert stored(site) == [(old,)]


def test_a_draft_is_kept_whatever_the_gate_says(place):
    site, labeler = place(texts=[("a", "b")])
    action, fields = labeler.form(labeler.get())
    ask_again(site)
    assert labeler.send(f"{action}/draft", fields | MARKS).json() == {"saved": True}
    (body,) = rows(site, "select body from draft")[0]
    assert json.loads(body)["marks"] == {"A": 1, "B": 2}
