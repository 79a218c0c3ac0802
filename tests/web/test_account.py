"""Coming in by an invite or the owner's link, signing in and out, and what /me lets a person do."""

from __future__ import annotations

import re

import pytest
from conftest import OWN, Browser
from workplace import Site, admit

from humanalign.prefer.store.people import Account
from humanalign.prefer.store.queue import Submission
from humanalign.web.app import create_app
from humanalign.web.guard import SESSION

PASSWORD = "four plain words"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def door(fresh: Site) -> Browser:
    """A stranger's browser."""
    return window(fresh)


def window(site: Site) -> Browser:
    return Browser(create_app(site.store), base_url="http://localhost", follow_redirects=False)


def invite(site: Site, role: str = "labeler") -> str:
    project = site.project.id if role == "labeler" else None
    return f"/join/{site.store.people.invites.new(role, project_id=project, by='test')}"


def carol(site: Site, role: str = "labeler", language: str = "en") -> Account:
    return site.store.people.create("carol", role, password=PASSWORD, language=language)


def signed_in(site: Site, who: Account) -> Browser:
    return window(site).enter(site.store.people.open_session(who.rater_id))


def wrong_fields(text: str) -> list[str]:
    return re.findall(r'<(?:input|select) id="([\w-]+)"[^>]*aria-invalid', text)


@pytest.mark.parametrize(
    ("role", "home"), [("labeler", "/work"), ("reviewer", "/owner"), ("owner", "/owner")]
)
def test_signing_in_leads_to_the_work_or_to_the_projects(door, fresh, role: str, home: str):
    carol(fresh, role)
    answer = door.fill("/sign-in", name="carol", password=PASSWORD)
    assert (answer.status_code, answer.headers["location"]) == (303, home)
    assert door.get("/").headers["location"] == home


def test_signing_in_leads_back_to_the_page_that_was_asked_for(door, fresh):
    carol(fresh)
    answer = door.fill("/sign-in", name="carol", password=PASSWORD, next="/me")
    assert answer.headers["location"] == "/me"


def test_signing_in_never_leads_to_another_site(door, fresh):
    carol(fresh)
    answer = door.fill("/sign-in", name="carol", password=PASSWORD, next="//evil.example")
    assert answer.headers["location"] == "/work"
    assert door.get("/sign-in?next=https://evil.example").headers["location"] == "/"


def test_a_wrong_password_reads_like_an_unknown_name(door, fresh):
    carol(fresh)
    pages = []
    for name in ("carol", "nobody"):
        answer = door.fill("/sign-in", name=name, password="not the password")
        assert answer.status_code == 422
        pages.append(answer.text.replace(name, ""))
    assert pages[0] == pages[1]
    assert "The name or the password is wrong." in pages[0]


def test_a_guesser_is_told_to_wait(door):
    statuses = [door.fill("/sign-in", name="carol", password="guess").status_code for _ in range(7)]
    answer = door.fill("/sign-in", name="carol", password="guess")
    assert statuses[:4] == [422] * 4
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert f"Wait {answer.headers['retry-after']} seconds" in answer.text


def test_signing_in_ends_the_session_that_the_browser_brought(fresh):
    mallory = fresh.store.people.create("mallory", "labeler")
    carol(fresh)
    browser = signed_in(fresh, mallory)
    planted = browser.cookies[SESSION]
    data = {"csrf": browser.token("/me"), "name": "carol", "password": PASSWORD}
    browser.post("/sign-in", data=data, headers=OWN)
    assert browser.cookies[SESSION] != planted
    assert fresh.store.people.of_session(planted) is None


def test_signing_out_ends_the_session_for_everyone_who_has_its_cookie(fresh):
    browser = signed_in(fresh, carol(fresh))
    held = browser.cookies[SESSION]
    assert browser.fill("/sign-out", form="/me").headers["location"] == "/sign-in"
    assert SESSION not in browser.cookies
    assert fresh.store.people.of_session(held) is None


def test_an_invite_makes_an_account_once(door, fresh):
    link = invite(fresh)
    assert "Colours" in door.get(link).text
    about = {"about_languages": " Arabic ", "about_age": ""}
    answer = door.fill(link, name="Dina", password=PASSWORD, language="ar", **about)
    assert (answer.status_code, answer.headers["location"]) == (303, "/work")
    made = fresh.store.people.named("dina")
    assert (made.role, made.language, dict(made.about)) == (
        "labeler",
        "ar",
        {"languages": "Arabic"},
    )
    assert fresh.store.projects.member(fresh.project.id, made.rater_id) is not None
    assert window(fresh).get(link).status_code == 410


def test_an_open_invite_survives_being_looked_at(door, fresh):
    link = invite(fresh)
    assert [door.get(link).status_code for _ in range(3)] == [200] * 3


@pytest.mark.parametrize(
    ("name", "password", "marked"),
    [
        ("", PASSWORD, ["name"]),
        ("dina", "too short", ["password"]),
        ("  ", "", ["name", "password"]),
        ("carol", "another password", ["name"]),
    ],
)
def test_an_account_that_cannot_be_made_says_which_field_is_wrong(
    door, fresh, name: str, password: str, marked: list[str]
):
    carol(fresh)
    link = invite(fresh)
    answer = door.fill(link, name=name, password=password, about_country="Chad")
    assert (answer.status_code, wrong_fields(answer.text)) == (422, marked)
    assert 'value="Chad"' in answer.text
    assert password not in answer.text or not password
    assert fresh.store.people.named("dina") is None
    assert door.get(link).status_code == 200


def test_whoever_has_an_account_joins_with_its_password(door, fresh):
    held = carol(fresh)
    door.fill(invite(fresh), name="carol", password=PASSWORD)
    assert fresh.store.projects.member(fresh.project.id, held.rater_id) is not None


def test_whoever_is_signed_in_joins_by_one_button(fresh):
    held, link = carol(fresh), invite(fresh)
    browser = signed_in(fresh, held)
    assert "You are signed in as carol." in browser.get(link).text
    browser.fill(link, **{"as": "me"})
    assert fresh.store.projects.member(fresh.project.id, held.rater_id) is not None


def test_a_used_or_invented_link_says_so(door):
    for path in ("/join/nothing", "/enter/nothing"):
        answer = door.get(path)
        assert answer.status_code == 410
        assert "was used already or has expired" in answer.text


def test_the_owners_link_is_used_by_its_button_and_not_by_being_opened(door, fresh):
    link = f"/enter/{fresh.store.people.invites.owner_link()}"
    assert [door.get(link).status_code for _ in range(2)] == [200, 200]
    assert door.fill(link).headers["location"] == "/owner"
    assert door.get("/").headers["location"] == "/owner"
    again = window(fresh)
    assert again.fill(link, form="/sign-in").status_code == 410


def test_a_stranger_reads_the_pages_in_their_language(door):
    arabic = door.get("/sign-in", headers={"Accept-Language": "ar"}).text
    assert '<html lang="ar" dir="rtl"' in arabic
    assert "تسجيل الدخول" in arabic


def test_a_language_once_chosen_is_kept(door):
    assert 'lang="ar"' in door.get("/sign-in?lang=ar").text
    assert '<html lang="ar"' in door.get("/sign-in").text


def test_the_profile_is_kept_and_an_emptied_part_is_gone(fresh):
    who = carol(fresh)
    fresh.store.people.set_profile(who.rater_id, about={"country": "Chad", "gender": "woman"})
    browser = signed_in(fresh, who)
    sent = {"language": "ar", "about_country": "", "about_gender": "woman", "theme": "dark"}
    browser.fill("/me/profile", form="/me", **sent)
    kept = fresh.store.people.account(who.rater_id)
    assert (kept.language, dict(kept.about)) == ("ar", {"gender": "woman"})
    assert '<html lang="ar" dir="rtl" data-theme="dark">' in browser.get("/me").text


def test_a_name_is_shown_as_text(fresh):
    who = fresh.store.people.create(HOSTILE, "labeler")
    page = signed_in(fresh, who).get("/me").text
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page


def test_a_new_password_needs_the_present_one_and_ends_other_sessions(fresh):
    who = carol(fresh)
    here, elsewhere = signed_in(fresh, who), signed_in(fresh, who)
    new = "five quite different words"
    refused = here.fill("/me/password", form="/me", current="not this one", new=new)
    assert (refused.status_code, wrong_fields(refused.text)) == (422, ["current"])
    here.fill("/me/password", form="/me", current=PASSWORD, new=new)
    assert fresh.store.people.sign_in("carol", new).rater_id == who.rater_id
    assert (here.get("/me").status_code, elsewhere.get("/me").status_code) == (200, 303)


def test_a_short_password_is_refused(fresh):
    answer = signed_in(fresh, carol(fresh)).fill(
        "/me/password", form="/me", current=PASSWORD, new="nine char"
    )
    assert wrong_fields(answer.text) == ["new"]
    assert "Use at least 10 characters." in answer.text


def test_my_data_holds_my_answers_and_nobody_elses(fresh):
    answer_of(fresh, fresh.labeler)
    other = carol(fresh)
    fresh.store.projects.join(fresh.project.id, other.rater_id)
    admit(fresh.store, fresh.project, other)
    answer_of(fresh, other)
    answer = signed_in(fresh, fresh.labeler).get("/me/data")
    held = answer.json()
    assert "attachment" in answer.headers["content-disposition"]
    assert held["account"][0]["name"] == "ann"
    answers = held["answer"]
    assert [each["rater_id"] for each in answers] == [fresh.labeler.rater_id]
    assert other.rater_id not in answer.text
    assert "secret-" not in answer.text


def answer_of(site: Site, who: Account) -> None:
    task = site.store.queue.next(site.project.id, who.rater_id)
    marks = {card.letter: n for n, card in enumerate(task.cards, 1)}
    version = site.store.projects.instructions(site.project.id).id
    sent = Submission(
        item_id=task.item_id,
        rater_id=who.rater_id,
        marks=marks,
        key=who.rater_id,
        revision=0,
        instructions=version,
    )
    site.store.queue.submit(sent)


@pytest.mark.parametrize(
    ("language", "word"), [("en", "delete"), ("ar", "حذف"), ("en", " Delete ")]
)
def test_my_data_is_deleted_when_the_word_is_typed(fresh, language: str, word: str):
    who = carol(fresh, language=language)
    browser = signed_in(fresh, who)
    held = browser.cookies[SESSION]
    assert browser.fill("/me/delete", form="/me", word=word).status_code == 200
    gone = fresh.store.people.account(who.rater_id)
    assert (gone.erased, gone.name, fresh.store.people.named("carol")) == (
        True,
        f"erased-{who.rater_id}",
        None,
    )
    assert SESSION not in browser.cookies
    assert fresh.store.people.of_session(held) is None


def test_nothing_is_deleted_by_another_word(fresh):
    answer = signed_in(fresh, carol(fresh)).fill("/me/delete", form="/me", word="yes")
    assert (answer.status_code, wrong_fields(answer.text)) == (422, ["word"])
    assert fresh.store.people.named("carol") is not None


def test_judgements_stay_after_their_author_is_gone(fresh):
    answer_of(fresh, fresh.labeler)
    before = fresh.store.snapshot()
    signed_in(fresh, fresh.labeler).fill("/me/delete", form="/me", word="delete")
    assert fresh.store.snapshot() == before


def test_the_only_owner_is_told_why_they_cannot_go(fresh):
    answer = signed_in(fresh, carol(fresh, "owner")).fill("/me/delete", form="/me", word="delete")
    assert answer.status_code == 422
    assert "invite another owner first" in answer.text
