"""How far a rater is in a project's queue: remembered, so that work does not slow down with it.

`reached` holds, for a rater and project, a position before which every free slot is on an item
that the rater has met (judged, skipped or holds), and what was counted up to then. It is only a
shortcut: without the row everything is counted from the start. Whatever opens a slot that a rater
may take before that position deletes the row.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    delete,
    func,
    or_,
    select,
)

from humanalign.prefer.store.chain import ANSWERS, head_of
from humanalign.prefer.store.database import in_chunks, put
from humanalign.prefer.store.schema import answer, assignment, flag, item, reached, slot

SKIP = "skip"
# A rater's position is remembered anew after so many answers.
STEP = 64
# More items than these are not looked at one by one.
FEW = 8

WHO, WHAT, WHERE = bindparam("who"), bindparam("what"), bindparam("project")
SINCE, START, NOW = bindparam("since"), bindparam("start"), bindparam("now")


@dataclass(frozen=True)
class Reached:
    """Every free slot before `position` is on a met item. Up to answer number `answer` the rater
    had answered `done` items, `beyond` being the positions of those from `position` on."""

    position: int = 0
    answer: int = 0
    done: int = 0
    beyond: tuple[int, ...] = ()


def met(item_id: ColumnElement, who: ColumnElement = WHO) -> ColumnElement[bool]:
    """Whether the rater judged, skipped or holds the item."""
    judged = select(answer.c.id).where(answer.c.item_id == item_id, answer.c.rater_id == who)
    skipped = select(flag.c.id).where(
        flag.c.item_id == item_id, flag.c.rater_id == who, flag.c.kind == SKIP
    )
    mine = assignment.alias()  # the item may itself come from a row of this table
    holds = select(mine.c.slot).where(mine.c.item_id == item_id, mine.c.rater_id == who)
    return or_(judged.exists(), skipped.exists(), holds.exists())


MINE = and_(reached.c.project_id == WHERE, reached.c.rater_id == WHO)
REACHED = select(reached).where(MINE)
RECENT = select(answer.c.id).where(answer.c.rater_id == WHO, answer.c.id > SINCE).limit(STEP)
# The items that the rater answered first after an answer of this number.
ANSWERED = and_(
    answer.c.rater_id == WHO,
    answer.c.id > SINCE,
    answer.c.revision == 1,
    item.c.project_id == WHERE,
)
_FIRST_ANSWERS = answer.join(item, item.c.id == answer.c.item_id)
POSITIONS = select(item.c.position).select_from(_FIRST_ANSWERS).where(ANSWERED)
DONE = select(func.count()).select_from(_FIRST_ANSWERS).where(ANSWERED)
END = select(func.max(item.c.position)).where(item.c.project_id == WHERE)
PASSED = and_(reached.c.project_id == WHERE, reached.c.position > START)
FORGOTTEN = delete(reached).where(PASSED)
FORGOTTEN_UNMET = delete(reached).where(PASSED, ~met(WHAT, reached.c.rater_id))


def _free(position: ColumnElement) -> ColumnElement[bool]:
    """Whether the item at this position has a slot that nobody took."""
    mine = select(slot.c.number).where(
        slot.c.project_id == WHERE, slot.c.taken.is_(False), slot.c.position == position
    )
    return mine.exists()


def _counts() -> Select:
    """(answered since, items with a free slot, and how many of those the rater has met since)."""
    # The sum keeps SQLite from walking the queue instead of the rater's few rows.
    here, onward = item.c.project_id == WHERE, item.c.position + 0 >= START
    free = select(slot.c.position).distinct()
    free = free.where(
        slot.c.project_id == WHERE, slot.c.taken.is_(False), slot.c.position >= START
    ).subquery()
    open_items = select(func.count()).select_from(free)
    held = select(func.count()).select_from(
        assignment.join(item, item.c.id == assignment.c.item_id)
    )
    held = held.where(here, assignment.c.rater_id == WHO, assignment.c.answered_at.is_(None))
    said = select(answer.c.id).where(answer.c.item_id == item.c.id, answer.c.rater_id == WHO)
    skips = select(func.count()).select_from(flag.join(item, item.c.id == flag.c.item_id))
    skips = skips.where(here, flag.c.rater_id == WHO, flag.c.kind == SKIP)
    still = _free(item.c.position)
    columns = (
        DONE,
        open_items,
        DONE.where(onward, still),
        held,
        held.where(onward, still),
        skips,
        skips.where(onward, still, ~said.exists()),
    )
    return select(*(each.scalar_subquery() for each in columns))


COUNTS = _counts()
# Items that another rater let lapse, and that nobody else has a free slot of.
LAPSED = (
    select(func.count(item.c.id.distinct()))
    .join(assignment, assignment.c.item_id == item.c.id)
    .where(
        assignment.c.answered_at.is_(None),
        assignment.c.lease_until <= NOW,
        item.c.project_id == WHERE,
        ~met(item.c.id),
        ~_free(item.c.position),
    )
)


@dataclass(frozen=True)
class Standing:
    """How far a rater is in a project: items answered, left for this rater, and skipped."""

    done: int
    open: int
    skipped: int


def read_reached(connection: Connection, project_id: str, rater_id: str) -> Reached:
    """What is remembered of a rater; the start of the queue without anything."""
    row = connection.execute(REACHED, {"project": project_id, "who": rater_id}).first()
    if row is None:
        return Reached()
    return Reached(row.position, row.answer, row.done, tuple(json.loads(row.beyond)))


def read_standing(connection: Connection, project_id: str, rater_id: str, now: float) -> Standing:
    """How many items this rater has answered, can still answer (those held too), and skipped."""
    known = read_reached(connection, project_id, rater_id)
    mine = {"project": project_id, "who": rater_id}
    mine |= {"since": known.answer, "start": known.position}
    since, free, answered, held, held_free, skips, skipped_free = connection.execute(
        COUNTS, mine
    ).one()
    lapsed = connection.execute(LAPSED, {**mine, "now": now}).scalar_one()
    beyond = _still_free(connection, project_id, known.beyond)
    left = held + free + lapsed - answered - held_free - skipped_free - beyond
    return Standing(known.done + since, left, skips)


def count_done(connection: Connection, project_id: str, rater_id: str) -> int:
    """How many items of the project this rater has answered."""
    known = read_reached(connection, project_id, rater_id)
    mine = {"project": project_id, "who": rater_id, "since": known.answer}
    return known.done + connection.execute(DONE, mine).scalar_one()


def remember(
    connection: Connection, project_id: str, rater_id: str, known: Reached, position: int | None
) -> None:
    """Note that every free slot before `position` (None: of all) is met, now and then."""
    mine = {"project": project_id, "who": rater_id, "since": known.answer}
    if len(connection.execute(RECENT, mine).all()) < STEP:
        return
    end = (connection.execute(END, mine).scalar() or 0) + 1
    start = end if position is None else position
    places = connection.execute(POSITIONS, mine).scalars().all()
    beyond = sorted(each for each in (*known.beyond, *places) if each >= start)
    row = {"project_id": project_id, "rater_id": rater_id, "position": start}
    row |= {"answer": head_of(connection, ANSWERS)[0], "done": known.done + len(places)}
    put(connection, reached, {**row, "beyond": json.dumps(beyond)})


def forget(connection: Connection, places: Sequence[tuple[str, str, int]]) -> None:
    """Slots of these (item, project, position) came free: raters who may take them look again."""
    if len(places) <= FEW:
        for item_id, project_id, position in places:
            where = {"what": item_id, "project": project_id, "start": position}
            connection.execute(FORGOTTEN_UNMET, where)
        return
    first: dict[str, int] = {}
    for _, project_id, position in places:
        first[project_id] = min(position, first.get(project_id, position))
    for project_id, position in first.items():
        connection.execute(FORGOTTEN, {"project": project_id, "start": position})


def forget_rater(connection: Connection, project_id: str, rater_id: str) -> None:
    """A rater lost an item, which may come again."""
    connection.execute(delete(reached).where(MINE), {"project": project_id, "who": rater_id})


def _still_free(connection: Connection, project_id: str, positions: Sequence[int]) -> int:
    """At how many of these positions there is a free slot."""
    count = 0
    for chunk in in_chunks(positions):
        free = select(slot.c.position).distinct()
        free = free.where(
            slot.c.project_id == project_id, slot.c.taken.is_(False), slot.c.position.in_(chunk)
        )
        count += connection.execute(select(func.count()).select_from(free.subquery())).scalar_one()
    return count
