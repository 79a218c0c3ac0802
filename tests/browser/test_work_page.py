"""The ranking page in a real browser against a real server: what is shown, stored and exported."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("playwright", reason="playwright is not installed; `make install` installs it")
from playwright.sync_api import expect
from workplace import GUIDE, QUIZ

from browser.exports_read import better_pairs, differences
from browser.windows import distinct, markings, marks_in, rank_all
from humanalign.prefer.store.projects import ProjectSettings

HOSTILE = (
    '<img src="http://203.0.113.9/x.png" onerror="document.title=1">'
    "<script>document.title=2</script>"
)


@pytest.mark.slow
@pytest.mark.parametrize(("cards", "orders"), [(2, 6), (3, 26), (4, 150)])
def test_every_weak_order_with_f_is_the_same_on_the_page_in_the_database_and_in_all_exports(
    workplace, cards, orders
):
    wanted = markings(cards)
    assert len(wanted) == orders  # 3, 13, 75 weak orders, and those of every subset that is not F
    work = workplace(texts=distinct(cards, orders))
    shown = rank_all(work, wanted)
    assert marks_in(work) == shown
    assert differences(work.site.store, work.site.project.id, shown) == []
    pairs = {(pair.chosen, pair.rejected) for pair in work.site.store.pairs(consensus="none")}
    assert pairs == {pair for marks in shown.values() for pair in better_pairs(marks)}


@pytest.mark.parametrize("cards", [2, 5, 9])
def test_a_ranking_takes_one_key_a_card_and_one_to_send(workplace, cards):
    work = workplace(texts=distinct(cards, 2))
    page = work.open()
    keys = [*"123456789"[:cards], "Control+Enter"]
    assert len(keys) <= 2 * cards + 3
    for key in keys:
        page.keyboard.press(key)
    expect(page.locator(".so-far b")).to_have_text("1/2")
    assert work.answers() == 1


def test_an_untouched_page_is_no_answer_and_the_message_names_the_card(workplace):
    work = workplace()
    page = work.open()
    assert page.locator("input:checked").count() == 0
    work.press("Control+Enter")
    expect(page.locator("#problem")).to_have_text(
        "Answer A has no mark. Give it a rank from 1 to 3, or F."
    )
    assert page.evaluate("document.activeElement.name") == "mark.A"
    work.press("1 2 Control+Enter")
    expect(page.locator("#problem")).to_contain_text("Answer C")
    assert work.answers() == 0
    assert [request.url for request in work.requests if request.method == "POST"] == []


def test_a_tie_and_a_move_are_spoken_and_keep_the_focus_on_the_card(workplace):
    work = workplace(texts=[["w", "x", "y", "z"]])
    page = work.open()
    said = page.locator("#said")
    work.press("2 =")
    expect(said).to_have_text("Answer B is now rank 2, tied with A")
    work.press("1 f")
    expect(said).to_have_text("Answer D is now F, unusable")
    expect(page.locator("#summary")).to_have_text("1: C  2: A=B  F: D")
    work.press("k k Alt+ArrowUp")
    expect(said).to_have_text("Answer B is now rank 2")
    expect(page.locator("#summary")).to_have_text("1: C  2: B  3: A  F: D")
    work.press("Alt+ArrowUp Alt+ArrowUp")
    expect(said).to_have_text("Answer B is first already")
    assert page.evaluate("document.activeElement.name") == "mark.B"
    expect(page.locator("#summary")).to_have_text("1: B  2: C  3: A  F: D")


def test_a_move_counts_the_ranks_anew_past_a_tie(workplace):
    work = workplace(texts=[["w", "x", "y", "z"]])
    page = work.open()
    work.press("1 = 2 3 Alt+ArrowUp")
    expect(page.locator("#summary")).to_have_text("1: A=B  3: D  4: C")


def test_keys_are_inert_while_a_note_is_written(workplace):
    work = workplace()
    page = work.open()
    work.press("1 n")
    page.keyboard.type("12f=sug?jk")
    page.keyboard.press("Backspace")
    page.keyboard.press("Escape")
    assert page.locator("#note").input_value() == "12f=sug?j"
    assert page.locator("input:checked").count() == 1
    assert page.locator("dialog[open]").count() == 0


def test_keys_work_where_the_keyboard_writes_another_script(workplace):
    work = workplace()
    page = work.open()
    press = """([key, code]) => document.activeElement.dispatchEvent(
        new KeyboardEvent('keydown', {key, code, bubbles: true, cancelable: true}))"""
    page.evaluate(press, ["٢", "Digit2"])
    page.evaluate(press, ["ب", "KeyF"])
    expect(page.locator("#summary")).to_have_text("2: A  F: B")


def test_a_held_key_marks_one_card_only(workplace):
    work = workplace()
    page = work.open()
    page.keyboard.down("1")
    page.keyboard.down("1")
    page.keyboard.down("1")
    expect(page.locator("#summary")).to_have_text("1: A")


def test_a_letter_dragged_to_a_rank_checks_its_radio(workplace):
    work = workplace()
    page = work.open()
    for grip, rank in (('.grip[data-grip="B"]', "1"), ('.chip[data-grip="A"]', "F")):
        page.locator(grip).hover()
        page.mouse.down()
        page.locator(f'.zone[data-rank="{rank}"]').hover()
        page.mouse.up()
    assert page.locator('[name="mark.B"]:checked').input_value() == "1"
    assert page.locator('[name="mark.A"]:checked').input_value() == "F"
    assert page.evaluate("document.activeElement.name") == "mark.A"
    page.locator('#card-B [data-move="1"]').click()
    page.locator('#card-C [data-move="-1"]').click()
    expect(page.locator("#summary")).to_have_text("1: B  2: C  F: A")


def test_a_new_task_is_read_from_its_top(workplace):
    work = workplace(texts=[["w\n" * 40, "x\n" * 40]] * 1, size=(320, 640))
    page = work.open()
    assert page.evaluate("scrollY") == 0
    assert page.evaluate("document.activeElement.name") == "mark.A"


def test_undo_opens_the_answer_before_and_stores_a_new_version(workplace):
    work = workplace(texts=distinct(2, 3))
    page = work.open()
    first = page.locator("#task").get_attribute("data-item")
    work.press("1 2 Control+Enter")
    expect(page.locator(".so-far b")).to_have_text("1/3")
    work.press("f u")
    expect(page.locator("#summary")).to_have_text("1: A  2: B")
    assert page.locator("#task").get_attribute("data-item") == first
    work.press("2 1 Control+Enter")
    # Back at the next task, the mark given before the undo is still there.
    expect(page.locator("#summary")).to_have_text("F: A")
    assert work.rows("select revision from answer order by id") == [(1,), (2,)]
    page.go_back()
    expect(page.locator("#summary")).to_have_text("1: B  2: A")


def test_skipping_asks_why_and_goes_on(workplace):
    work = workplace(texts=distinct(2, 2))
    page = work.open()
    item = page.locator("#task").get_attribute("data-item")
    work.press("s ArrowDown ArrowDown Enter")
    page.wait_for_function("old => document.getElementById('task')?.dataset.item !== old", arg=item)
    assert work.rows("select item_id, reason from flag") == [(item, "upsetting")]
    assert work.answers() == 0


@pytest.mark.parametrize(
    ("keys", "meaning"),
    [("1", "A<B"), ("2", "B<A"), ("0", "A=B"), ("f", "FF"), ("1 2", "B<A")],
)
def test_one_key_and_enter_answer_a_pair(workplace, keys, meaning):
    work = workplace(kind="pairwise", texts=[["left", "right"]])
    page = work.open()
    texts = page.locator(".answer .text").all_inner_texts()
    work.press(f"{keys} Enter")
    page.wait_for_selector("#task", state="detached")
    ((body,),) = work.rows("select body from answer")
    named = dict(work.rows("select id, text from completion"))
    tiers = [sorted(named[each] for each in tier) for tier in json.loads(body)["tiers"]]
    a, b = texts
    wanted = {"A<B": [[a], [b]], "B<A": [[b], [a]], "A=B": [sorted(texts)], "FF": []}
    assert tiers == wanted[meaning]


@pytest.mark.parametrize(
    ("kind", "keys", "held"),
    [("thumb", "1 Enter", {"up": True}), ("thumb", "0 Enter", {"up": False})],
)
def test_a_thumb_is_one_key_and_enter(workplace, kind, keys, held):
    work = workplace(kind=kind, texts=[["only"]])
    page = work.open()
    work.press(keys)
    page.wait_for_selector("#task", state="detached")
    assert json.loads(work.rows("select body from answer")[0][0]) == held


def test_a_rating_goes_up_to_the_projects_scale(workplace):
    work = workplace(kind="rating", texts=[["only"]], settings=ProjectSettings(scale=4))
    page = work.open()
    assert page.locator(".option").count() == 4
    work.press("5")
    assert page.locator("input:checked").count() == 0
    work.press("4 Enter")
    page.wait_for_selector("#task", state="detached")
    (rating,) = json.loads(work.rows("select body from answer")[0][0])["ratings"].values()
    assert rating == 4


def test_covered_answers_are_shown_on_demand(workplace):
    work = workplace(settings=ProjectSettings(blur=True, warning="Insults ahead."))
    page = work.open()
    expect(page.get_by_text("Insults ahead.")).to_be_visible()
    assert page.locator(".answer .text:visible").count() == 0
    work.press("r")
    expect(page.locator("#card-A .text")).to_be_visible()
    page.get_by_text("Show answer C").click()
    assert page.locator(".answer .text:visible").count() == 2


def test_long_answers_are_folded_with_a_button_that_unfolds_them(workplace):
    work = workplace(texts=[["line\n" * 200, "short"]])
    page = work.open()
    long = page.locator(".answer", has=page.locator(".more:visible"))
    assert long.count() == 1
    before = long.bounding_box()["height"]
    page.keyboard.press("e" if long.get_attribute("data-letter") == "A" else "j")
    if long.get_attribute("data-letter") == "B":
        page.keyboard.press("e")
    expect(long.locator(".more")).to_have_attribute("aria-expanded", "true")
    assert long.bounding_box()["height"] > 3 * before


def test_the_instructions_open_beside_the_task_and_keys_go_on_working(workplace):
    work = workplace()
    page = work.open()
    work.press("g")
    expect(page.locator("#drawer")).to_contain_text("Give 1 to the best.")
    work.press("1 2")
    expect(page.locator("#summary")).to_have_text("1: A  2: B")
    work.press("g")
    expect(page.locator("#drawer")).not_to_be_visible()
    work.press("?")
    expect(page.locator("#keys-dialog")).to_contain_text("Move the answer up or down")


def test_hostile_text_is_shown_and_nothing_of_it_runs_or_is_fetched(workplace):
    work = workplace(texts=[[HOSTILE, f"![x](http://203.0.113.9/y.png) {HOSTILE}"]])
    for view in ("", "?formatted=1"):
        page = work.open(work.site.home + view)
        assert any(HOSTILE[:12] in each for each in page.locator(".answer .text").all_inner_texts())
        assert page.locator(".text img, .text script").count() == 0
        assert page.title().startswith("Done: 0 of 1")
    assert {request.url.split("/")[2] for request in work.requests} == {work.url.split("/")[2]}


def test_time_is_counted_for_the_page_and_for_each_card(workplace):
    work = workplace(texts=distinct(2, 1))
    page = work.open()
    page.locator("#card-B .text").hover()
    page.wait_for_timeout(1600)
    work.press("1 2 k 2 j 1 Control+Enter")
    page.wait_for_selector("#task", state="detached")
    timing = json.loads(work.rows("select timing from answer")[0][0])
    assert 1 <= timing["active"] < 5
    assert timing["dwell"]["B"] >= 1
    assert timing["changes"] == 2


def test_instructions_must_be_seen_to_the_end_before_the_questions(workplace):
    work = workplace()
    long = GUIDE + "\n\nOne more line." * 120
    work.site.store.projects.publish(work.site.project.id, long, QUIZ, "")
    page = work.open()
    onward = page.get_by_role("link", name="Go on to the questions")
    expect(onward).to_have_attribute("aria-disabled", "true")
    page.evaluate("document.getElementById('continue').click()")
    assert page.url.endswith("/gate")
    page.keyboard.press("End")
    expect(onward).not_to_have_attribute("aria-disabled", "true")
    onward.click()
    page.wait_for_url("**step=quiz")
