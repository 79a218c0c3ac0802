"""Handing comparisons to raters: one slot a rater and item, held by a lease.

An assignment whose lease ran out and that was never answered can be taken by another rater, so a
labeler who leaves does not block the queue.
"""

from __future__ import annotations

from sqlalchemy import Connection, Row, and_, or_, select, update

from humanalign.prefer.store.schema import answer, assignment, item, slot

LEASE_SECONDS = 30 * 60.0


def next_item(connection: Connection, rater_id: str, now: float) -> str | None:
    """Return the item this rater should judge, its lease renewed; None when nothing is left."""
    held = _held(connection, rater_id)
    if held is not None:
        _renew(connection, held.item_id, held.slot, now)
        return held.item_id
    free = _free_slot(connection, rater_id, now, None)
    if free is None:
        return None
    _take(connection, free, rater_id, now)
    return free.item_id


def answered_slot(connection: Connection, item_id: str, rater_id: str, now: float) -> int | None:
    """Mark this rater's slot of the item as answered and return its number.

    A rater without a slot takes a free one; where none is left the answer is an extra (None).
    """
    mine = and_(assignment.c.item_id == item_id, assignment.c.rater_id == rater_id)
    number = connection.execute(select(assignment.c.slot).where(mine)).scalar()
    if number is None:
        free = _free_slot(connection, rater_id, now, item_id)
        if free is None:
            return None
        _take(connection, free, rater_id, now)
        number = free.number
    still_open = and_(mine, assignment.c.answered_at.is_(None))
    connection.execute(update(assignment).where(still_open).values(answered_at=now))
    return number


def _held(connection: Connection, rater_id: str) -> Row | None:
    return connection.execute(
        select(assignment.c.item_id, assignment.c.slot)
        .where(assignment.c.rater_id == rater_id, assignment.c.answered_at.is_(None))
        .order_by(assignment.c.item_id)
    ).first()


def _free_slot(
    connection: Connection, rater_id: str, now: float, item_id: str | None
) -> Row | None:
    """The first slot (item_id, number, taken) that nobody holds or whose lease ran out."""
    here = and_(assignment.c.item_id == slot.c.item_id, assignment.c.slot == slot.c.number)
    lapsed = and_(assignment.c.answered_at.is_(None), assignment.c.lease_until <= now)
    judged = select(answer.c.item_id).where(answer.c.rater_id == rater_id)
    statement = (
        select(slot.c.item_id, slot.c.number, assignment.c.rater_id.label("taken"))
        .select_from(slot.join(item, item.c.id == slot.c.item_id).outerjoin(assignment, here))
        .where(or_(assignment.c.rater_id.is_(None), lapsed))
        .order_by(item.c.position, slot.c.number)
        .limit(1)
    )
    if item_id is None:
        statement = statement.where(slot.c.item_id.not_in(judged))
    else:
        statement = statement.where(slot.c.item_id == item_id)
    return connection.execute(statement).first()


def _take(connection: Connection, free: Row, rater_id: str, now: float) -> None:
    values = {"rater_id": rater_id, "lease_until": now + LEASE_SECONDS}
    if free.taken is None:
        key = {"item_id": free.item_id, "slot": free.number}
        connection.execute(assignment.insert().values(**key, **values))
    else:
        connection.execute(
            update(assignment)
            .where(assignment.c.item_id == free.item_id, assignment.c.slot == free.number)
            .values(**values)
        )


def _renew(connection: Connection, item_id: str, number: int, now: float) -> None:
    connection.execute(
        update(assignment)
        .where(assignment.c.item_id == item_id, assignment.c.slot == number)
        .values(lease_until=now + LEASE_SECONDS)
    )
