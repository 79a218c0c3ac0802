"""Telling the owner what is wrong with a task, in a real browser: the task stays as it was."""

from __future__ import annotations

import pytest

from browser.windows import distinct, on_page


@pytest.mark.parametrize("size", [(1366, 800), (320, 640)])
def test_a_report_is_sent_from_a_dialog_and_the_marks_stay(workplace, size):
    work = workplace(texts=distinct(2, 2), size=size)
    page = work.open()
    item = page.locator("#task").get_attribute("data-item")
    work.press("2")
    before = on_page(page)
    page.locator("[data-report]:visible").click()
    work.press("ArrowDown ArrowDown")
    page.locator("#report-note").fill("It asks for code, not for prose.")
    page.locator("#report-dialog button.primary").click()
    page.wait_for_selector("#reported:not([hidden])")
    assert page.locator("#report-dialog").is_hidden()
    kept = work.rows("select item_id, kind, reason, note from flag")
    assert kept == [(item, "report", "wrong instructions", "It asks for code, not for prose.")]
    assert on_page(page) == before
    assert work.answers() == 0


def test_a_report_that_finds_no_network_stays_in_its_dialog_and_says_so(workplace):
    work = workplace(texts=distinct(2, 1))
    page = work.open()
    page.locator("[data-report]:visible").click()
    work.press("ArrowDown")
    work.context.set_offline(True)
    page.locator("#report-dialog button.primary").click()
    page.wait_for_function(
        "document.querySelector('#report-dialog [role=alert]').textContent.includes('not be sent')"
    )
    work.context.set_offline(False)
    page.locator("#report-dialog button.primary").click()
    page.wait_for_selector("#reported:not([hidden])")
    assert work.rows("select count(*) from flag") == [(1,)]


def test_the_dialog_has_no_fault_that_axe_calls_serious(workplace):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = workplace(texts=distinct(2, 1)).open()
    page.locator("[data-report]:visible").click()
    found = axe.run(page).response["violations"]
    assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []
