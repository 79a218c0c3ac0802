"""Gold items: the owner says the right marks, labelers meet the item like any other."""

from __future__ import annotations

from pathlib import Path

import pytest
from workplace import Site, make_site

from humanalign.errors import DataError
from humanalign.prefer.store.project_settings import ProjectSettings
from humanalign.prefer.store.queue import Submission

pytestmark = pytest.mark.usefixtures("either_database")

TEXTS = [("Red.", "Green."), ("Up.", "Down."), ("In.", "Out.")]


@pytest.fixture
def gilded(tmp_path: Path) -> tuple[Site, str]:
    """Three items and a gold one after each answer; the last item is gold."""
    site = make_site(tmp_path, texts=TEXTS, settings=ProjectSettings(gold_every=1))
    item = site.store.items.item(site.project.id, site.items[-1])
    marks = {each.id: n for n, each in enumerate(item.completions, start=1)}
    site.store.queue.set_gold(item.id, marks, "L-OWNER")
    return site, item.id


def work(site: Site, rater_id: str) -> list[str]:
    """Answer everything; the items in the order met."""
    met = []
    while (task := site.store.queue.next(site.project.id, rater_id)) is not None:
        marks = {card.letter: n for n, card in enumerate(task.cards, start=1)}
        site.store.queue.submit(Submission(task.item_id, rater_id, marks, f"{rater_id}{len(met)}"))
        met.append(task.item_id)
    return met


def test_everybody_who_answers_meets_the_gold_item_second(gilded):
    site, gold = gilded
    crew = [site.labeler, *(site.hired(f"labeler {n}") for n in range(4))]
    met = [work(site, account.rater_id) for account in crew]
    # Overlap 3: the two who come last find nothing but gold, and only after an answer.
    assert [gold in each for each in met[:3]] == [True] * 3
    assert [each[1] for each in met[:3]] == [gold] * 3
    given = {each.rater_id for each in site.store.items.item(site.project.id, gold).given}
    assert given == {account.rater_id for account in crew[:3]}


def test_nothing_a_labeler_is_given_says_that_an_item_is_gold(gilded):
    site, gold = gilded
    work(site, site.labeler.rater_id)
    task = site.store.queue.task(gold, site.labeler.rater_id)
    assert not any("gold" in str(value).lower() for value in vars(task).values())


def test_gold_marks_can_be_taken_back_and_both_are_audited(gilded):
    site, gold = gilded
    site.store.queue.set_gold(gold, None, "L-OWNER")
    assert site.store.items.item(site.project.id, gold).gold is None
    actions = [entry.action for entry in site.store.audit.page()]
    assert actions.count("gold") == 2


def test_a_gold_mark_is_missing(gilded):
    site, gold = gilded
    one = site.store.items.item(site.project.id, gold).completions[0].id
    with pytest.raises(DataError, match="has no mark"):
        site.store.queue.set_gold(gold, {one: 1}, "L-OWNER")
