"""A labeler's browser without scripts: it reads the form on a page, fills it in and sends it."""

from __future__ import annotations

import html
import re
import sqlite3

from httpx2 import Response
from starlette.testclient import TestClient
from workplace import Site

from humanalign.prefer.store.people import Account
from humanalign.web.app import create_app

OWN = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}


class Labeler:
    """A browser without scripts: it reads the form on a page, fills it in and sends it."""

    def __init__(self, site: Site, who: Account | None = None) -> None:
        self.site = site
        self.client = TestClient(
            create_app(site.store), base_url="http://localhost", follow_redirects=False
        )
        token = site.token(who)
        self.client.cookies.set("ha_session", token, domain="localhost.local")

    def get(self, path: str = "") -> Response:
        return self.client.get(path or self.site.home, headers={"Accept": "text/html"})

    def send(self, path: str, fields: dict[str, str]) -> Response:
        return self.client.post(path, data=fields, headers=OWN)

    def form(self, page: Response) -> tuple[str, dict[str, str]]:
        """(address, fields) of the task on a page, with what is entered in it already."""
        text = page.text[page.text.index('<form id="task"') : page.text.index("</form>\n<")]
        action = re.findall(r'action="([^"]+)"', text)[0]
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', text))
        checked = r'name="([\w.]+)" value="(\w+)"[^>]* checked'
        note = re.findall(r"<textarea[^>]*>([^<]*)</textarea>", text)[0]
        return action, {k: html.unescape(v) for k, v in fields.items()} | dict(
            re.findall(checked, text)
        ) | {"note": note}

    def answer(self, **marks: str) -> Response:
        """Give marks by card to the next task."""
        action, fields = self.form(self.get())
        named = {f"mark.{card}": mark for card, mark in marks.items()}
        return self.send(action, fields | named)


def rows(site: Site, query: str) -> list[tuple]:
    """What the database file holds, read past our own code."""
    with sqlite3.connect(site.store.url) as connection:
        return connection.execute(query).fetchall()
