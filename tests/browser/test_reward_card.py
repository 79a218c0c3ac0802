"""The reward card in a real browser: it fits a phone, and axe finds nothing serious."""

from __future__ import annotations

from pathlib import Path

import pytest
from reward_cards import card

from humanalign.evaluate.report.page import report
from humanalign.run import Run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page_file(tmp_path_factory) -> Path:
    run = Run.open(tmp_path_factory.mktemp("runs") / "reward", stage="reward", config={})
    run.finish({"accuracy": card()["accuracy"], "card": card()})
    return report(run.path)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_the_card(browser, page_file, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    # The page's own policy lets no other script run; axe is one.
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(page_file.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    found = axe.run(page).response["violations"]
    context.close()
    serious = [each for each in found if each["impact"] in ("serious", "critical")]
    assert [(each["id"], each["nodes"][0]["html"]) for each in serious] == []


def test_the_card_fits_a_phone_with_its_pictures_whole(browser, page_file):
    context = browser.new_context(viewport={"width": 320, "height": 640})
    page = context.new_page()
    page.goto(page_file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    ends = page.evaluate(
        "[...document.querySelectorAll('.plots svg, td.strip svg')]"
        ".map((each) => each.getBoundingClientRect().right)"
    )
    context.close()
    assert max(ends) <= 320
