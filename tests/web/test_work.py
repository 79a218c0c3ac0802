"""The labeler's pages without scripts: forms, refusals, drafts, what never reaches a page."""

from __future__ import annotations

import html
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_browser import Labeler, rows
from workplace import admit, make_site

from humanalign.prefer.store.projects import ProjectSettings
from humanalign.types import Prompt
from humanalign.web.label import forms
from humanalign.web.words import translator


def test_an_answer_by_plain_form_leads_to_the_next_task_and_at_last_to_the_end(place):
    site, labeler = place(texts=[("a", "b"), ("c", "d")])
    for _ in range(2):
        sent = labeler.answer(A="2", B="F")
        assert (sent.status_code, sent.headers["location"]) == (303, site.home)
    assert "All done" in labeler.get().text
    bodies = [json.loads(body) for (body,) in rows(site, "select body from answer")]
    assert [(len(b["tiers"]), len(b["rejected"])) for b in bodies] == [(1, 1), (1, 1)]


def test_nothing_is_checked_on_a_new_page(place):
    _, labeler = place()
    assert " checked" not in labeler.get().text


def test_a_card_without_a_mark_is_named_and_the_other_marks_stay(place):
    site, labeler = place()
    sent = labeler.answer(A="1", C="F")
    assert sent.status_code == 422
    assert "Answer B has no mark. Give it a rank from 1 to 3, or F." in sent.text
    _, fields = labeler.form(sent)
    assert (fields["mark.A"], fields["mark.C"], "mark.B" in fields) == ("1", "F", False)
    assert re.findall(r'data-group="(\w)" aria-invalid="true"', sent.text) == ["B"]
    assert rows(site, "select count(*) from answer") == [(0,)]


@pytest.mark.parametrize("mark", ["0", "4", "-1", "1.5", "f f", "²", "x" * 5000])
def test_a_mark_that_is_none_is_refused_with_a_sentence(place, mark):
    site, labeler = place()
    sent = labeler.answer(A="1", B="2", C=mark)
    assert sent.status_code == 422
    assert rows(site, "select count(*) from answer") == [(0,)]


def test_dense_and_competition_ranks_mean_the_same(place):
    site, labeler = place(texts=[("a", "b", "c", "d")])
    labeler.answer(A="1", B="2", C="2", D="3")
    typed, body = rows(site, "select entered, body from answer")[0]
    assert json.loads(typed)["marks"] == {"A": 1, "B": 2, "C": 2, "D": 3}
    assert [len(tier) for tier in json.loads(body)["tiers"]] == [1, 2, 1]
    assert json.loads(typed)["ranks"] == {"A": 1, "B": 2, "C": 2, "D": 4}


@pytest.mark.parametrize("cards", [5, 6, 7, 8, 9])
def test_any_marks_on_many_cards_come_back_as_the_same_order(tmp_path_factory, cards):
    """The rankings of 5 to 9 answers: one item whose answer is changed again and again."""
    site = make_site(tmp_path_factory.mktemp("many"), texts=[[f"t{n}" for n in range(cards)]])
    labeler = Labeler(site)
    action, _ = labeler.form(labeler.get())
    texts = dict(rows(site, "select id, text from completion"))
    mark = st.sampled_from([*map(str, range(1, cards + 1)), "F"])

    @settings(max_examples=15, deadline=None)
    @given(st.lists(mark, min_size=cards, max_size=cards))
    def holds(marks: list[str]) -> None:
        page = labeler.get(action)
        shown = re.findall(r'class="text plain" dir="auto">(t\d)<', page.text)
        _, fields = labeler.form(page)
        named = {f"mark.{card}": mark for card, mark in zip("ABCDEFGHI", marks, strict=False)}
        assert labeler.send(action, fields | named).status_code == 303
        body = json.loads(rows(site, "select body from answer order by id desc limit 1")[0][0])
        by_mark: dict[str, set[str]] = {}
        for text, given_mark in zip(shown, marks, strict=True):
            by_mark.setdefault(given_mark, set()).add(text)
        unusable = by_mark.pop("F", set())
        assert [{texts[c] for c in tier} for tier in body["tiers"]] == [
            by_mark[rank] for rank in sorted(by_mark)
        ]
        assert {texts[each] for each in body["rejected"]} == unusable

    holds()
    site.store.close()


@pytest.mark.parametrize(
    ("kind", "texts", "field", "value", "said"),
    [
        ("pairwise", ("a", "b"), "choice", "tie", "Choose one of the four."),
        ("thumb", ("a",), "mark.A", "down", "Say whether it is good."),
        ("rating", ("a",), "mark.A", "3", "Give it a number from 1 to 3."),
    ],
)
def test_every_kind_works_by_plain_form_and_says_what_is_missing(
    place, kind, texts, field, value, said
):
    site, labeler = place(kind=kind, texts=[texts])
    action, fields = labeler.form(labeler.get())
    refused = labeler.send(action, fields)
    assert refused.status_code == 422
    assert said in refused.text
    assert labeler.send(action, fields | {field: value}).status_code == 303
    assert labeler.form(labeler.get(action))[1][field] == value
    assert rows(site, "select count(*) from answer") == [(1,)]


def test_sending_the_same_form_twice_stores_one_answer(place):
    site, labeler = place(texts=[("a", "b"), ("c", "d")])
    action, fields = labeler.form(labeler.get())
    fields |= {"mark.A": "1", "mark.B": "2"}
    assert [labeler.send(action, fields).status_code for _ in range(2)] == [303, 303]
    assert rows(site, "select count(*) from answer") == [(1,)]


def test_a_page_that_is_out_of_date_shows_both_answers_and_stores_the_one_chosen(place):
    site, labeler = place(texts=[("a", "b")])
    action, old = labeler.form(labeler.get())
    labeler.answer(A="1", B="2")
    late = labeler.send(action, old | {"key": "other", "mark.A": "F", "mark.B": "F"})
    assert late.status_code == 409
    assert "Two versions of your answer" in late.text
    hidden = re.findall(r'<input type="hidden" name="([\w.]+)" value="([^"]*)"', late.text)
    chosen = {name: html.unescape(value) for name, value in hidden}
    assert chosen["mark.A"] == "F"
    assert labeler.send(action, chosen).status_code == 303
    assert rows(site, "select revision from answer") == [(1,), (2,)]


def test_an_edited_form_under_an_old_key_is_a_choice_and_not_an_error(place):
    site, labeler = place(texts=[("a", "b")])
    action, fields = labeler.form(labeler.get())
    labeler.send(action, fields | {"mark.A": "1", "mark.B": "2"})
    again = labeler.send(action, fields | {"mark.A": "2", "mark.B": "1"})
    assert again.status_code == 409
    assert "Two versions of your answer" in again.text
    assert rows(site, "select count(*) from answer") == [(1,)]


def test_undo_leads_from_answer_to_answer_and_then_to_the_next_task(place):
    site, labeler = place(texts=[("a", "b"), ("c", "d"), ("e", "f")])
    given = []
    for _ in range(2):
        given.append(labeler.form(labeler.get())[0])
        labeler.answer(A="1", B="2")
    here = f"{site.home}/back?item="
    assert labeler.get(f"{site.home}/back").headers["location"] == given[1]
    assert labeler.get(here + given[1].split("/")[-1]).headers["location"] == given[0]
    assert labeler.get(here + given[0].split("/")[-1]).headers["location"] == site.home
    _, fields = labeler.form(labeler.get(given[0]))
    assert (fields["mark.A"], fields["mark.B"], fields["revision"]) == ("1", "2", "1")


def test_a_draft_comes_back_and_is_no_answer(place):
    site, labeler = place()
    action, fields = labeler.form(labeler.get())
    kept = labeler.send(f"{action}/draft", fields | {"mark.B": "2", "note": "half done"})
    assert kept.json() == {"saved": True}
    _, again = labeler.form(labeler.get())
    assert (again["mark.B"], again["note"], "mark.A" in again) == ("2", "half done", False)
    assert rows(site, "select count(*) from answer") == [(0,)]


def test_a_draft_of_an_earlier_revision_does_not_cover_the_answer(place):
    _, labeler = place(texts=[("a", "b")])
    action, fields = labeler.form(labeler.get())
    labeler.answer(A="1", B="2")
    labeler.send(f"{action}/draft", fields | {"mark.A": "F"})
    assert labeler.form(labeler.get(action))[1]["mark.A"] == "1"


def test_a_heartbeat_holds_the_task_longer(tmp_path):
    site = make_site(tmp_path)
    labeler = Labeler(site)
    action, fields = labeler.form(labeler.get())
    before = rows(site, "select lease_until from assignment")[0][0]
    beat = labeler.send(f"{action}/heartbeat", {"csrf": fields["csrf"]})
    assert beat.json()["lease_until"] > before


def test_skipping_works_on_a_page_of_its_own_and_gives_the_task_to_others(place):
    site, labeler = place(texts=[("a", "b"), ("c", "d")])
    action, fields = labeler.form(labeler.get())
    assert "Skipping costs you nothing" in labeler.get(f"{action}/skip").text
    sent = {"csrf": fields["csrf"], "reason": "upsetting", "note": "insults"}
    assert labeler.send(f"{action}/skip", sent).headers["location"] == site.home
    assert labeler.form(labeler.get())[0] != action
    assert rows(site, "select reason, note from flag") == [("upsetting", "insults")]
    assert labeler.send(f"{action}/skip", sent | {"reason": "bored"}).status_code == 422


def test_nothing_on_the_page_tells_who_wrote_an_answer(place):
    site, labeler = place()
    page = labeler.get().text
    completions = [each for (each,) in rows(site, "select id from completion")]
    for word in ("secret-", "91827364", "temperature", *completions):
        assert word not in page, word


def test_a_form_that_somebody_else_filled_in_is_refused(place):
    site, _ = place()
    bob = site.hired("bob")
    other = Labeler(site, bob)
    action, mine = other.form(other.get())
    sent = mine | {"who": site.labeler.rater_id, "reason": "other"}
    sent |= {"mark.A": "1", "mark.B": "2", "mark.C": "3"}
    tries = [other.send(action + end, sent).status_code for end in ("", "/draft", "/skip")]
    assert tries == [403] * 3
    assert rows(site, "select count(*) from answer union all select count(*) from draft") == [
        (0,),
        (0,),
    ]
    assert other.send(action, sent | {"who": bob.rater_id}).status_code == 303


def test_a_task_of_somebody_else_is_not_found(place):
    site, labeler = place()
    action, fields = labeler.form(labeler.get())
    bob = site.hired("bob")
    stranger = Labeler(site, bob)
    token = re.findall(r'name="csrf" content="(\w+)"', stranger.get("/work").text)[0]
    sent = fields | {"csrf": token, "who": bob.rater_id, "reason": "other"}
    sent |= {"mark.A": "1", "mark.B": "1", "mark.C": "1"}
    tries = [stranger.get(action), stranger.get(f"{action}/skip")]
    tries += [stranger.send(action + end, sent) for end in ("", "/draft", "/heartbeat", "/skip")]
    assert [each.status_code for each in tries] == [404] * 6
    assert rows(site, "select count(*) from answer union all select count(*) from draft") == [
        (0,),
        (0,),
    ]


def test_a_task_is_not_found_below_another_project(place):
    site, labeler = place()
    action, fields = labeler.form(labeler.get())
    other = site.store.projects.create("Other", "ranking", "honest", instructions="x" * 40)
    site.store.projects.join(other.id, site.labeler.rater_id)
    admit(site.store, other, site.labeler)
    elsewhere = action.replace(site.project.id, other.id)
    marks = {"mark.A": "1", "mark.B": "1", "mark.C": "1"}
    tries = [labeler.get(elsewhere), labeler.send(elsewhere, fields | marks)]
    assert [each.status_code for each in tries] == [404, 404]
    assert rows(site, "select count(*) from answer") == [(0,)]


def test_model_output_is_text_and_formatted_on_request_only(place):
    hostile = '<b onclick="x()">**bold**</b> ![i](http://203.0.113.9/i.png)'
    site, labeler = place(texts=[(hostile, "plain")])
    assert html.escape(hostile, quote=False) in labeler.get().text.replace("&#34;", '"')
    formatted = labeler.get(f"{site.home}?formatted=1").text
    assert "<strong>bold</strong>" in formatted
    assert "<b onclick" not in formatted
    assert "<img" not in formatted.split("<main")[1]
    action, fields = labeler.form(labeler.get(f"{site.home}?formatted=1"))
    sent = labeler.send(action, fields | {"mark.A": "1", "mark.B": "1"})
    assert sent.headers["location"].endswith("?formatted=1")


def test_a_conversation_is_shown_turn_by_turn(place):
    chat = Prompt("x", messages=(("system", "Be brief."), ("user", "Hello"), ("assistant", "Hi")))
    _, labeler = place(texts=[("a", "b")], prompts=[chat])
    turns = re.findall(r'turn-role">(\w+)</b>\s*<div[^>]*>([^<]+)<', labeler.get().text)
    assert turns == [("System", "Be brief."), ("User", "Hello"), ("Assistant", "Hi")]


def test_the_instruction_version_and_the_note_are_stored_with_the_answer(place):
    site, labeler = place(texts=[("a", "b")])
    action, fields = labeler.form(labeler.get())
    forged = {"instructions": "0" * 16, "note": "close call\r\n"}
    labeler.send(action, fields | {"mark.A": "1", "mark.B": "2"} | forged)
    version = site.store.projects.instructions(site.project.id)
    assert rows(site, "select instructions, note from answer") == [(version.id, "close call")]


@pytest.mark.parametrize(
    "sent",
    [
        *("", "{", "[]", "[" * 5000, "7"),
        '{"active": NaN, "dwell": [1], "changes": "3"}',
        '{"active": "1", "dwell": 2, "changes": 1e3}',
    ],
)
def test_a_damaged_clock_is_dropped(sent):
    assert forms.timing_of({"timing": sent}) == {}


def test_a_clock_with_absurd_numbers_is_brought_within_a_day():
    sent = '{"active": 1' + "0" * 400 + ', "dwell": {"A": -3, "B": 1e400}, "changes": -1}'
    assert forms.timing_of({"timing": sent}) == {
        "active": 86400.0,
        "dwell": {"A": 0.0},
        "changes": 0,
    }


def test_the_browsers_clock_is_kept_for_the_cards_there_are():
    sent = '{"active": 12.34, "dwell": {"A": 3, "Z": 9}, "changes": 2}'
    held = forms.timing_of({"timing": sent})
    assert held == {"active": 12.34, "dwell": {"A": 3.0}, "changes": 2}


@pytest.mark.parametrize("entered", ["A", "B", "tie", "bad"])
def test_a_pairwise_choice_comes_back_from_its_marks(entered):
    marks = forms.marks_of({"choice": entered}, "pairwise", ["A", "B"])
    assert forms.pair_entered(marks) == entered


@pytest.mark.parametrize(
    ("standing", "title"), [("paused", "is paused"), ("excluded", "has ended")]
)
def test_somebody_who_may_not_work_reads_why_and_what_to_do(place, standing, title):
    site, labeler = place()
    action, fields = labeler.form(labeler.get())
    person = (site.project.id, site.labeler.rater_id)
    site.store.projects.set_standing(*person, standing, "Many ties", "owner")
    page = labeler.get()
    assert title in page.text
    assert "Many ties" in page.text
    late = labeler.send(action, fields | {"mark.A": "1", "mark.B": "1", "mark.C": "1"})
    assert late.status_code == 409
    assert "was not stored" in late.text
    assert rows(site, "select count(*) from answer") == [(0,)]
    site.store.projects.set_standing(*person, "active", "", "owner")
    assert labeler.get().status_code == 200


def test_a_closed_project_says_so(place):
    site, labeler = place()
    site.store.projects.set_status(site.project.id, "paused", "owner")
    assert "This project is closed" in labeler.get().text
    assert "Closed" in labeler.get("/work").text


def test_my_projects_show_how_far_i_am(place):
    _, labeler = place(texts=[("a", "b"), ("c", "d")])
    assert "Done: 0 of 2" in labeler.get("/work").text
    labeler.answer(A="1", B="2")
    page = labeler.get("/work").text
    assert "Done: 1 of 2" in page
    assert "Go on" in page


def test_an_owner_sees_no_task_until_they_join_and_then_passes_the_gate(place):
    site, _ = place()
    owner = Labeler(site, site.store.people.create("boss", "owner"))
    page = owner.get()
    assert "do not label in it" in page.text
    assert rows(site, "select count(*) from assignment") == [(0,)]
    token = re.findall(r'name="csrf" content="(\w+)"', page.text)[0]
    assert owner.send(f"{site.home}/join", {"csrf": token}).status_code == 303
    assert owner.get().headers["location"] == f"{site.home}/gate"


def test_the_page_is_in_the_labelers_language(place):
    _, labeler = place(language="ar", settings=ProjectSettings(blur=True))
    page = labeler.get().text
    assert 'dir="rtl"' in page
    assert translator("ar")("Submit") in page
    assert translator("ar")("Submit") != "Submit"
    words = json.loads(re.findall(r'id="words">(.*?)</script>', page)[0])
    assert words["saved"] == translator("ar")("Draft saved")
