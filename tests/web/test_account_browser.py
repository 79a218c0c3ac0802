"""The account pages in a real browser: accessible, narrow, in either direction, without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright
from workplace import Site, served

from humanalign.web.guard import SESSION

PASSWORD = "four plain words"
RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def address(site: Site) -> Iterator[str]:
    site.store.people.create("carol", "labeler", password=PASSWORD)
    with served(site.store) as found:
        yield found


@pytest.fixture(scope="module")
def chrome(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as play:
        yield play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])


@pytest.fixture(scope="module")
def paths(site: Site) -> dict[str, str]:
    """Every page of this room by its address, and who looks at it."""
    invites = site.store.people.invites
    join = f"/join/{invites.new('labeler', project_id=site.project.id, by='test')}"
    enter = f"/enter/{invites.owner_link()}"
    return {"/sign-in": "", join: "", join + "?lang=ar": "", enter: "", "/me": "ann", "/no": "ann"}


@contextmanager
def opened(
    chrome: Browser, address: str, path: str = "/sign-in", session: str = "", **settings
) -> Iterator[Page]:
    context = chrome.new_context(base_url=address, **settings)
    if session:
        context.add_cookies([{"name": SESSION, "value": session, "url": address}])
    page = context.new_page()
    page.goto(path)
    yield page
    context.close()


@pytest.mark.parametrize(("scheme", "rules"), [("light", RULES), ("dark", ["color-contrast"])])
def test_axe_finds_nothing_on_the_account_pages(
    chrome, address, paths, site: Site, scheme: str, rules: list[str]
):
    found = {}
    for path, who in paths.items():
        session = site.token() if who else ""
        # The policy of the site would keep the checker out as it keeps every foreign script out.
        settings = {"color_scheme": scheme, "bypass_csp": True}
        with opened(chrome, address, path, session, **settings) as page:
            page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
            checked = Axe().run(page, options={"runOnly": rules}).response["violations"]
            found |= {f"{path} {each['id']}": each["nodes"][0]["html"] for each in checked}
    assert found == {}


def test_every_account_page_fits_a_screen_of_320_pixels(chrome, address, paths, site: Site):
    wide = {}
    for path, who in paths.items():
        size = {"width": 320, "height": 640}
        with opened(chrome, address, path, site.token() if who else "", viewport=size) as page:
            wide[path] = page.evaluate("document.documentElement.scrollWidth")
    assert set(wide.values()) == {320}


def test_nothing_comes_from_elsewhere_and_nothing_is_refused(chrome, address, paths, site: Site):
    asked, complaints = set(), []
    for path, who in paths.items():
        with opened(chrome, address, "/health", site.token() if who else "") as page:
            page.on("request", lambda request: asked.add(request.url))
            page.on("console", lambda said: complaints.append(said.text))
            page.goto(path)
    assert {url for url in asked if not url.startswith((address, "data:"))} == set()
    assert [said for said in complaints if "404" not in said] == []


def test_people_sign_in_without_scripts(chrome, address):
    with opened(chrome, address, java_script_enabled=False) as page:
        page.fill("#name", "carol")
        page.fill("#password", PASSWORD)
        page.press("#password", "Enter")
        page.wait_for_url("**/work")


def test_the_theme_stays_as_chosen(chrome, address):
    with opened(chrome, address, color_scheme="light") as page:
        ground = "getComputedStyle(document.documentElement).backgroundColor"
        before = page.evaluate(ground)
        page.click("[data-theme-switch]")
        page.click("[data-theme-switch]")
        page.reload()
        assert page.get_attribute("html", "data-theme") == "dark"
        assert page.evaluate(ground) != before


def test_a_password_can_be_looked_at_and_is_hidden_again(chrome, address):
    with opened(chrome, address) as page:
        page.fill("#password", PASSWORD)
        kinds = []
        for _ in range(2):
            page.click("[data-shows]")
            kinds.append((page.get_attribute("#password", "type"), page.inner_text("[data-shows]")))
        assert kinds == [("text", "Hide"), ("password", "Show")]


def test_the_skip_link_is_first_and_leads_to_the_content(chrome, address, site: Site):
    with opened(chrome, address, "/me", site.token()) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
