"""The way of a file into a project: looked at first, stored after a yes, named by its own name."""

from __future__ import annotations

import json
import re

import pytest
from conftest import OWN, Browser
from desk import home
from workplace import make_site

from humanalign.prefer.store.project_settings import ProjectSettings
from humanalign.web.app import create_app
from humanalign.web.owner import held

EVIL = '<script>alert("x")</script><img src=x onerror=alert(1)>'


def test_an_import_is_shown_first_and_stored_after_a_yes(fresh, boss):
    rows = [
        {"prompt": f"{EVIL} q{n}", "completions": ["x", "y"], "ranks": [1, 2]} for n in range(3)
    ]
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    address = f"{home(fresh)}/import"
    token = {"csrf": boss.token(address)}
    own = {"Sec-Fetch-Site": "same-origin"}
    before = fresh.store.figures.counts(fresh.project.id).items
    shown = boss.post(address, data=token, files={"file": ("g.jsonl", content)}, headers=own)
    assert shown.status_code == 200
    assert "<script>alert" not in shown.text
    assert fresh.store.figures.counts(fresh.project.id).items == before
    held = re.findall(r'name="held" value="(\w+)"', shown.text)[0]
    other = fresh.store.projects.create("Other", "ranking", "helpful").id
    astray = boss.post(f"/owner/{other}/import", data={**token, "held": held}, headers=own)
    assert astray.status_code == 422
    stored = boss.post(address, data={**token, "held": held, "layout": ""}, headers=own)
    assert stored.status_code == 303
    assert fresh.store.figures.counts(fresh.project.id).items == before + 3
    gone = boss.post(address, data={**token, "held": held, "layout": ""}, headers=own)
    assert gone.status_code == 422
    assert "choose it again" in gone.text


def test_a_broken_file_is_one_sentence_with_its_line(fresh, boss):
    address = f"{home(fresh)}/import"
    token = {"csrf": boss.token(address)}
    own = {"Sec-Fetch-Site": "same-origin"}
    broken = b'{"prompt": "a", "completions": ["x", "y"], "ranks": [1, 2]}\n{"prompt": \n'
    refused = boss.post(address, data=token, files={"file": ("g.jsonl", broken)}, headers=own)
    assert refused.status_code == 422
    assert re.search(r"(line|row) 2", refused.text)


def sent(boss: Browser, address: str, name: str, rows: list[dict]) -> str:
    """Upload rows as a file and return the page that shows what was recognised."""
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    token = {"csrf": boss.token(address)}
    return boss.post(address, data=token, files={"file": (name, content)}, headers=OWN).text


def yes(boss: Browser, address: str, page: str) -> str:
    """Store what a page shows."""
    token = {"csrf": boss.token(address), "layout": ""}
    token["held"] = re.findall(r'name="held" value="(\w+)"', page)[0]
    return boss.post(address, data=token, headers=OWN).text


def test_the_log_names_the_file_as_its_sender_did(fresh, boss):
    address, name = f"{home(fresh)}/import", "März, round 2.jsonl"
    yes(boss, address, sent(boss, address, name, [{"prompt": "q", "completions": ["x", "y"]}]))
    entry = next(each for each in fresh.store.audit.page() if each.action == "import")
    assert entry.detail["file"] == name.removesuffix(".jsonl")


def test_what_is_wrong_when_storing_names_the_senders_file(fresh, boss):
    address = f"{home(fresh)}/import"
    page = sent(boss, address, "colours.jsonl", [{"prompt": "q", "completions": ["x", "y"]}])
    token = re.findall(r'name="held" value="(\w+)"', page)[0]
    held.look_up(token, fresh.project.id)[0].write_bytes(b"{broken\n")
    said = yes(boss, address, page)
    assert "colours.jsonl" in said
    assert token not in said


@pytest.mark.parametrize(("scale", "fits"), [(3, False), (5, True), (7, False)])
def test_a_rating_on_another_scale_is_told_before_anything_is_stored(tmp_path, scale, fits):
    site = make_site(tmp_path, "rating", settings=ProjectSettings(scale=5))
    owner = site.store.people.create("Olga", "owner")
    boss = Browser(create_app(site.store), base_url="http://localhost", follow_redirects=False)
    boss.enter(site.store.people.open_session(owner.rater_id))
    row = {"prompt": "q", "completion": "x", "rating": 2, "rater": "r1", "scale": scale}
    page = sent(boss, f"{home(site)}/import", "ratings.jsonl", [row])
    assert ("Store it" in page) is fits, page
    assert (f"ratings: rates from 1 to {scale}, but project" in page) is not fits
    if fits:
        yes(boss, f"{home(site)}/import", page)
        assert site.store.figures.counts(site.project.id).answers == 1
    site.store.close()


def test_a_file_by_another_criterion_is_told_in_the_preview(fresh, boss):
    row = {"prompt": "q", "completions": ["x", "y"], "ranks": [1, 2], "criterion": "honest"}
    page = sent(boss, f"{home(fresh)}/import", "ranks.jsonl", [row])
    assert "Store it" not in page
    assert "by &#39;honest&#39;" in page
