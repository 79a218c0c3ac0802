"""Excluding a labeler: what they answered is asked of others, and stays where it is."""

import time

import pytest

from humanalign.prefer.store.schema import slot
from humanalign.types import Rater
from prefer.stores import statements_of
from prefer.work import place, rows, send

pytestmark = pytest.mark.usefixtures("either_database")


def exclude(at, who, status="excluded"):
    at.store.projects.set_standing(at.project, who, status, "too fast", "L-OLGA")


def staffed(folder, **more):
    at = place(folder, **more)
    for who in ("ann", "bob", "cid", "dan"):
        at.store.projects.join(at.project, who)
    return at


def test_what_an_excluded_labeler_answered_is_asked_of_another(tmp_path):
    at = staffed(tmp_path, items=2, overlap=1)
    send(at, "ann")
    exclude(at, "ann")
    counts = at.store.figures.counts(at.project)
    assert (counts.complete, counts.slots - counts.filled) == (0, 2)
    assert [send(at, "bob").item_id for _ in range(2)] == at.ids
    assert [each.judgement.rater_id for each in at.store.records(at.project)] == ["bob", "bob"]
    assert at.queue.next(at.project, "cid") is None


def test_items_that_an_excluded_labeler_never_answered_are_asked_of_nobody_more(tmp_path):
    at = staffed(tmp_path, items=3, overlap=1)
    send(at, "ann")
    at.queue.next(at.project, "ann")
    exclude(at, "ann")
    assert len(rows(at, slot)) == 4


def test_the_page_of_an_item_counts_answers_that_count_of_those_wanted(tmp_path):
    at = staffed(tmp_path, overlap=2)
    for who in ("ann", "bob"):
        send(at, who)
    exclude(at, "ann")
    [row] = at.store.items.page(at.project)
    assert (row.answers, row.overlap) == (1, 2)
    send(at, "cid")
    [row] = at.store.items.page(at.project)
    assert (row.answers, row.overlap, at.store.items.overlaps(at.project)) == (
        2,
        2,
        {at.ids[0]: 2},
    )


def test_letting_a_labeler_back_in_leaves_the_slots_and_excluding_again_opens_no_more(tmp_path):
    at = staffed(tmp_path, overlap=1)
    send(at, "ann")
    for status in ("excluded", "active", "excluded", "active", "paused"):
        exclude(at, "ann", status)
    assert len(rows(at, slot)) == 2
    send(at, "bob")
    assert {each.judgement.rater_id for each in at.store.records(at.project)} == {"ann", "bob"}


def test_whoever_replaced_an_excluded_labeler_is_replaced_too(tmp_path):
    at = staffed(tmp_path, overlap=1)
    for who in ("ann", "bob", "cid"):
        send(at, who)
        exclude(at, who)
    assert send(at, "dan").extra is False


def test_asking_more_labelers_counts_those_whose_answers_count(tmp_path):
    at = staffed(tmp_path, overlap=3)
    send(at, "ann")
    exclude(at, "ann")
    at.queue.raise_overlap(at.ids, 5, "L-OLGA")
    free = [each for each in rows(at, slot) if not each["taken"]]
    assert len(free) == 5


def test_excluding_is_one_audit_entry_that_says_how_many_slots_it_opened(tmp_path):
    at = staffed(tmp_path, items=2, overlap=1)
    for _ in range(2):
        send(at, "ann")
    exclude(at, "ann")
    entry = at.store.audit.page()[0]
    assert (entry.action, entry.detail["status"], entry.detail["opened"]) == (
        "set standing",
        "excluded",
        2,
    )


def test_excluding_somebody_of_thousands_of_answers_is_as_few_statements(tmp_path):
    at = staffed(tmp_path, items=60, overlap=1)
    few = len(statements_of(at.store, lambda: exclude(at, "bob")))
    at.store.add_rater(Rater("eve"))
    at.store.projects.join(at.project, "eve")
    for _ in range(60):
        send(at, "eve")
    start = time.perf_counter()
    many = len(statements_of(at.store, lambda: exclude(at, "eve")))
    assert many == few
    assert time.perf_counter() - start < 1
