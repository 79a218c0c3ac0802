"""The live page in a real browser: curves come and grow, alerts show, runs lie over each other."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from watched_runs import HOSTILE, alert, append, make_run, steps

from humanalign.web.local import serving_app
from humanalign.web.watch.app import create_app

pytestmark = pytest.mark.slow
WIDE, NARROW = {"width": 1200, "height": 900}, {"width": 320, "height": 640}
REWARD = "figure[data-metric='align/reward'] canvas"


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """A round with a run at work that has an alert and hostile samples, and a finished one."""
    root = tmp_path_factory.mktemp("runs")
    live = make_run(root / "round" / "align", steps(1, 10))
    append(live, "alerts.jsonl", [alert()])
    said = {"prompt": HOSTILE, "completion": HOSTILE, "reward": 1.0}
    append(live, "rollouts.jsonl", [{"step": 2, **said}])
    done = {"value": 0.8, "ci_low": 0.7, "ci_high": 0.9, "n": 50}
    make_run(
        root / "round" / "other",
        steps(1, 30, **{"align/entropy": 1.0}),
        config={"kl": {"coef": 0.2}},
        status="finished",
        summary={"share": done},
    )
    return root


@pytest.fixture(scope="module")
def site(runs) -> Iterator[str]:
    with serving_app(create_app(runs)) as address:
        yield address


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport=WIDE)
    made = context.new_page()
    problems: list[str] = []
    made.on("pageerror", lambda error: problems.append(str(error)))
    made.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    yield made
    context.close()
    assert problems == []


def open_run(page, site: str, name: str = "align") -> None:
    page.goto(site)
    page.get_by_role("link", name=name, exact=True).click()
    page.wait_for_selector(f"{REWARD}[data-drawn]")


def test_a_run_shows_its_curves_and_grows_as_lines_are_added(page, site, runs):
    open_run(page, site)
    live = runs / "round" / "align"
    drawn = int(page.get_attribute(REWARD, "data-drawn"))
    append(live, "metrics.jsonl", steps(drawn + 1, drawn + 3))
    append(live, "rollouts.jsonl", [{"step": 12, "completion": "Newest of all."}])
    page.wait_for_selector(f"{REWARD}[data-drawn='{drawn + 3}']", timeout=5000)
    assert page.inner_text("#progress").startswith(f"step {drawn + 3} of 50")
    page.get_by_text("Newest of all.").wait_for(timeout=5000)
    assert "Newest" in page.inner_text("#rollouts article:first-child")


def test_an_alert_is_listed_with_its_samples_and_its_action(page, site):
    open_run(page, site)
    alerts = page.locator("#alert-list li")
    assert "The distance is 9.0 nats (limit 6.0): raise kl.coef." in alerts.inner_text()
    page.get_by_text("1 sample that shows it").click()
    assert "<img src=x" in alerts.inner_text()


def test_what_a_model_said_is_text_and_nothing_else(page, site):
    open_run(page, site)
    page.wait_for_selector("#rollouts article")
    assert page.locator("#rollouts img, #rollouts script, #alert-list img").count() == 0
    assert "<script>alert(1)</script>" in page.locator("#rollouts").text_content()
    assert "broken in" not in page.title()


def test_zoom_cursor_and_table_work_by_keyboard(page, site):
    open_run(page, site, "other")
    page.locator("#cursor").focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    caption = page.locator("figure[data-metric='align/reward'] output")
    caption.filter(has_text="2.70").wait_for()  # step 27, a tenth of it
    page.get_by_role("button", name="Zoom in").press("Enter")
    whole = page.get_by_role("button", name="Whole run")
    page.locator("[aria-disabled=false]").wait_for()
    whole.press("Enter")
    page.locator("[aria-disabled=true]").wait_for()
    page.get_by_text("The last values as a table").click()
    assert page.locator("#values tr").first.inner_text().split("\t")[:3] == ["Reward", "3", "30"]


def test_two_runs_lie_over_each_other_with_what_differs(page, site):
    page.goto(site)
    page.get_by_label("Compare round/align").check()
    assert page.get_by_role("button", name="Compare").is_disabled()
    page.get_by_label("Compare round/other").check()
    page.get_by_role("button", name="Compare").click()
    page.wait_for_selector(f"{REWARD}[data-drawn]")
    assert page.locator("figure[data-metric='align/reward'] output span").count() == 2
    assert "kl.coef" in page.locator("#settings tbody tr").first.inner_text()
    assert "0.800 [0.700" in page.inner_text("#numbers")


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_axe_finds_nothing_serious_in_light_or_dark_and_every_page_fits(browser, site, size):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    # The page's own policy lets no other script run; axe is one.
    # Without motion, or colours would be looked at on their way to the dark.
    context = browser.new_context(viewport=size, bypass_csp=True, reduced_motion="reduce")
    page = context.new_page()
    page.goto(site)
    links = page.locator("tbody a")
    links.first.wait_for()
    addresses = {link.inner_text(): str(link.get_attribute("href")) for link in links.all()}
    compare = "/compare?" + "&".join(f"run={each[6:]}" for each in addresses.values())
    found, widths = [], []
    for path in ("/", compare, addresses["align"]):
        page.goto(site + path)
        page.wait_for_selector("canvas[data-drawn]" if path != "/" else "tbody a")
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        page.emulate_media(color_scheme="light")
        found += axe.run(page).response["violations"]
        # In the dark only colours differ; axe is on the page already.
        page.emulate_media(color_scheme="dark")
        found += page.evaluate("axe.run({ runOnly: ['color-contrast'] })")["violations"]
        widths.append(page.evaluate("document.documentElement.scrollWidth"))
    context.close()
    serious = [each for each in found if each["impact"] in ("serious", "critical")]
    assert [(each["id"], each["nodes"][0]["html"]) for each in serious] == []
    assert widths == [size["width"]] * len(widths)


def test_a_run_of_20_000_steps_opens_in_less_than_a_second(browser, tmp_path):
    """The first time too: nothing of this folder was read before the page is asked for."""
    path = make_run(tmp_path / "long")
    (path / "metrics.jsonl").write_text("".join(line(step) for step in range(1, 20_001)))
    page, first, again = browser.new_page(viewport=WIDE), [], []
    for _ in range(2):  # the better of two: another worker's burst is not the page's fault
        with serving_app(create_app(tmp_path)) as address:
            id = page.request.get(f"{address}/api/runs").json()["runs"][0]["id"]
            page.goto("about:blank")
            first.append(seconds_to_curves(page, f"{address}/runs/{id}"))
            again.append(seconds_to_curves(page, f"{address}/runs/{id}"))
            drawn = int(page.get_attribute(REWARD, "data-drawn"))
            append(path, "metrics.jsonl", [{"step": 20_001 + len(first), "align/reward": 5.0}])
            page.wait_for_selector(f"{REWARD}[data-drawn='{drawn + 1}']", timeout=5000)
            page.goto("about:blank")
        if first[-1] < 1.0 and again[-1] < 1.0:
            break
    page.close()
    assert (min(first) < 1.0, min(again) < 1.0) == (True, True), (first, again)


LOOK = ("proxy", "kl", "gold", "gold_low", "gold_high", "gap")


def line(step: int) -> str:
    """A row as the trainer writes it: 29 metrics, and every tenth step the monitor's look.

    Spelt by hand, as json.dumps takes longer than all that is tested here.
    """
    names = [f"align/metric{n}" for n in range(28)]
    if step % 10 == 0:
        names += [f"monitor/{name}" for name in LOOK]
    others = "".join(f', "{name}": {math.cos(step)}' for name in names)
    return f'{{"step": {step}, "align/reward": {math.sin(step / 900)}{others}}}\n'


def seconds_to_curves(page, address: str) -> float:
    """From the start of the navigation until the first curves are on the screen."""
    page.goto(address)
    page.wait_for_selector(f"{REWARD}[data-drawn]")
    return page.evaluate("performance.getEntriesByName('curves')[0].startTime") / 1000
