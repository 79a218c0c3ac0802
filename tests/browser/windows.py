"""A labeler's browser window on a site that is served, and what the page and the file say."""

from __future__ import annotations

import json
import sqlite3
from itertools import product
from typing import TYPE_CHECKING

from workplace import Site

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Request

ARGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]

SEEN = """() => [...document.querySelectorAll(".answer")].map((card) => [
    card.querySelector(".text").innerText,
    card.querySelector("input:checked")?.value,
])"""


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
