"""The ranking page looked at: by axe, on a phone, and while one ranks."""

from __future__ import annotations

import pytest

pytest.importorskip("playwright", reason="playwright is not installed; `make install` installs it")
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect


def serious(page: Page) -> list[str]:
    """What axe calls serious or worse; colours are looked at in both themes."""
    # Without motion, for a colour on its way to another is neither.
    page.emulate_media(reduced_motion="reduce")
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
