"""Download my data: every row about a person, whatever table it is in, and nothing of others."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Browser
from workplace import Site, make_site

from humanalign.prefer.store.queue import Submission
from humanalign.prefer.store.schema import metadata
from humanalign.web.app import create_app

TEXTS = [("Red.", "Green."), ("Up.", "Down."), ("In.", "Out."), ("On.", "Off.")]
OF_PEOPLE = [table.name for table in metadata.sorted_tables if "rater_id" in table.c]


def lived(site: Site) -> None:
    """Ann and Ben answer twice, report, skip with a note, leave a draft, and make a token."""
    queue, project = site.store.queue, site.project.id
    for who in (site.labeler, site.hired("ben")):
        me = who.rater_id
        first = queue.next(project, me)
        for revision, marks in enumerate(({"A": 1, "B": 2}, {"A": 2, "B": 1})):
            note = f"thought {revision} of {who.name}"
            key = f"{me} {revision}"
            queue.submit(Submission(first.item_id, me, marks, key, revision, note=note))
        second = queue.next(project, me)
        queue.report(second.item_id, me, "broken", f"half a prompt for {who.name}")
        queue.skip(second.item_id, me, "other", f"private words of {who.name}")
        third = queue.next(project, me)
        queue.save_draft(third.item_id, me, {"marks": {"A": 1}, "note": f"draft of {who.name}"})
        site.store.people.new_token(me, f"laptop of {who.name}", me)
        site.store.people.open_session(me)
        site.store.projects.set_standing(project, me, "paused", f"too fast, {who.name}", "L-OWNER")
        site.store.projects.set_standing(project, me, "active", "", "L-OWNER")
        # A shortcut that the store writes for long queues only.
        with sqlite3.connect(site.store.url) as connection:
            connection.execute("insert into reached values (?, ?, 1, 0, 0, '[]')", (project, me))


@pytest.fixture
def downloaded(tmp_path: Path) -> Iterator[tuple[Site, str]]:
    site = make_site(tmp_path, texts=TEXTS)
    lived(site)
    browser = Browser(create_app(site.store), base_url="http://localhost", follow_redirects=False)
    text = browser.enter(site.token()).get("/me/data").text
    yield site, text
    site.store.close()


def test_every_row_of_every_table_that_names_the_person_is_in_it(downloaded):
    site, text = downloaded
    held = json.loads(text)
    with sqlite3.connect(site.store.url) as connection:
        counts = {
            table: connection.execute(
                f"select count(*) from {table} where rater_id = ?", (site.labeler.rater_id,)
            ).fetchone()[0]
            for table in OF_PEOPLE
        }
    assert all(counts.values()), counts
    assert {table: len(held.get(table, ())) for table in OF_PEOPLE} == counts


def test_what_the_person_wrote_is_in_it_word_for_word(downloaded):
    _, text = downloaded
    written = ("thought 0 of ann", "thought 1 of ann", "half a prompt for ann", "draft of ann")
    written += ("private words of ann", "laptop of ann", "too fast, ann")
    assert [words for words in written if words not in text] == []
    held = json.loads(text)
    assert [row["entered"]["marks"] for row in held["answer"]] == [
        *({"A": 1, "B": 2}, {"A": 2, "B": 1})
    ]
    assert (held["membership"][0]["tries"], held["membership"][0]["score"]) == (1, 1.0)


def test_neither_others_nor_secrets_nor_who_wrote_an_answer_are_in_it(downloaded):
    site, text = downloaded
    with sqlite3.connect(site.store.url) as connection:
        read = ("hash from session", "hash from api_token", "id from completion")
        secrets = [value for each in read for (value,) in connection.execute(f"select {each}")]
    others = [site.store.people.named("ben").rater_id, "of ben", "L-OWNER", "secret-"]
    assert [each for each in [*secrets, *others] if each in text] == []


def test_the_invite_that_was_used_is_in_it(fresh):
    token = fresh.store.people.invites.new("labeler", project_id=fresh.project.id, by="L-OWNER")
    zoe = fresh.store.people.invites.accept(token, "zoe")
    used = fresh.store.people.everything_about(zoe.rater_id)["invite"]
    assert [(each["role"], bool(each["used_by_me"])) for each in used] == [("labeler", True)]
