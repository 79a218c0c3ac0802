"""Drafts and answers in a real browser: without network, over reloads, sign-ins and gates."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("playwright", reason="playwright is not installed; `make install` installs it")

from playwright.sync_api import expect
from workplace import GUIDE, QUIZ, admit

from browser.windows import distinct, on_page


def test_a_draft_reaches_the_server_and_comes_back_in_another_tab(workplace):
    work = workplace()
    page = work.open()
    work.press("1 n")
    page.keyboard.type("not sure")
    expect(page.locator("#saved")).to_have_text("Draft saved", timeout=4000)
    other = work.context.new_page()
    other.goto(work.url + work.site.home)
    expect(other.locator("#summary")).to_have_text("1: A")
    assert other.locator("#note").input_value() == "not sure"
    assert work.answers() == 0


def test_a_draft_the_server_never_got_survives_a_reload(workplace):
    work = workplace()
    page = work.open()
    page.route("**/draft", lambda route: route.abort())
    work.press("3 f")
    page.reload()
    expect(page.locator("#summary")).to_have_text("3: A  F: B")
    expect(page.locator("#saved")).to_have_text("Your draft was restored")


def test_an_answer_that_finds_no_network_is_kept_over_a_reload_and_stored_once(workplace):
    work = workplace(texts=distinct(3, 2))
    page = work.open()
    item = page.locator("#task").get_attribute("data-item")
    page.route("**/items/*", lambda route: route.abort())
    work.press("1 2 3 Control+Enter")
    expect(page.locator("#unsent")).to_contain_text("Not sent yet, trying again")
    page.reload()
    expect(page.locator("#unsent")).to_contain_text("Not sent yet, trying again")
    assert work.answers() == 0
    page.unroute("**/items/*")
    expect(page.locator(".so-far b")).to_have_text("1/2", timeout=8000)
    assert work.rows("select item_id from answer") == [(item,)]


def test_an_answer_whose_reply_was_lost_is_stored_once(workplace):
    work = workplace(texts=distinct(2, 2))
    page = work.open()
    lost = []

    def lose_first(route):
        if not lost:
            lost.append(route.fetch(max_redirects=0))
            return route.abort()
        return route.continue_()

    page.route("**/items/*", lose_first)
    work.press("2 1 Control+Enter")
    expect(page.locator(".so-far b")).to_have_text("1/2", timeout=8000)
    assert lost[0].status == 303
    assert work.answers() == 1


def test_two_tabs_with_the_same_task_end_in_a_choice_and_lose_nothing(workplace):
    work = workplace()
    first, second = work.open(), work.context.new_page()
    second.goto(work.url + work.site.home)
    for page, keys in ((first, "123"), (second, "fff")):
        for key in keys:
            page.keyboard.press(key)
        page.keyboard.press("Control+Enter")
        page.wait_for_selector("#task", state="detached")
    expect(second.locator("h1")).to_have_text("Two versions of your answer")
    expect(second.locator(".badge")).to_have_count(3)
    second.get_by_role("button", name="Use the answer from this page").click()
    second.wait_for_url(f"**{work.site.home}")
    bodies = [json.loads(body) for (body,) in work.rows("select body from answer order by id")]
    assert [len(body["rejected"]) for body in bodies] == [0, 3]


def test_an_answer_sent_after_the_session_ended_is_stored_once_signed_in_again(workplace):
    work = workplace(texts=distinct(2, 2))
    page, site = work.open(), work.site
    site.store.people.close_sessions(site.labeler.rater_id)
    work.press("1 2 Control+Enter")
    page.wait_for_url("**/sign-in?next=*")
    assert work.answers() == 0
    token = site.store.people.open_session(site.labeler.rater_id)
    work.context.add_cookies([{"name": "ha_session", "value": token, "url": work.url}])
    work.open()
    expect(page.locator(".so-far b")).to_have_text("1/2")
    assert work.answers() == 1


def test_an_unsent_answer_waits_for_whoever_gave_it(workplace):
    work = workplace(texts=distinct(2, 2))
    page, site = work.open(), work.site
    other = site.hired("bob")

    def sign_in(account):
        token = site.store.people.open_session(account.rater_id)
        work.context.add_cookies([{"name": "ha_session", "value": token, "url": work.url}])

    site.store.people.close_sessions(site.labeler.rater_id)
    work.press("1 2 Control+Enter")
    page.wait_for_url("**/sign-in?next=*")
    sign_in(other)
    work.open()
    page.wait_for_timeout(500)
    expect(page.locator(".so-far b")).to_have_text("0/2")
    assert page.locator("input:checked").count() == 0
    assert work.answers() == 0
    sign_in(site.labeler)
    work.open()
    expect(page.locator(".so-far b")).to_have_text("1/2")
    assert work.rows("select rater_id from answer") == [(site.labeler.rater_id,)]


def test_instructions_that_change_meanwhile_cost_no_answer(workplace):
    work = workplace(texts=distinct(2, 2))
    page, projects = work.open(), work.site.store.projects
    before = projects.instructions(work.site.project.id)
    projects.publish(work.site.project.id, GUIDE + "\n\nTies are rare.", QUIZ, "")
    work.press("1 2 Control+Enter")
    page.wait_for_url("**/gate")
    assert work.rows("select instructions from answer") == [(before.id,)]


def test_an_answer_from_who_is_asked_again_waits_behind_the_gate(workplace):
    work = workplace(texts=distinct(2, 2))
    page, site = work.open(), work.site
    item = page.locator("#task").get_attribute("data-item")
    person = (site.project.id, site.labeler.rater_id)
    site.store.projects.ask_again(*person, "owner", "misread")
    work.press("2 1")
    given = on_page(page)
    work.press("Control+Enter")
    page.wait_for_url("**/gate?kept=1")
    assert "is not stored yet" in page.locator("main").inner_text()
    assert work.answers() == 0
    admit(site.store, site.project, site.labeler)
    page = work.open()
    assert page.locator("#task").get_attribute("data-item") == item
    assert on_page(page) == given
    work.press("Control+Enter")
    page.wait_for_function("old => document.getElementById('task')?.dataset.item !== old", arg=item)
    assert work.answers() == 1
