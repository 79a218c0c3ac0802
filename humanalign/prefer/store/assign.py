"""Handing items to raters: one slot a rater and item, held by a lease.

An assignment whose lease ran out and that was never answered can be taken by another rater, so a
labeler who leaves does not block the queue. What a rater was shown stays in `shown`: an answer
that comes late still means the same cards.
"""

from __future__ import annotations

import json

from sqlalchemy import (
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    delete,
    false,
    func,
    select,
    update,
)

from humanalign.errors import StoreError
from humanalign.prefer.display import order
from humanalign.prefer.store.ahead import (
    FORGOTTEN,
    NOW,
    SKIP,
    START,
    WHAT,
    WHERE,
    WHO,
    forget,
    forget_rater,
    met,
    read_reached,
    remember,
)
from humanalign.prefer.store.database import in_chunks, insert_new
from humanalign.prefer.store.records import completion_ids_of
from humanalign.prefer.store.schema import assignment, flag, item, shown, slot
from humanalign.types import Comparison

LEASE_SECONDS = 30 * 60.0


class LeaseLost(StoreError):
    """An item that is no longer held by who says so."""


# A slot that stands in for one whose answer no longer counts has that slot's number plus this:
# the same one twice is one, and its rater sees the same completion first (a multiple of 2 to 9).
REPLACES = 100_800

NUMBER, UNTIL = bindparam("number_"), bindparam("until")


def _replacements() -> Select:
    """The slots that replace those a rater's answers fill, but for those that are there."""
    number = slot.c.number + REPLACES
    there = slot.alias()
    here = and_(slot.c.item_id == assignment.c.item_id, slot.c.number == assignment.c.slot)
    known = select(there.c.number).where(
        there.c.item_id == slot.c.item_id, there.c.number == slot.c.number + REPLACES
    )
    wanted = select(slot.c.item_id, number, slot.c.project_id, slot.c.position, false())
    return wanted.join(assignment, here).where(
        assignment.c.rater_id == WHO,
        assignment.c.answered_at.is_not(None),
        slot.c.project_id == WHERE,
        ~known.exists(),
    )


MINE = and_(assignment.c.item_id == WHAT, assignment.c.rater_id == WHO)
MINE_OPEN = and_(MINE, assignment.c.answered_at.is_(None))
THIS_SLOT = and_(slot.c.item_id == WHAT, slot.c.number == NUMBER)
# In the order of the queue. The sum keeps SQLite from walking the queue instead of the few rows.
IN_TURN = item.c.position + 0
# Those that a rater holds unanswered, the first of the queue first.
HELD = (
    select(assignment.c.item_id)
    .join(item, item.c.id == assignment.c.item_id)
    .where(
        assignment.c.rater_id == WHO,
        assignment.c.answered_at.is_(None),
        item.c.project_id == WHERE,
    )
    .order_by(IN_TURN)
    .limit(1)
)
# The first slot whose holder's lease ran out without an answer.
LAPSED = (
    select(assignment.c.item_id, assignment.c.slot.label("number"), assignment.c.rater_id)
    .join(item, item.c.id == assignment.c.item_id)
    .where(
        assignment.c.answered_at.is_(None),
        assignment.c.lease_until <= NOW,
        item.c.project_id == WHERE,
        ~met(assignment.c.item_id),
    )
    .order_by(IN_TURN)
    .limit(1)
)
# The first slot of the queue, from a position on, that nobody holds.
FREE = (
    select(slot.c.item_id, slot.c.number, slot.c.position)
    .where(
        slot.c.project_id == WHERE,
        slot.c.taken.is_(False),
        slot.c.position >= START,
        ~met(slot.c.item_id),
    )
    .order_by(slot.c.position, slot.c.number)
    .limit(1)
)
GOLD = (
    select(item.c.id)
    .where(item.c.project_id == WHERE, item.c.gold.is_not(None), ~met(item.c.id))
    .order_by(item.c.position)
    .limit(1)
)
OPEN_SLOT = select(func.min(slot.c.number)).where(slot.c.item_id == WHAT, slot.c.taken.is_(False))
PLACE_OF = select(assignment.c.slot, assignment.c.answered_at).where(MINE)
TAKEN_OVER = (
    update(assignment)
    .where(assignment.c.item_id == WHAT, assignment.c.slot == NUMBER)
    .values(rater_id=WHO, lease_until=UNTIL)
)
TAKEN = assignment.insert()
COLUMNS = ("item_id", "number", "project_id", "position", "taken")
REPLACED = (
    slot.insert()
    .from_select(COLUMNS, _replacements())
    .execution_options(preserve_rowcount=True)  # how many it opened, on PostgreSQL too
)
FILLED = update(slot).where(THIS_SLOT).values(taken=bindparam("is_taken"))
RENEWED = update(assignment).where(MINE_OPEN).values(lease_until=UNTIL)
ANSWERED = update(assignment).where(MINE).values(answered_at=NOW)
PLACED = select(item.c.project_id, item.c.position).where(item.c.id == WHAT)
ASKED = select(item.c.prompt_id, item.c.criterion).where(item.c.id == WHAT)


def next_item(connection: Connection, rater_id: str, project_id: str, now: float) -> str | None:
    """Take the first item that this rater has not met; None when nothing is left."""
    sought = {"who": rater_id, "project": project_id}
    lapsed: Row | None = connection.execute(LAPSED, {**sought, "now": now}).first()
    if lapsed is not None:
        forget_rater(connection, project_id, lapsed.rater_id)
        take(connection, lapsed.item_id, lapsed.number, rater_id, now)
        return lapsed.item_id
    known = read_reached(connection, project_id, rater_id)
    free: Row | None = connection.execute(FREE, {**sought, "start": known.position}).first()
    remember(connection, project_id, rater_id, known, None if free is None else free.position)
    if free is None:
        return None
    take(connection, free.item_id, free.number, rater_id, now)
    return free.item_id


def held_item(connection: Connection, rater_id: str, project_id: str, now: float) -> str | None:
    """The item that this rater holds unanswered, its lease renewed; None without one."""
    item_id = connection.execute(HELD, {"who": rater_id, "project": project_id}).scalar()
    if item_id is not None:
        renew(connection, item_id, rater_id, now)
    return item_id


def gold_item(connection: Connection, rater_id: str, project_id: str, now: float) -> str | None:
    """Assign this rater a gold item not met yet; gold items take a slot more for each rater."""
    item_id = connection.execute(GOLD, {"who": rater_id, "project": project_id}).scalar()
    if item_id is None:
        return None
    number = open_slot(connection, item_id)
    if number is None:
        mine = and_(slot.c.item_id == item_id, slot.c.number < REPLACES)
        last = select(func.max(slot.c.number)).where(mine)
        number = (connection.execute(last).scalar() or 0) + 1
        insert_slots(connection, [(item_id, number)])
    take(connection, item_id, number, rater_id, now)
    return item_id


def answered_slot(connection: Connection, item_id: str, rater_id: str, now: float) -> int | None:
    """Mark this rater's slot of the item as answered and return its number.

    A rater without a slot takes a free one; where none is left the answer is an extra (None).
    """
    mine = {"what": item_id, "who": rater_id}
    held = connection.execute(PLACE_OF, mine).first()
    if held is None:
        number = open_slot(connection, item_id)
        if number is None:
            return None
        take(connection, item_id, number, rater_id, now)
    elif held.answered_at is not None:
        return held.slot
    else:
        number = held.slot
    connection.execute(ANSWERED, {**mine, "now": now})
    return number


def add_slots(connection: Connection, wanted: list[tuple[str, int]]) -> None:
    """Open the slots (item id, number) that are not there yet."""
    forget(connection, insert_slots(connection, wanted))


def insert_slots(
    connection: Connection, wanted: list[tuple[str, int]]
) -> list[tuple[str, str, int]]:
    """Insert the slots that are not there yet, for a caller who takes them at once.

    Returns the (id, project, position) of their items.
    """
    places = {}
    for chunk in in_chunks(dict.fromkeys(item_id for item_id, _ in wanted)):
        rows = select(item.c.id, item.c.project_id, item.c.position).where(item.c.id.in_(chunk))
        for row in connection.execute(rows):
            places[row.id] = {"project_id": row.project_id, "position": row.position}
    rows = [{"item_id": i, "number": n, "taken": False, **places[i]} for i, n in wanted]
    insert_new(connection, slot, rows)
    return [(each, place["project_id"], place["position"]) for each, place in places.items()]


def replace_answers(connection: Connection, project_id: str, rater_id: str) -> int:
    """Open a slot for each that this rater's answers fill, once; return how many that opened."""
    mine = {"project": project_id, "who": rater_id}
    opened = connection.execute(REPLACED, mine).rowcount
    connection.execute(FORGOTTEN, {"project": project_id, "start": 0})
    return opened


def take(connection: Connection, item_id: str, number: int, rater_id: str, now: float) -> None:
    """Give the slot to the rater, whoever let it lapse, and log the order of display."""
    place = {"what": item_id, "number_": number}
    until = now + LEASE_SECONDS
    held = connection.execute(TAKEN_OVER, {**place, "who": rater_id, "until": until})
    if held.rowcount == 0:
        row = {"item_id": item_id, "slot": number, "rater_id": rater_id, "lease_until": until}
        connection.execute(TAKEN, row)
        connection.execute(FILLED, {**place, "is_taken": True})
    show(connection, item_id, number, rater_id, now)


def show(connection: Connection, item_id: str, turn: int, rater_id: str, now: float) -> None:
    """Log the order in which this rater sees the item; the first order stays."""
    ids = completion_ids_of(connection, item_id)
    if len(ids) > 1:
        row = connection.execute(ASKED, {"what": item_id}).one()
        ids = order(Comparison(row.prompt_id, ids, row.criterion), rater_id, turn)
    row = {"item_id": item_id, "rater_id": rater_id, "display": json.dumps(ids), "at": now}
    insert_new(connection, shown, [row])


def release(connection: Connection, item_id: str, rater_id: str) -> None:
    """Give an unanswered slot back to the queue."""
    mine = {"what": item_id, "who": rater_id}
    held = connection.execute(PLACE_OF, mine).first()
    if held is None or held.answered_at is not None:
        return
    connection.execute(delete(assignment).where(MINE_OPEN), mine)
    connection.execute(FILLED, {"what": item_id, "number_": held.slot, "is_taken": False})
    place = connection.execute(PLACED, {"what": item_id}).one()
    forget(connection, [(item_id, place.project_id, place.position)])


def renew(connection: Connection, item_id: str, rater_id: str, now: float) -> float:
    """Hold the rater's open slot for another half hour; return until when.

    LeaseLost: it ran out and another rater holds the slot, or it was answered.
    """
    until = now + LEASE_SECONDS
    mine = {"what": item_id, "who": rater_id, "until": until}
    if connection.execute(RENEWED, mine).rowcount == 0:
        raise LeaseLost(
            f"item '{item_id}' is no longer held for '{rater_id}'; an answer is still kept"
        )
    return until


def skipped(connection: Connection, item_id: str, rater_id: str) -> bool:
    """Whether this rater has put the item aside."""
    mine = select(flag.c.id).where(
        flag.c.item_id == item_id, flag.c.rater_id == rater_id, flag.c.kind == SKIP
    )
    return connection.execute(mine.limit(1)).first() is not None


def open_slot(connection: Connection, item_id: str) -> int | None:
    """The lowest free slot of an item, None where all are taken."""
    return connection.execute(OPEN_SLOT, {"what": item_id}).scalar()
