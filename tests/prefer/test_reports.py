"""Reporting an item: the owner hears of it, the labeler goes on."""

import pytest

from humanalign.errors import DataError, StoreError
from humanalign.prefer.store.schema import flag
from prefer.work import place, rows, send

pytestmark = pytest.mark.usefixtures("either_database")


def test_a_reported_item_is_in_the_owners_list_with_the_reason(tmp_path):
    at = place(tmp_path, items=2)
    at.queue.next(at.project, "ann")
    at.queue.report(at.ids[0], "ann", "unsafe", "Names a person.")
    assert [row.id for row in at.store.items.page(at.project, show="flagged")] == at.ids[:1]
    assert at.store.figures.counts(at.project).flagged == 1
    [told] = at.store.items.item(at.project, at.ids[0]).flags
    assert (told.kind, told.reason, told.note) == ("report", "unsafe", "Names a person.")


def test_a_reported_item_stays_with_its_labeler_and_can_be_answered(tmp_path):
    at = place(tmp_path, items=2)
    item = at.queue.next(at.project, "ann").item_id
    at.queue.report(item, "ann", "broken")
    assert at.queue.next(at.project, "ann").item_id == item
    assert send(at, "ann").revision == 1
    assert at.queue.standing(at.project, "ann").skipped == 0


def test_the_same_report_twice_is_one_and_another_reason_or_person_is_another(tmp_path):
    at = place(tmp_path)
    for who in ("ann", "bob"):
        at.queue.next(at.project, who)
    for who, reason in (("ann", "broken"), ("ann", "broken"), ("ann", "other"), ("bob", "broken")):
        at.queue.report(at.ids[0], who, reason, "n")
    told = [(row["rater_id"], row["reason"]) for row in rows(at, flag)]
    assert told == [("ann", "broken"), ("ann", "other"), ("bob", "broken")]


def test_only_what_was_shown_can_be_reported_and_only_for_a_reason(tmp_path):
    at = place(tmp_path)
    with pytest.raises(StoreError, match="holds no item"):
        at.queue.report(at.ids[0], "ann", "broken")
    at.queue.next(at.project, "ann")
    with pytest.raises(DataError, match="broken, unsafe, wrong instructions, other, got 'ugly'"):
        at.queue.report(at.ids[0], "ann", "ugly")
    with pytest.raises(StoreError, match="note: expected at most"):
        at.queue.report(at.ids[0], "ann", "other", "x" * 5000)
