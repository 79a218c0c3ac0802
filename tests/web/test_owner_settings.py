"""What an owner chooses, and what the pages then say: adaptive overlap, covered answers, votes."""

from __future__ import annotations

import json

from conftest import OWN
from desk import home

from humanalign.prefer.files.reading import read_judgements
from humanalign.prefer.files.uploads import read_upload

ADAPTIVE = 'name="adaptive" value="1"'


def test_a_new_project_asks_more_about_contested_items_unless_its_owner_says_no(boss):
    store, form = boss.app.state.store, {"kind": "ranking", "criterion": "helpful"}
    assert f"{ADAPTIVE} checked" in boss.get("/owner/new").text
    for name, sent, kept in (("Yes", {"adaptive": "1"}, True), ("No", {}, False)):
        assert boss.fill("/owner/new", name=name, **form, **sent).status_code == 303
        assert store.projects.named(name).settings.adaptive is kept


def test_the_overview_says_who_asks_about_contested_items(fresh, boss):
    address = f"{home(fresh)}/settings"
    assert "only when you say so" in boss.get(home(fresh)).text
    assert boss.fill(address, adaptive="1", contested_overlap="7").status_code == 303
    assert "put to up to 7 labelers by themselves" in boss.get(home(fresh)).text
    assert f"{ADAPTIVE} checked" in boss.get(address).text


def test_the_settings_say_that_covering_covers_everything(fresh, boss):
    page = boss.get(f"{home(fresh)}/settings").text
    assert "nothing is scored or picked" in page


def take_in(site, tmp_path, rater: str | None) -> None:
    """Three items from a file, each judged twice."""
    rows = [
        {"prompt": f"q{n}", "completions": ["x", "y"], "ranks": ranks}
        | ({"rater": f"{rater}{k}"} if rater else {})
        for n in range(3)
        for k, ranks in enumerate(([1, 2], [2, 1]))
    ]
    path = tmp_path / "votes.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with path.open("rb") as stream, read_upload(stream, path.name) as upload:
        found = read_judgements(upload, criterion="helpful")
    site.store.take_in(site.project.id, found, overlap=0)


def test_votes_without_names_are_said_to_be_places_in_a_file(fresh, boss, tmp_path):
    assert "are places in an imported file" not in boss.get(f"{home(fresh)}/labelers").text
    take_in(fresh, tmp_path, None)
    page = boss.get(f"{home(fresh)}/labelers").text
    assert "Rows such as <bdi>vote-1</bdi> are places in an imported file" in page
    assert "no account here" not in page


def test_raters_of_a_file_are_said_to_have_no_account(fresh, boss, tmp_path):
    take_in(fresh, tmp_path, "worker-")
    page = boss.get(f"{home(fresh)}/labelers", headers=OWN).text
    assert "2 of them have no account here" in page
    assert "are places in an imported file" not in page
