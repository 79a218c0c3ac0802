"""The ranking page in a real browser against a real server: what is shown, stored and exported."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import product
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is not installed; `make install` installs it")

from axe_playwright_python.sync_playwright import Axe
from exports_read import better_pairs, differences
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect, sync_playwright
from workplace import GUIDE, QUIZ, Site, make_site, served

from humanalign.prefer.store.projects import ProjectSettings

ARGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
HOSTILE = (
    '<img src="http://203.0.113.9/x.png" onerror="document.title=1">'
    "<script>document.title=2</script>"
)


SEEN = """() => [...document.querySelectorAll(".answer")].map((card) => [
    card.querySelector(".text").innerText,
    card.querySelector("input:checked")?.value,
])"""


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=chromium, args=ARGS)


class Workplace:
    """A site that is served, and a labeler's browser window on it."""

    def __init__(self, site: Site, url: str, context: BrowserContext) -> None:
        self.site, self.url, self.context = site, url, context
        self.requests: list[Request] = []
        context.on("request", lambda request: self.requests.append(request))
        context.add_cookies(
            [{"name": n, "value": v, "url": url} for n, v in site.cookies().items()]
        )
        self.page = context.new_page()
        self.problems: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))

    def open(self, path: str = "") -> Page:
        self.page.goto(self.url + (path or self.site.home))
        return self.page

    def press(self, keys: str) -> None:
        for key in keys.split():
            self.page.keyboard.press(key)

    def rows(self, query: str) -> list[tuple]:
        """What the database file holds, read past our own code."""
        with sqlite3.connect(self.site.store.url) as connection:
            return connection.execute(query).fetchall()

    def answers(self) -> int:
        return self.rows("select count(*) from answer")[0][0]


@pytest.fixture
def workplace(tmp_path: Path, browser: Browser) -> Iterator[Callable[..., Workplace]]:
    """Opens a site: `workplace(texts=..., kind=...)`."""
    with ExitStack() as stack:
        opened: list[Workplace] = []

        def make(*, size: tuple[int, int] = (1366, 800), **settings) -> Workplace:
            site = make_site(tmp_path, **settings)
            url = stack.enter_context(served(site.store))
            context = browser.new_context(viewport={"width": size[0], "height": size[1]})
            stack.callback(context.close)
            opened.append(Workplace(site, url, context))
            return opened[-1]

        yield make
        assert [problem for each in opened for problem in each.problems] == []


def distinct(cards: int, items: int) -> list[list[str]]:
    """Texts of which no two are alike."""
    return [[f"answer {n} to prompt {i}" for n in range(cards)] for i in range(items)]


def markings(cards: int) -> list[tuple[str, ...]]:
    """Every weak order with every set of F marks, as competition ranks or F in card order."""
    found = set()
    for marks in product([*range(1, cards + 1), "F"], repeat=cards):
        ranks = [mark for mark in marks if mark != "F"]
        found.add(tuple("F" if m == "F" else str(1 + sum(r < m for r in ranks)) for m in marks))
    return sorted(found)


def on_page(page: Page) -> dict[str, str]:
    """What the person sees: the text of each card and the mark that is checked on it."""
    return dict(page.evaluate(SEEN))


def marks_in(work: Workplace) -> dict[str, dict[str, str]]:
    """item -> text -> competition rank or F, from the database file itself."""
    texts = dict(work.rows("select id, text from completion"))
    held = {}
    for item, body in work.rows("select item_id, body from answer"):
        said, rank = json.loads(body), 1
        marks = {texts[each]: "F" for each in said["rejected"]}
        for tier in said["tiers"]:
            marks |= {texts[each]: str(rank) for each in tier}
            rank += len(tier)
        held[item] = marks
    return held


def rank_all(work: Workplace, wanted: list[tuple[str, ...]]) -> dict[str, dict[str, str]]:
    """Give each marking by keyboard, an item each; return what the page showed before sending."""
    page, seen = work.open(), {}
    for marks in wanted:
        item = page.locator("#task").get_attribute("data-item")
        for mark in marks:
            page.keyboard.press(mark.lower())
        seen[item] = on_page(page)
        assert tuple(seen[item].values()) == marks
        page.keyboard.press("Control+Enter")
        page.wait_for_function(
            "item => document.getElementById('task')?.dataset.item !== item", arg=item
        )
    return seen


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


def serious(page: Page) -> list[str]:
    """What axe calls serious or worse; colours are looked at in both themes."""
    found = Axe().run(page).response["violations"]
    page.emulate_media(color_scheme="dark")
    found += Axe().run(page, options={"runOnly": ["color-contrast"]}).response["violations"]
    page.emulate_media(color_scheme="light")
    return [
        f"{each['id']}: {node['html'][:120]}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


@pytest.mark.slow
def test_no_page_has_a_serious_fault_that_axe_finds(workplace):
    work = workplace(texts=[["w\n" * 300, "x", "y"], ["u", "v", "w"]])
    page, home, faults = work.page, work.site.home, {}
    page.emulate_media(reduced_motion="reduce")
    stranger = work.site.store.people.create("eve", "labeler")
    work.site.store.projects.join(work.site.project.id, stranger.rater_id)
    for path, keys in (
        ("/work", ""),
        (home, ""),
        (home, "1 2 Control+Enter"),
        (home, "g"),
        (home, "?"),
        (home, "s"),
        (home + "?formatted=1", "n"),
        (home + "/instructions", ""),
    ):
        work.open(path)
        work.press(keys)
        faults[path + keys] = serious(page)
    page.goto(work.url + home)
    work.press("1 2 3 Control+Enter")
    expect(page.locator(".so-far b")).to_have_text("1/2")
    action = page.locator("#task").get_attribute("action")
    faults["skip"] = serious(work.open(action + "/skip"))
    work.open(home + "/back")
    faults["undo"] = serious(page)
    second = work.context.new_page()
    second.goto(page.url)
    second.keyboard.press("f")
    second.keyboard.press("Control+Enter")
    second.wait_for_url("**" + home)
    work.press("3 Control+Enter")
    expect(page.locator("h1")).to_have_text("Two versions of your answer")
    faults["conflict"] = serious(page)
    work.open(home)
    work.press("1 2 3 Control+Enter")
    expect(page.locator("h1")).to_have_text("All done")
    faults["done"] = serious(page)
    person = (work.site.project.id, work.site.labeler.rater_id)
    work.site.store.projects.set_standing(*person, "paused", "Many ties", "")
    faults["paused"] = serious(work.open(home))
    cookie = {"name": "ha_session", "value": work.site.token(stranger), "url": work.url}
    work.context.add_cookies([cookie])
    faults["consent"] = serious(work.open(home))
    work.site.store.projects.consent(work.site.project.id, stranger.rater_id)
    faults["instructions"] = serious(work.open(home))
    page.goto(f"{work.url}{home}/gate?step=quiz")
    faults["questions"] = serious(page)
    for number in range(3):
        page.locator(f"[name=q{number}]").first.check()
    page.get_by_role("button", name="Check my answers").click()
    faults["explained"] = serious(page)
    assert {place: found for place, found in faults.items() if found} == {}


@pytest.mark.parametrize("kind", ["ranking", "pairwise"])
def test_a_phone_shows_everything_without_sideways_scrolling(workplace, kind):
    cards = 2 if kind == "pairwise" else 9
    texts = [[f"{n} " + "unbreakable" * 20 for n in range(cards)]]
    work = workplace(kind=kind, texts=texts, size=(320, 640))
    page = work.open()
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    boxes = [box.bounding_box() for box in page.locator(".option, #submit, .more:visible").all()]
    assert all(box["width"] >= 24 and box["height"] >= 24 for box in boxes)
    assert serious(page) == []


@pytest.mark.parametrize("size", [(320, 640), (1024, 700), (1366, 800), (1920, 1000)])
def test_nothing_moves_while_one_ranks(workplace, size):
    work = workplace(texts=[["w", "x", "y", "z"]], size=size)
    page = work.open()
    heights = """() => [...document.querySelectorAll('.answer, .finish')].map(
        (place) => place.getBoundingClientRect().height)"""
    before = page.evaluate(heights)
    for key in "1==f":
        page.keyboard.press(key)
        assert page.evaluate(heights) == before
