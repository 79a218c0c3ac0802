"""Adaptive overlap: an item whose labelers disagree is put to more of them, by itself."""

from __future__ import annotations

import json

from sqlalchemy import Connection, bindparam, func, select

from humanalign.prefer.marks import RANKED
from humanalign.prefer.statistics.consensus import consensus
from humanalign.prefer.store.answers import excluded
from humanalign.prefer.store.assign import add_slots
from humanalign.prefer.store.audit import append_audit
from humanalign.prefer.store.project_settings import settings_of
from humanalign.prefer.store.records import ranking_of
from humanalign.prefer.store.schema import answer, assignment, item, project, slot
from humanalign.types import Ranking

# Who opened the slots, in the audit log.
ACTOR = "adaptive"

WHAT = bindparam("what")
PLACE = (
    select(item.c.kind, item.c.gold, project.c.id, project.c.settings)
    .join(project, project.c.id == item.c.project_id)
    .where(item.c.id == WHAT)
)
SLOTS = select(func.count()).where(slot.c.item_id == WHAT)
ANSWERED = select(func.count()).where(
    assignment.c.item_id == WHAT, assignment.c.answered_at.is_not(None)
)
SAID = select(answer).where(answer.c.item_id == WHAT).order_by(answer.c.revision)


def widen(connection: Connection, item_id: str, now: float) -> int:
    """Open slots up to the contested overlap where an item's last answer left it contested.

    The rule is that of `consensus`, every labeler counting alike; answers that are all the same
    are not contested, ties neither. Nothing happens in projects that are not adaptive, on gold
    items, and while an answer is outstanding. Returns how many slots that opened.
    """
    mine = {"what": item_id}
    place = connection.execute(PLACE, mine).one()
    settings = settings_of(place.settings)
    if not settings.adaptive or place.kind not in RANKED or place.gold is not None:
        return 0
    if connection.execute(SLOTS, mine).scalar() != connection.execute(ANSWERED, mine).scalar():
        return 0
    if not _contested(_newest(connection, item_id, set(excluded(connection, place.id)))):
        return 0
    most = settings.contested_overlap
    there = connection.execute(SLOTS.where(slot.c.number < most), mine).scalar_one()
    if there < most:
        add_slots(connection, [(item_id, number) for number in range(most)])
        detail = {"overlap": most, "opened": most - there}
        append_audit(connection, now, ACTOR, "raise overlap", f"item:{item_id}", detail)
    return max(0, most - there)


def _newest(connection: Connection, item_id: str, left_out: set[str]) -> list[Ranking]:
    """The last ranking of every labeler whose answers count."""
    rows = connection.execute(SAID, {"what": item_id}).mappings()
    last = {row["rater_id"]: row for row in rows if row["rater_id"] not in left_out}
    return [ranking_of(row) for row in last.values()]


def _contested(rankings: list[Ranking]) -> bool:
    said = {
        json.dumps([*map(sorted, each.tiers), "F", *sorted(each.rejected)]) for each in rankings
    }
    return len(said) > 1 and bool(consensus(rankings, weights={})[0].contested)
