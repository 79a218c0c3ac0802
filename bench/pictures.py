"""The pictures of the labelling app in docs/images/labelling: every page, light, dark and narrow.

    make pictures                     # needs Chromium; writes one picture a page

A store of the bundled world is filled by simulated labelers (six careful ones, one who read the
instructions backwards, one who guesses), served, and walked through in a headless browser.
"""

from __future__ import annotations

import argparse
import base64
import random
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from humanalign.prefer.store import FeedbackStore
from humanalign.prefer.store.asking import Item
from humanalign.prefer.store.queue import Submission, Task
from humanalign.tiny import lessons, world
from humanalign.tiny.labelers import Labeler, pool
from humanalign.types import Comparison, Completion, Prompt, Sampler
from humanalign.web.guard import SESSION
from humanalign.web.local import serving

OUT = Path("docs/images/labelling")
ITEMS, ANSWERS = 48, 4
WIDE, NARROW, TALL = 1200, 320, 820
ARGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking")
NAMES = ("Amal", "Bea", "Chidi", "Dana", "Emre", "Fern", "Gus", "Hal")


@dataclass(frozen=True)
class Site:
    """A filled store: its projects by name, the sessions of an owner and a fresh labeler."""

    store: FeedbackStore
    projects: dict[str, str]
    owner: str
    labeler: str
    newcomer: str
    invite: str
    speaker: str


class Clock:
    """Seconds that pass as the labelers work, ending about now."""

    def __init__(self, start: float) -> None:
        self.now = start

    def __call__(self) -> float:
        return self.now


def fill(path: Path, clock: Clock) -> Site:
    """A store with three projects, eight labelers at work and one who is new."""
    store = FeedbackStore(path, clock=clock)
    owner = store.people.create("Robin", "owner", password="a long enough password")
    projects = {
        "Summaries": _project(store, "Summaries", "ranking", ANSWERS, 0),
        "Base or tuned": _project(store, "Base or tuned", "pairwise", 2, 1000),
        "Safe to show": _project(store, "Safe to show", "rating", 1, 2000),
    }
    people = [store.people.create(name, "labeler") for name in NAMES]
    for account in people:
        _admit(store, projects["Summaries"], account.rater_id)
    _work(
        store,
        projects["Summaries"],
        dict(zip([a.rater_id for a in people], pool(0), strict=True)),
        clock,
    )
    labeler = store.people.create("Kim", "labeler")
    for project_id in projects.values():
        _admit(store, project_id, labeler.rater_id)
    speaker = store.people.create("Salma", "labeler", language="ar")
    _admit(store, projects["Summaries"], speaker.rater_id)
    newcomer = store.people.create("Lou", "labeler")
    store.projects.join(projects["Summaries"], newcomer.rater_id)
    store.agreed.make(projects["Summaries"], "borda", owner.rater_id)
    store.people.new_token(owner.rater_id, "nightly export", owner.rater_id)
    invite = store.people.invites.new(
        "labeler", project_id=projects["Summaries"], by=owner.rater_id, note="the Tuesday group"
    )
    sessions = [store.people.open_session(a.rater_id) for a in (owner, labeler, newcomer, speaker)]
    owner_in, labeler_in, newcomer_in, speaker_in = sessions
    return Site(store, projects, owner_in, labeler_in, newcomer_in, invite, speaker_in)


def _project(store: FeedbackStore, name: str, kind: str, answers: int, first: int) -> str:
    project = store.projects.create(name, kind, "harmless")
    rng = random.Random(f"pictures {name}")
    prompts, completions, items = [], [], []
    for number in range(ITEMS):
        scene = world.scene(first + number)
        asked = world.as_prompt(scene, "train")
        texts: list[str] = []
        for _ in range(200):
            if len(texts) == answers:
                break
            text = lessons.draft(scene, rng, 0.4, 0.3).text
            if text not in texts:
                texts.append(text)
        written = [
            Completion(asked.id, text, Sampler(("base", "tuned")[place % 2], seed=place))
            for place, text in enumerate(texts)
        ]
        prompts.append(asked)
        completions += written
        ids = tuple(each.id for each in written)
        items.append(Item(asked.id, ids, "harmless", kind))
    store.queue.add(project.id, prompts, completions, items, overlap=3)
    return project.id


def _admit(store: FeedbackStore, project_id: str, rater_id: str) -> None:
    store.projects.join(project_id, rater_id)
    store.projects.consent(project_id, rater_id)
    version = store.projects.instructions(project_id)
    store.projects.record_quiz(project_id, rater_id, version.id, 1.0)


def _work(store: FeedbackStore, project_id: str, crew: dict[str, Labeler], clock: Clock) -> None:
    """Everybody answers in turns until the first of them finds nothing left."""
    rng = random.Random("pictures at work")
    version = store.projects.instructions(project_id).id
    for _ in range(ITEMS * 3 * 4 // 5 // len(crew)):
        for rater_id, labeler in crew.items():
            task = store.queue.next(project_id, rater_id)
            if task is None:
                return
            spent = rng.uniform(14, 60)
            clock.now += spent / len(crew)
            if rng.random() < 0.02:
                store.queue.skip(task.item_id, rater_id, "unclear")
                continue
            store.queue.submit(
                Submission(
                    item_id=task.item_id,
                    rater_id=rater_id,
                    marks=_marks(labeler, task),
                    key=f"{rater_id}/{task.item_id}",
                    instructions=version,
                    note="Two of these say the same." if rng.random() < 0.03 else "",
                    timing={"active": round(spent, 1), "changes": rng.randint(4, 7)},
                )
            )


def _marks(labeler: Labeler, task: Task) -> dict[str, int | str]:
    ids = tuple(card.completion_id for card in task.cards)
    letter = {card.completion_id: card.letter for card in task.cards}
    asked = Comparison(task.prompt.id, ids, "harmless")
    prompt: Prompt = task.prompt
    ranking = labeler.rank(asked, prompt, {c.completion_id: c.text for c in task.cards})
    marks: dict[str, int | str] = {letter[each]: "F" for each in ranking.rejected}
    for rank, tier in enumerate(ranking.tiers, start=1):
        marks.update({letter[each]: rank for each in tier})
    return marks


def pages(site: Site) -> dict[str, tuple[str, str]]:
    """Picture name -> (who looks, path)."""
    ranked, paired, rated = site.projects.values()
    owner = f"/owner/{ranked}"
    flagged = site.store.items.page(ranked)[0].id
    rater = site.store.people.named("Gus")
    assert rater is not None
    inside = ("labelers", "items", "statistics", "consensus", "exports", "import", "instructions")
    return {
        "sign-in": ("", "/sign-in"),
        "join": ("", f"/join/{site.invite}"),
        "consent": (site.newcomer, f"/work/{ranked}/gate"),
        "my-work": (site.labeler, "/work"),
        "ranking": (site.labeler, f"/work/{ranked}"),
        "ranking-arabic": (site.speaker, f"/work/{ranked}"),
        "pairwise": (site.labeler, f"/work/{paired}"),
        "rating": (site.labeler, f"/work/{rated}"),
        "guide": (site.labeler, f"/work/{ranked}/instructions"),
        "me": (site.labeler, "/me"),
        "projects": (site.owner, "/owner"),
        "new-project": (site.owner, "/owner/new"),
        "overview": (site.owner, owner),
        **{name: (site.owner, f"{owner}/{name}") for name in inside},
        "labeler": (site.owner, f"{owner}/labelers/{rater.rater_id}"),
        "item": (site.owner, f"{owner}/items/{flagged}"),
        "settings": (site.owner, f"{owner}/settings"),
        "invites": (site.owner, f"{owner}/invites"),
        "people": (site.owner, "/owner/people"),
        "tokens": (site.owner, "/owner/tokens"),
        "audit": (site.owner, "/owner/audit"),
    }


def shoot(browser: Browser, address: str, token: str, path: str, act: str) -> bytes:
    """One picture: the page light and dark and 320 pixels wide, side by side."""
    views = []
    for scheme, width in (("light", WIDE), ("dark", WIDE), ("light", NARROW)):
        context = browser.new_context(
            viewport={"width": width, "height": TALL}, color_scheme=scheme
        )
        if token:
            context.add_cookies([{"name": SESSION, "value": token, "url": address}])
        page = context.new_page()
        answer = page.goto(address + path)
        if answer is None or answer.status != 200:
            raise SystemExit(f"{path}: {answer and answer.status}")
        _act(page, act)
        views.append((width, page.screenshot()))
        context.close()
    return _side_by_side(browser, views)


def _act(page: Page, act: str) -> None:
    """What is done before the picture: ranks are given on the ranking pages."""
    if act.startswith("ranking"):
        for key in "21":
            page.keyboard.press(key)
        page.wait_for_timeout(400)


def _side_by_side(browser: Browser, views: list[tuple[int, bytes]]) -> bytes:
    scale = 0.5
    images = "".join(
        f'<img width="{width * scale:.0f}" src="data:image/png;base64,'
        f'{base64.b64encode(picture).decode()}">'
        for width, picture in views
    )
    total = sum(width * scale for width, _ in views) + 8 * (len(views) + 1)
    page = browser.new_page(
        viewport={"width": round(total), "height": round(TALL * scale + 16)},
        device_scale_factor=1.4,
    )
    page.set_content(
        "<style>body{margin:8px;background:#8a8f98;display:flex;gap:8px}img{display:block}</style>"
        + images
    )
    picture = page.screenshot(type="jpeg", quality=62)
    page.close()
    return picture


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--out", type=Path, default=OUT)
    options.add_argument("--only", default="", help="names of pictures, with commas")
    chosen = options.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp())
    clock = Clock(1_780_000_000.0)
    site = fill(folder / "feedback.db", clock)
    with serving(site.store) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(ARGS)
        )
        for name, (token, path) in pages(site).items():
            if chosen.only and name not in chosen.only.split(","):
                continue
            picture = shoot(browser, address, token, path, name)
            (chosen.out / f"{name}.jpg").write_bytes(picture)
            sys.stderr.write(f"{name}: {len(picture) // 1024} kB\n")
        browser.close()
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
