"""A real browser, and a site with a window on it, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from workplace import make_site, served

from browser.windows import ARGS, Workplace

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    player = pytest.importorskip("playwright.sync_api")
    with player.sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=chromium, args=ARGS)


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
