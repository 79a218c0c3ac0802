"""The owner's pages: who may do what, hostile words, forms, figures, and the way of a file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from conftest import Browser, Open
from desk import home, signed_in, work
from workplace import Site, make_site, served

from humanalign.prefer.ranks import competition_marks
from humanalign.prefer.store.project_settings import RANGES
from humanalign.prefer.store.queue import Submission
from humanalign.types import Prompt
from humanalign.web.app import create_app
from humanalign.web.guard import SESSION
from humanalign.web.owner import charts, words

EVIL = '<script>alert("x")</script><img src=x onerror=alert(1)>'
PROJECT = (
    *("", "/live", "/labelers", "/items", "/items?show=contested", "/statistics", "/consensus"),
    *("/exports", "/instructions", "/settings"),
)
STORE_WIDE = ("/owner", "/owner/people", "/owner/tokens", "/owner/audit")
FOR_OWNERS = ("/import", "/invites")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[Site]:
    """Three labelers answered four items whose every text is hostile."""
    texts = [(f"{EVIL}{n}a", f"{EVIL}{n}b", f"{EVIL}{n}c") for n in range(4)]
    prompts = [Prompt(f"{EVIL} {n}", source=EVIL) for n in range(4)]
    made = make_site(tmp_path_factory.mktemp("owner"), texts=texts, prompts=prompts)
    for who in (made.labeler, made.hired("Ben <b>"), made.hired("Eve")):
        work(made, who)
    task = made.store.queue.task(made.items[0], made.labeler.rater_id)
    tied = {card.letter: 1 for card in task.cards}
    made.store.queue.submit(
        Submission(task.item_id, made.labeler.rater_id, tied, "again", 1, note=EVIL)
    )
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def owner(site: Site, app, people) -> Browser:
    return signed_in(site, app, people["owner"])


def addresses(site: Site) -> list[str]:
    base = home(site)
    deep = [f"/items/{site.items[0]}", f"/labelers/{site.labeler.rater_id}"]
    return [*STORE_WIDE, *(base + each for each in (*PROJECT, *deep))]


def test_an_owner_and_a_reviewer_read_every_page_and_nobody_else_does(site, browser: Open, people):
    browsers = {name: browser(each) for name, each in people.items()}
    browsers["nobody"] = browser()
    expected = {"owner": 200, "reviewer": 200, "member": 404, "stranger": 404, "nobody": 303}
    got = {
        (name, address): each.get(address).status_code
        for name, each in browsers.items()
        for address in addresses(site)
    }
    wrong = {key: status for key, status in got.items() if status != expected[key[0]]}
    assert wrong == {}


def test_a_reviewer_changes_nothing_and_sees_no_way_to(site, browser: Open, people):
    reviewer = browser(people["reviewer"])
    base = home(site)
    token = reviewer.token("/owner")
    for address in ("/owner/new", *(base + each for each in FOR_OWNERS)):
        assert reviewer.get(address).status_code == 404
    posts = ["/owner/new", "/owner/tokens", f"/owner/people/{people['member'].rater_id}/erase"]
    ends = ("/settings", "/status", "/instructions", "/consensus", "/invites", "/import", "/items")
    posts += [base + each for each in ends]
    posts += [f"{base}/items/{site.items[0]}", f"{base}/labelers/{site.labeler.rater_id}"]
    for address in posts:
        answer = reviewer.post(address, data={"csrf": token}, headers={"Sec-Fetch-Site": "none"})
        assert answer.status_code == 404, address
    forms = {
        form
        for address in addresses(site)
        for form in re.findall(r'<form method="post" action="([^"]*)"', reviewer.get(address).text)
    }
    assert forms == {"/sign-out"}


def test_no_page_runs_or_styles_what_others_wrote(site, owner):
    for address in addresses(site):
        text = owner.get(address).text
        assert "<script>alert" not in text, address
        assert "<img src=x" not in text, address
        assert not re.findall(r"<[a-z][^>]*\s(?:style|on\w+)=", text), address
        assert not re.findall(r"<script(?![^>]*\ssrc=)", text), address


def test_the_item_page_shows_every_answer_and_who_wrote_what(site, owner):
    text = owner.get(f"{home(site)}/items/{site.items[0]}").text
    assert all(f"secret-{n}" in text for n in range(3))
    assert all(name in text for name in ("ann", "Ben &lt;b&gt;", "Eve"))
    assert "History of revisions" in text
    detail = site.store.figures.items.item(site.project.id, site.items[0])
    rows = re.findall(r'<td class="n" data-label="([ABC])">(\d|F)</td>', text)
    shown = [tuple(mark for _, mark in rows[n : n + 3]) for n in range(0, 9, 3)]
    newest = {each.rater_id: each for each in detail.given}
    expected = []
    for given in newest.values():
        marks = competition_marks(given.body["tiers"], given.body["rejected"])
        expected.append(tuple(str(marks[each.id]) for each in detail.completions))
    assert shown == expected


def test_unknown_projects_items_labelers_and_versions_are_not_found(site, owner):
    base = home(site)
    odd = ("/items/0000000000000000", "/labelers/nobody", "/instructions/1", "/exports/zip")
    odd += ("/consensus/9.jsonl", "/items/%00", "/labelers/%00")
    for address in ("/owner/0000000000000000", "/owner/%00", *(base + each for each in odd)):
        assert owner.get(address).status_code == 404, address


def test_a_new_project_starts_with_instructions_and_says_what_is_wrong_with_a_form(boss):
    form = {"name": "Jokes", "kind": "pairwise", "criterion": "honest", "overlap": "2"}
    refused = boss.fill("/owner/new", **{**form, "overlap": "two"})
    assert refused.status_code == 422
    assert "overlap: expected a number, got &#39;two&#39;" in refused.text
    assert 'value="Jokes"' in refused.text
    made = boss.fill("/owner/new", **form)
    assert made.status_code == 303
    page = boss.get(made.headers["location"]).text
    assert "Version 1" in page
    assert "honest" in page
    store = boss.app.state.store
    assert store.projects.named("Jokes").settings.overlap == 2
    assert len(store.projects.instructions(store.projects.named("Jokes").id).quiz) >= 3


def test_a_preview_stores_nothing_and_publishing_asks_everybody_again(fresh, boss):
    address = f"{home(fresh)}/instructions"
    before = fresh.store.projects.instructions(fresh.project.id)
    quiz = {"q0": "Which?", "q0-0": "This", "q0-2": "That", "q0-answer": "2", "q0-why": "It is."}
    whole = {"": "?", "-0": "a", "-1": "b", "-why": "So."}
    quiz |= {f"q{n}{end}": text for n in (1, 2) for end, text in whole.items()}
    shown = boss.fill(address, text="# New\n\n<b>x</b>", do="preview", **quiz)
    assert "<h2>New</h2>" in shown.text
    assert "&lt;b&gt;x" in shown.text
    assert fresh.store.projects.versions(fresh.project.id) == [before]
    assert boss.fill(address, text="# New", do="publish", **quiz).status_code == 303
    newest = fresh.store.projects.instructions(fresh.project.id)
    assert (newest.number, newest.text.strip()) == (2, "# New")
    assert newest.quiz[0].options == ("This", "That")
    assert newest.quiz[0].answer == 1
    assert fresh.store.projects.gate(fresh.project.id, fresh.labeler.rater_id) == "instructions"


def test_an_unfinished_question_is_named(fresh, boss):
    address = f"{home(fresh)}/instructions"
    sent = {"text": "x", "do": "publish", "q0": "Which?", "q0-0": "", "q0-1": "That"}
    refused = boss.fill(address, **sent)
    assert refused.status_code == 422
    assert "question 1: the answer marked as right is empty" in refused.text


def test_a_labeler_is_paused_and_taken_back_with_reasons_in_the_log(fresh, boss):
    address = f"{home(fresh)}/labelers/{fresh.labeler.rater_id}"
    for action in ("pause", "ask", "reinstate"):
        assert boss.fill(address, action=action).status_code == 422
    assert boss.fill(address, action="pause", reason="too fast").status_code == 303
    gate = fresh.store.projects.gate
    assert gate(fresh.project.id, fresh.labeler.rater_id) == "paused"
    assert boss.fill(address, action="reinstate", reason="talked").status_code == 303
    assert gate(fresh.project.id, fresh.labeler.rater_id) == "open"
    assert boss.fill(address, action="ask", reason="new rules").status_code == 303
    assert gate(fresh.project.id, fresh.labeler.rater_id) == "instructions"
    log = boss.get("/owner/audit").text
    assert all(reason in log for reason in ("too fast", "talked", "new rules"))


def test_settings_are_kept_and_a_wrong_one_is_told(fresh, boss):
    address = f"{home(fresh)}/settings"
    assert boss.fill(address, overlap="4", blur="1", warning="Rude words.").status_code == 303
    kept = fresh.store.projects.get(fresh.project.id).settings
    assert (kept.overlap, kept.blur, kept.warning) == (4, True, "Rude words.")
    assert boss.fill(address, overlap="inf").status_code == 422
    assert boss.fill(address.replace("settings", "status"), form=address, status="paused")
    assert fresh.store.projects.get(fresh.project.id).status == "paused"


def test_the_form_takes_what_the_store_takes(fresh, boss):
    page = boss.get(f"{home(fresh)}/settings").text
    for name, (low, high) in RANGES.items():
        field = re.findall(rf'<input id="{name}"[^>]*>', page)[0]
        ends = [float(each) for each in re.findall(r'(?:min|max)="([\d.]+)"', field)]
        assert ends == [low, high], name


def test_two_more_labelers_are_asked_about_one_item(fresh, boss):
    address = f"{home(fresh)}/items/{fresh.items[0]}"
    assert boss.fill(address).status_code == 303
    assert fresh.store.figures.items.item(fresh.project.id, fresh.items[0]).overlap == 5


def test_more_labelers_are_asked_where_the_first_ones_disagree(fresh, boss):
    for turn, who in enumerate((fresh.labeler, fresh.hired("Ben"), fresh.hired("Eve"))):
        task = fresh.store.queue.next(fresh.project.id, who.rater_id)
        letters = {card.completion_id: card.letter for card in task.cards}
        ids = sorted(letters)
        marks = {letters[each]: (n + turn) % 3 + 1 for n, each in enumerate(ids)}
        fresh.store.queue.submit(Submission(task.item_id, who.rater_id, marks, f"key {turn}"))
    address = f"{home(fresh)}/items"
    contested = boss.get(f"{address}?show=contested").text
    assert fresh.items[0] in contested
    sent = boss.fill(address, form=f"{address}?show=contested")
    assert sent.headers["location"].endswith("done=more")
    asked = fresh.store.figures.items.item(fresh.project.id, fresh.items[0]).overlap
    assert asked == fresh.project.settings.contested_overlap == 5


@pytest.mark.parametrize(
    ("kind", "marks", "shown"),
    [
        ("thumb", {"A": "down"}, "down"),
        ("rating", {"A": 3, "B": 1}, "1: B  3: A"),
        ("pairwise", {"A": 1, "B": 1}, "A=B"),
    ],
)
def test_every_kind_of_project_has_all_its_pages(tmp_path, kind, marks, shown):
    made = make_site(tmp_path, kind, (("Red.",),) if kind == "thumb" else (("Red.", "Green."),))
    for who in (made.labeler, made.hired("Ben")):
        task = made.store.queue.next(made.project.id, who.rater_id)
        sent = Submission(task.item_id, who.rater_id, marks, who.rater_id)
        made.store.queue.submit(sent)
    boss = signed_in(made, create_app(made.store), made.store.people.create("Olga", "owner"))
    assert {each: boss.get(each).status_code for each in addresses(made)} == dict.fromkeys(
        addresses(made), 200
    )
    page = boss.get(f"{home(made)}/labelers/{made.labeler.rater_id}").text
    assert shown in page
    assert "could not be computed" not in boss.get(home(made)).text


def test_an_invite_lets_one_person_in_and_can_be_withdrawn(fresh, boss):
    address = f"{home(fresh)}/invites"
    shown = boss.fill(address, role="labeler", hours="2", note="for Zoe")
    token = re.findall(r"http://localhost/join/([\w-]+)", shown.text)[0]
    assert fresh.store.people.invites.open(token).project_id == fresh.project.id
    assert token not in boss.get(address).text
    hash = re.findall(rf'action="{address}/(\w+)"', boss.get(address).text)[0]
    assert boss.fill(f"{address}/{hash}", form=address).status_code == 303
    assert fresh.store.people.invites.open(token) is None


def test_a_token_is_shown_once_works_and_ends_when_revoked(fresh, boss):
    shown = boss.fill("/owner/tokens", name="judge", whose="program")
    secret = re.findall(r'value="(ha_[\w-]+)"', shown.text)[0]
    assert fresh.store.people.of_token(secret).role == "program"
    page = boss.get("/owner/tokens").text
    assert secret not in page
    (revoke,) = re.findall(r'action="(/owner/tokens/\w+)"', page)
    assert boss.fill(revoke, form="/owner/tokens").status_code == 303
    assert fresh.store.people.of_token(secret) is None


def test_deleting_a_persons_data_takes_the_name_everywhere(fresh, boss):
    rater = fresh.labeler.rater_id
    assert boss.fill(f"/owner/people/{rater}/erase", form="/owner/people").status_code == 303
    for address in ("/owner/people", "/owner/audit", f"{home(fresh)}/labelers"):
        assert not re.search(r"\bann\b", boss.get(address).text)


def test_a_consensus_is_made_and_downloaded_as_it_is_stored(fresh, boss):
    work(fresh, fresh.labeler)
    address = f"{home(fresh)}/consensus"
    assert boss.fill(address, method="borda").status_code == 303
    sent = boss.get(f"{address}/1.jsonl")
    (row,) = [json.loads(line) for line in sent.text.splitlines()]
    (kept,) = fresh.store.agreed.rows(fresh.project.id, 1)
    assert row["marks"] == competition_marks(kept.ranking.tiers, kept.ranking.rejected)
    assert "attachment" in sent.headers["content-disposition"]
    assert boss.fill(address, method="magic").status_code == 422


def test_an_export_is_streamed_by_split_and_refuses_what_it_does_not_know(site, owner):
    base = f"{home(site)}/exports"
    everything = owner.get(f"{base}/groups").text.splitlines()
    assert len(everything) == 12
    parts = [owner.get(f"{base}/groups?split={each}").text for each in ("train", "test")]
    assert sorted("".join(parts).splitlines()) == sorted(everything)
    for query in ("split=all", "container=.exe", "of=7", "of=x", "ties=maybe"):
        assert owner.get(f"{base}/preference?{query}").status_code in (404, 422), query


def test_the_live_figures_are_those_of_the_store(fresh, boss):
    fresh.store.queue.next(fresh.project.id, fresh.labeler.rater_id)
    seen = boss.get(f"{home(fresh)}/live").json()
    assert (seen["filled"], seen["held"], seen["last"]) == ("0", "1", 0)
    assert "ann" in seen["queue"]


@pytest.mark.slow
def test_every_page_is_accessible_fits_a_phone_and_breaks_no_policy(site, people, chromium):
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    faults: list[str] = []

    def note(said) -> None:
        faults.append(said.text)

    with served(site.store) as address, sync_playwright() as player:
        browser = player.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for width, scheme in ((320, "light"), (1280, "dark")):
            context = browser.new_context(
                viewport={"width": width, "height": 800}, color_scheme=scheme
            )
            cookie = {"name": SESSION, "value": site.token(people["owner"]), "url": address}
            context.add_cookies([cookie])
            page = context.new_page()
            page.on("console", note)
            for path in [*addresses(site), "/owner/new", *(home(site) + e for e in FOR_OWNERS)]:
                if path.endswith("/live"):
                    continue
                page.goto(address + path)
                wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
                found = [
                    f"{path} {width}: {each['id']} {each['nodes'][0]['html'][:90]}"
                    for each in Axe().run(page).response["violations"]
                    if each["impact"] in ("serious", "critical")
                ]
                faults += found + [f"{path} {width}: wider than the window"] * wide
        browser.close()
    assert faults == []


def test_numbers_read_as_people_write_them():
    assert words.percent(0.9999) == "99 %"
    assert words.percent(None) == "–"
    assert [words.span(each) for each in (4.2, 42, 600, 7200, 300_000)] == [
        *("4.2 s", "42 s", "10 min", "2 h"),
        "3 days",
    ]
    assert words.decimal(-0.5) == "−0.50"
    assert [charts._round_up(each) for each in (0, 5, 11, 408, 3000)] == [4, 6, 20, 600, 4000]
