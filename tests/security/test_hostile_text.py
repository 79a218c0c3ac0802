"""Attacks in every text field, and every page looked at in a real browser: none of them works."""

from __future__ import annotations

import html
import json
import re
from collections import defaultdict
from collections.abc import Iterator

import pytest
from fastapi.routing import iter_route_contexts
from playwright.sync_api import Browser, Page, sync_playwright
from workplace import served

from humanalign.web.app import create_app
from security.hostile_site import HostileSite, fill, pages
from security.payloads import ALL, SHORT, joined, tagged
from security.watched import Watch, signed_in

pytestmark = pytest.mark.slow
# Routes that answer a GET with something else than a page.
NO_PAGES = re.compile(r"/api/v1/(?!docs)|/health|/static/|/me/data|/live$|\.jsonl$|/$")
HOSTILE_FILE = '"><img src=x onerror=window.broken=1>.jsonl'


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostileSite]:
    made = fill(tmp_path_factory.mktemp("hostile"))
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def address(hostile: HostileSite) -> Iterator[str]:
    with served(hostile.store) as found:
        yield found


@pytest.fixture(scope="module")
def chrome(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as play:
        yield play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])


@pytest.fixture(scope="module")
def watch(hostile: HostileSite, address: str, chrome: Browser) -> Watch:
    """Every page opened once, by those who can; and every form sent that shows texts again."""
    watch = Watch(address)
    wanted = defaultdict(list)
    for who, path in pages(hostile):
        wanted[who].append(path)
    for who, paths in wanted.items():
        with signed_in(chrome, watch, hostile.session(who)) as page:
            for path in paths:
                page.goto(path)
                watch.look(page, f"{who} {path}")
    _send_forms(hostile, chrome, watch)
    return watch


def _send_forms(hostile: HostileSite, chrome: Browser, watch: Watch) -> None:
    ranking = hostile.projects["ranking"].id
    with signed_in(chrome, watch, "") as page:
        _sent(page, watch, "/sign-in", name=SHORT[0], password="x", next=f"/{SHORT[6]}")
    with signed_in(chrome, watch, hostile.session("worker")) as page:
        _work(page, watch, f"/work/{ranking}")
    with signed_in(chrome, watch, hostile.session("third")) as page:
        gate = f"/work/{hostile.projects['pairwise'].id}/gate"
        version = hostile.store.projects.instructions(hostile.projects["pairwise"].id).id
        wrong = {f"q{n}": "1" for n in range(3)}
        _sent(page, watch, gate, step="quiz", version=version, **wrong)
    with signed_in(chrome, watch, hostile.session("owner")) as page:
        owner = f"/owner/{ranking}"
        text = {"text": joined(100_000), "q0": ALL[0], "q0-0": ALL[1], "q0-why": ALL[2]}
        _sent(page, watch, f"{owner}/instructions", do="preview", **text)
        long = {"warning": joined(2001) + "x" * 2000, "overlap": SHORT[24], "consent": ALL[9]}
        _sent(page, watch, f"{owner}/settings", **long)
        _sent(page, watch, "/owner/new", name=SHORT[6] * 9, own=SHORT[4], definition=joined(999))
        _sent(page, watch, "/owner/tokens", name=SHORT[23], whose="me")
        _sent(page, watch, f"{owner}/invites", note=joined(900), role=SHORT[1], hours=SHORT[2])
        _sent(page, watch, f"{owner}/invites", note=joined(400), role="labeler", hours="1")
        _sent(page, watch, f"{owner}/consensus", method=SHORT[0])
        _import(page, watch, owner)
        _live(page, watch, owner)


def _sent(page: Page, watch: Watch, path: str, **fields: str) -> None:
    """Send a form as the site's own page would, and look at what comes."""
    page.goto("/work" if path.startswith("/work") else "/sign-in" if path == "/sign-in" else "/me")
    script = """([path, fields]) => {
      const form = document.createElement("form");
      form.method = "post";
      form.action = path;
      fields.csrf = document.querySelector("meta[name=csrf]").content;
      for (const [name, value] of Object.entries(fields)) {
        const field = document.createElement("textarea");
        Object.assign(field, { name, value });
        form.append(field);
      }
      document.body.append(form);
      HTMLFormElement.prototype.submit.call(form);
    }"""
    with page.expect_navigation():
        page.evaluate(script, [path, fields])
    watch.look(page, f"POST {path} {sorted(fields)}")


def _work(page: Page, watch: Watch, home: str) -> None:
    """The ranking page by its scripts: instructions, note, submit, the next task, a conflict."""
    page.goto(home)
    item = page.get_attribute("#task", "data-item") or ""
    page.keyboard.press("g")
    page.wait_for_selector(".drawer-body article")
    watch.look(page, "the drawer of instructions")
    page.keyboard.press("g")
    for key in "1234":
        page.keyboard.press(key)
    page.keyboard.press("n")
    page.fill("#note", joined(3000))
    with page.expect_response(lambda answer: answer.request.method == "POST"):
        page.keyboard.press("Control+Enter")
    page.wait_for_function(
        "item => document.querySelector('#task')?.dataset.item !== item", arg=item
    )
    watch.look(page, "the next task, put in place by a script")
    stale = {f"mark.{letter}": "1" for letter in "ABCD"} | {
        "note": joined(3000),
        SHORT[0]: SHORT[1],
    }
    _sent(page, watch, f"{home}/items/{item}", key="k", revision="0", **stale)
    assert "Two versions" in watch.shown[-1]
    fields = {"mark.A": SHORT[23], "note": joined(3000), "timing": SHORT[25], "revision": "0"}
    task = page.goto(home) and page.get_attribute("#task", "data-item")
    _sent(page, watch, f"{home}/items/{task}", key="l", **fields)
    _sent(page, watch, f"{home}/items/{task}/skip", reason=SHORT[0], note=ALL[3])
    page.goto(f"{home}/items/{task}/skip")
    watch.look(page, "the skip page")
    about = dict.fromkeys(("about_country", "about_gender", "about_languages"), joined(200))
    _sent(page, watch, "/me/profile", language=SHORT[0], theme=SHORT[1], **about)
    _sent(page, watch, "/me/delete", word=SHORT[23])


def _import(page: Page, watch: Watch, owner: str) -> None:
    """A file of attacks: its name, its columns, its words, its raters."""
    row = {"prompt": joined(3000), "completions": tagged()[:9], "ranks": [1] * 9, "rater": "r"}
    rows = [
        {
            **row,
            "prompt": text + "!",
            "rater": text[:128],
            "models": [text] * 9,
            "note": text,
            text: text,
        }
        for text in ALL
    ]
    whole = "\n".join(map(json.dumps, rows)).encode()
    broken = json.dumps({text: text for text in SHORT}).encode()
    cut = (json.dumps(rows[0]) + "\n" + SHORT[0]).encode()
    for body in (broken, cut, whole):
        page.goto(f"{owner}/import")
        file = {"name": HOSTILE_FILE, "mimeType": "text/html", "buffer": body}
        page.set_input_files("#file", files=[file])
        with page.expect_navigation():
            page.click("main button.primary")
        watch.look(page, f"an import of {len(body)} bytes")
    with page.expect_navigation():
        page.click("text=Store it")
    for path in ("", "/labelers", "/items", "/statistics", "/exports"):
        page.goto(owner + path)
        watch.look(page, f"after the import: {path}")


def _live(page: Page, watch: Watch, owner: str) -> None:
    """The live queue as the page's script renews it."""
    page.clock.install()
    page.goto(owner)
    with page.expect_response(f"**{owner}/live"):
        page.clock.run_for(6000)
    page.wait_for_timeout(100)
    watch.look(page, "the live queue, renewed")


@pytest.mark.parametrize(
    "attack",
    [
        "<img src=x onerror=window.broken=1>",
        "<img src=//evil.example/x>",
        "<iframe></iframe>",
        "<a href='javascript:1'>x</a>",
        "<a href='https://evil.example'>x</a>",
        "<p style='color:red'>x</p>",
        "<form action=//evil.example></form>",
        "<script></script>",
    ],
)
def test_the_watch_sees_an_attack_that_works(chrome: Browser, address: str, attack: str):
    watch = Watch(address)
    with signed_in(chrome, watch, "") as page:
        page.goto("/sign-in")
        page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", attack)
        watch.look(page, "sign-in")
    assert watch.faults != []


def test_the_watch_sees_a_request_to_elsewhere(chrome: Browser, address: str):
    watch = Watch(address)
    with signed_in(chrome, watch, "") as page:
        page.goto("/sign-in")
        page.evaluate("fetch('https://evil.example/').catch(() => 0)")
        watch.look(page, "sign-in")
    assert "evil.example" in "".join(watch.faults)


def test_no_attack_in_any_field_works_on_any_page(watch: Watch):
    assert watch.faults == []


def test_every_page_of_the_site_was_looked_at(watch: Watch, hostile: HostileSite):
    routes = {
        route.path
        for route in iter_route_contexts(create_app(hostile.store).routes)
        if "GET" in (route.methods or ()) and not NO_PAGES.search(route.path or "/")
    }
    asked = {url.removeprefix(watch.address).partition("?")[0] for url in watch.statuses}
    patterns = {re.sub(r"{\w+(:path)?}", "[^/]+", path or ""): path for path in routes}
    missed = [path for p, path in patterns.items() if not any(re.fullmatch(p, u) for u in asked)]
    assert len(routes) > 25
    assert missed == []


def test_the_attacks_were_on_the_pages_and_shown_as_what_they_are(watch: Watch):
    everything = html.unescape("\n".join(watch.shown)) + "\n".join(watch.shown)
    plain = [text for text in SHORT if text not in everything]
    assert plain == []
    assert len(SHORT) > 60
    assert {tag[:5] for tag in tagged()} - set(re.findall(r"q\d{3}q", everything)) == set()


def test_no_template_or_format_worked_an_attack_out(watch: Watch):
    everything = "\n".join(watch.shown)
    assert "zz49zz" not in everything
    assert "<class '" not in everything
