"""Handing items to raters: one slot a rater and item, held by a lease.

An assignment whose lease ran out and that was never answered can be taken by another rater, so a
labeler who leaves does not block the queue. What a rater was shown stays in `shown`: an answer
that comes late still means the same cards.
"""

from __future__ import annotations

import json

from sqlalchemy import Connection, Row, and_, delete, func, or_, select, update

from humanalign.errors import StoreError
from humanalign.prefer.display import order
from humanalign.prefer.store.database import insert_new
from humanalign.prefer.store.records import completion_ids_of
from humanalign.prefer.store.schema import answer, assignment, flag, item, shown, slot
from humanalign.types import Comparison

LEASE_SECONDS = 30 * 60.0
SKIP = "skip"


def next_item(connection: Connection, rater_id: str, project_id: str, now: float) -> str | None:
    """Take the first item that this rater has not met; None when nothing is left."""
    free = _lapsed(connection, rater_id, project_id, now) or _free(connection, rater_id, project_id)
    if free is None:
        return None
    take(connection, free.item_id, free.number, rater_id, now)
    return free.item_id


def held_item(connection: Connection, rater_id: str, project_id: str, now: float) -> str | None:
    """The item that this rater holds unanswered, its lease renewed; None without one."""
    rows = (
        select(assignment.c.item_id)
        .join(item, item.c.id == assignment.c.item_id)
        .where(
            assignment.c.rater_id == rater_id,
            assignment.c.answered_at.is_(None),
            item.c.project_id == project_id,
        )
        .order_by(item.c.position)
    )
    item_id = connection.execute(rows).scalar()
    if item_id is not None:
        renew(connection, item_id, rater_id, now)
    return item_id


def gold_item(connection: Connection, rater_id: str, project_id: str, now: float) -> str | None:
    """Assign this rater a gold item not met yet; gold items take a slot more for each rater."""
    untouched = select(item.c.id).where(
        item.c.project_id == project_id, item.c.gold.is_not(None), ~_met(item.c.id, rater_id)
    )
    item_id = connection.execute(untouched.order_by(item.c.position).limit(1)).scalar()
    if item_id is None:
        return None
    number = open_slot(connection, item_id)
    if number is None:
        last = select(func.max(slot.c.number)).where(slot.c.item_id == item_id)
        number = (connection.execute(last).scalar() or 0) + 1
        add_slots(connection, [(item_id, number)])
    take(connection, item_id, number, rater_id, now)
    return item_id


def answered_slot(connection: Connection, item_id: str, rater_id: str, now: float) -> int | None:
    """Mark this rater's slot of the item as answered and return its number.

    A rater without a slot takes a free one; where none is left the answer is an extra (None).
    """
    mine = and_(assignment.c.item_id == item_id, assignment.c.rater_id == rater_id)
    found = connection.execute(select(assignment.c.slot, assignment.c.answered_at).where(mine))
    held = found.first()
    if held is None:
        number = open_slot(connection, item_id)
        if number is None:
            return None
        take(connection, item_id, number, rater_id, now)
    elif held.answered_at is not None:
        return held.slot
    else:
        number = held.slot
    connection.execute(update(assignment).where(mine).values(answered_at=now))
    return number


def add_slots(connection: Connection, wanted: list[tuple[str, int]]) -> None:
    """Open the slots (item id, number) that are not there yet."""
    ids = list(dict.fromkeys(item_id for item_id, _ in wanted))
    places = {}
    for start in range(0, len(ids), 500):
        rows = select(item.c.id, item.c.project_id, item.c.position)
        for row in connection.execute(rows.where(item.c.id.in_(ids[start : start + 500]))):
            places[row.id] = {"project_id": row.project_id, "position": row.position}
    rows = [{"item_id": i, "number": n, "taken": False, **places[i]} for i, n in wanted]
    insert_new(connection, slot, rows)


def take(connection: Connection, item_id: str, number: int, rater_id: str, now: float) -> None:
    """Give the slot to the rater, whoever let it lapse, and log the order of display."""
    place = and_(assignment.c.item_id == item_id, assignment.c.slot == number)
    values = {"rater_id": rater_id, "lease_until": now + LEASE_SECONDS}
    if connection.execute(update(assignment).where(place).values(**values)).rowcount == 0:
        values |= {"item_id": item_id, "slot": number}
        connection.execute(assignment.insert().values(**values))
        here = and_(slot.c.item_id == item_id, slot.c.number == number)
        connection.execute(update(slot).where(here).values(taken=True))
    show(connection, item_id, number, rater_id, now)


def show(connection: Connection, item_id: str, turn: int, rater_id: str, now: float) -> None:
    """Log the order in which this rater sees the item; the first order stays."""
    ids = completion_ids_of(connection, item_id)
    if len(ids) > 1:
        asked = select(item.c.prompt_id, item.c.criterion).where(item.c.id == item_id)
        row = connection.execute(asked).one()
        ids = order(Comparison(row.prompt_id, ids, row.criterion), rater_id, turn)
    row = {"item_id": item_id, "rater_id": rater_id, "display": json.dumps(ids), "at": now}
    insert_new(connection, shown, [row])


def release(connection: Connection, item_id: str, rater_id: str) -> None:
    """Give an unanswered slot back to the queue."""
    mine = and_(
        assignment.c.item_id == item_id,
        assignment.c.rater_id == rater_id,
        assignment.c.answered_at.is_(None),
    )
    number = connection.execute(select(assignment.c.slot).where(mine)).scalar()
    if number is None:
        return
    connection.execute(delete(assignment).where(mine))
    here = and_(slot.c.item_id == item_id, slot.c.number == number)
    connection.execute(update(slot).where(here).values(taken=False))


def renew(connection: Connection, item_id: str, rater_id: str, now: float) -> float:
    """Hold the rater's open slot for another half hour; return until when.

    StoreError: the lease ran out and another rater holds the slot, or it was answered.
    """
    mine = and_(
        assignment.c.item_id == item_id,
        assignment.c.rater_id == rater_id,
        assignment.c.answered_at.is_(None),
    )
    until = now + LEASE_SECONDS
    if connection.execute(update(assignment).where(mine).values(lease_until=until)).rowcount == 0:
        raise StoreError(
            f"item '{item_id}' is no longer held for '{rater_id}'; an answer is still kept"
        )
    return until


def open_slot(connection: Connection, item_id: str) -> int | None:
    """The lowest free slot of an item, None where all are taken."""
    here = and_(slot.c.item_id == item_id, slot.c.taken.is_(False))
    return connection.execute(select(func.min(slot.c.number)).where(here)).scalar()


def _lapsed(connection: Connection, rater_id: str, project_id: str, now: float) -> Row | None:
    """The first slot whose holder's lease ran out without an answer."""
    return connection.execute(
        select(assignment.c.item_id, assignment.c.slot.label("number"))
        .join(item, item.c.id == assignment.c.item_id)
        .where(
            assignment.c.answered_at.is_(None),
            assignment.c.lease_until <= now,
            item.c.project_id == project_id,
            ~_met(assignment.c.item_id, rater_id),
        )
        .order_by(item.c.position)
        .limit(1)
    ).first()


def _free(connection: Connection, rater_id: str, project_id: str) -> Row | None:
    """The first slot of the queue that nobody holds."""
    return connection.execute(
        select(slot.c.item_id, slot.c.number)
        .where(
            slot.c.project_id == project_id,
            slot.c.taken.is_(False),
            ~_met(slot.c.item_id, rater_id),
        )
        .order_by(slot.c.position, slot.c.number)
        .limit(1)
    ).first()


def _met(item_id, rater_id: str):
    """Whether the rater judged, skipped or holds the item."""
    judged = select(answer.c.id).where(answer.c.item_id == item_id, answer.c.rater_id == rater_id)
    skipped = select(flag.c.id).where(
        flag.c.item_id == item_id, flag.c.rater_id == rater_id, flag.c.kind == SKIP
    )
    holds = select(assignment.c.slot).where(
        assignment.c.item_id == item_id, assignment.c.rater_id == rater_id
    )
    return or_(judged.exists(), skipped.exists(), holds.exists())
