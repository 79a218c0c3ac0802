"""The report in a real browser: samples are sorted, found and turned over; nothing is fetched."""

from __future__ import annotations

import json

import pytest
from round_folder import write_round

from humanalign.evaluate.report.page import report

pytestmark = pytest.mark.slow

HOSTILE = "<img src=x onError=\"document.title='pwned'\"> \U0001f600 Zoë"
AREA = ".browser[data-run='evaluate']"


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    folder = write_round(tmp_path_factory.mktemp("runs") / "round", n=60, steps=30, everything=True)
    file = folder / "evaluate/samples.jsonl"
    rows = [json.loads(line) for line in file.open()]
    place = HOSTILE.index("Zoë")
    rows[7] |= {
        "after": HOSTILE,
        "prompt": HOSTILE,
        "unsupported_after": [[place, place + 3, "name"]],
    }
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return report(folder)


@pytest.fixture(scope="module")
def rows(page_file):
    return [json.loads(line) for line in (page_file.parent / "evaluate/samples.jsonl").open()]


@pytest.fixture
def opened(browser, page_file):
    """A window of a size and scheme on the page; at the end nothing was fetched or complained."""
    contexts, problems, requests = [], [], []

    def make(width=1100, scheme="light", **more):
        context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme, **more
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: problems.append(said.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(page_file.as_uri())
        return page

    yield make
    for context in contexts:
        context.close()
    assert problems == []
    assert set(requests) == {page_file.as_uri()}


def shown(page):
    """The answers after, as a reader sees them on this page of the browser."""
    return page.locator(f"{AREA} .after .said").all_inner_texts()


def changes(rows):
    return [row["toxicity_after"] - row["toxicity_before"] for row in rows]


def test_samples_are_sorted_by_the_change_in_the_chosen_score(opened, rows):
    page = opened()
    area = page.locator(AREA)
    area.get_by_label("Order").select_option(label="greatest rise first")
    best = sorted(rows, key=lambda row: row["toxicity_before"] - row["toxicity_after"])
    assert shown(page)[0].startswith(best[0]["after"].split()[0])
    told = area.locator(".scores .chosen b").first.inner_text()
    assert told.split(" → ")[1][:4] == f"{best[0]['toxicity_after']:.3f}"[:4]
    area.get_by_label("Score").select_option(label="Length, words")
    area.get_by_label("Order").select_option(label="lowest after first")
    lengths = [float(t.split(" → ")[1]) for t in area.locator(".chosen b").all_inner_texts()]
    assert lengths == sorted(row["length_after"] for row in rows)[:5]


def test_worse_and_unsupported_are_filtered_and_counted(opened, rows):
    page = opened()
    area = page.locator(AREA)
    area.get_by_label("Show").select_option(label="got worse")
    worse = sum(change > 0 for change in changes(rows))
    assert f"of {worse} found among 60" in area.get_by_role("status").inner_text()
    area.get_by_label("Show").select_option(label="unsupported after")
    flagged = sum(bool(row["unsupported_after"]) for row in rows)
    assert f"of {flagged} found among 60" in area.get_by_role("status").inner_text()
    assert area.locator("u.unsupported").count() >= 5


def test_hostile_words_are_found_and_stay_words_with_their_span_in_place(opened):
    page = opened()
    area = page.locator(AREA)
    area.get_by_label("Find").fill("ONERROR")
    assert area.get_by_role("status").inner_text() == "1 to 1 of 1 found among 60"
    assert area.locator(".after .said").text_content().replace("name?", "") == HOSTILE
    assert area.locator("u.unsupported").text_content() == "Zoëname?"
    assert page.locator("img").count() == 0
    assert page.title() != "pwned"


def test_pages_are_turned_by_button_and_by_key_and_stop_at_the_ends(opened):
    page = opened()
    area = page.locator(AREA)
    status = area.get_by_role("status")
    first = shown(page)
    assert area.get_by_role("button", name="Previous").first.is_disabled()
    area.get_by_role("button", name="Next").first.click()
    assert status.inner_text().startswith("6 to 10 of 60")
    page.keyboard.press("ArrowRight")
    assert status.inner_text().startswith("11 to 15 of 60")
    for _ in range(2):
        page.keyboard.press("ArrowLeft")
    assert shown(page) == first
    page.keyboard.press("ArrowLeft")
    assert status.inner_text().startswith("1 to 5 of 60")
    area.get_by_label("Find").focus()
    page.keyboard.press("ArrowRight")
    assert status.inner_text().startswith("1 to 5 of 60")


def test_without_a_script_and_in_print_twenty_pairs_stand_where_the_browser_was(opened):
    plain = opened(java_script_enabled=False)
    assert plain.locator("section .pairs").first.locator("article").count() == 20
    assert plain.locator(".pairs").first.is_visible()
    page = opened()
    assert page.locator(".pairs").first.is_hidden()
    page.emulate_media(media="print")
    assert page.locator(".pairs").first.is_visible()
    assert page.locator(AREA).is_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(opened, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    # The page's own policy lets no other script run; axe is one.
    page = opened(scheme=scheme, bypass_csp=True)
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    # What a scheme can change is colour: the rest need be looked at only once.
    rules = {"runOnly": ["color-contrast"]} if scheme == "dark" else {}
    found = axe.run(page, options=rules).response["violations"]
    serious = [each for each in found if each["impact"] in ("serious", "critical")]
    assert [(each["id"], each["nodes"][0]["html"]) for each in serious] == []


def test_the_page_fits_a_phone_of_320_pixels(opened):
    page = opened(width=320)
    assert page.evaluate("document.documentElement.scrollWidth") == 320


def test_a_command_is_copied_by_its_button(opened):
    page = opened(permissions=["clipboard-read", "clipboard-write"])
    button = page.locator("#s1 .command button")
    button.click()
    page.wait_for_function("document.querySelector('#s1 .command button').textContent != 'Copy'")
    assert button.inner_text() == "Copied"
    assert (
        page.evaluate("navigator.clipboard.readText()")
        == page.locator("#s1 .command code").inner_text()
    )
