"""A project's items as its owner reads them: lists in pages, and one item with all its answers.

Pages go by key (the item's position), not by offset, so the last page of 100,000 items comes as
fast as the first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Table,
    and_,
    exists,
    func,
    or_,
    select,
    true,
)

from humanalign.errors import StoreError
from humanalign.prefer.pairs import Texts
from humanalign.prefer.store.assign import REPLACES
from humanalign.prefer.store.database import in_chunks
from humanalign.prefer.store.records import completion_of, prompt_of
from humanalign.prefer.store.schema import (
    answer,
    assignment,
    completion,
    flag,
    item,
    item_completion,
    membership,
    prompt,
    shown,
    slot,
)
from humanalign.prefer.store.spelling import storable
from humanalign.types import Completion, Prompt

Show = Literal["all", "unfinished", "flagged", "skipped", "gold"]
# How much of a prompt a row of the list shows.
OPENING = 200
# A slot that replaces an answer is not one more answer wanted.
WANTED = slot.c.number < REPLACES
# Whoever gave the answer is excluded from its project at present.
LEFT_OUT = exists().where(
    item.c.id == answer.c.item_id,
    membership.c.project_id == item.c.project_id,
    membership.c.rater_id == answer.c.rater_id,
    membership.c.status == "excluded",
)


@dataclass(frozen=True)
class ItemRow:
    """One line of the list: `answers` that count of `overlap` wanted, and how often it was put
    aside."""

    id: str
    position: int
    opening: str
    answers: int
    overlap: int
    skipped: int
    flagged: int
    gold: bool


@dataclass(frozen=True)
class Given:
    """One revision of one rater's answer, as stored. `display` is the order they saw, () where
    nobody knows it: in files."""

    id: int
    item_id: str
    rater_id: str
    revision: int
    body: Mapping
    instructions: str
    seconds: float
    at: float
    note: str
    timing: Mapping
    extra: bool
    display: tuple[str, ...]


@dataclass(frozen=True)
class Flag:
    """Somebody put the item aside ("skip") or reported it."""

    rater_id: str
    kind: str
    reason: str
    note: str
    at: float


@dataclass(frozen=True)
class ItemDetail:
    """One item with everything said about it; `given` is by rater, then by revision."""

    id: str
    position: int
    kind: str
    criterion: str
    prompt: Prompt
    completions: tuple[Completion, ...]
    overlap: int
    gold: Mapping | None
    given: tuple[Given, ...]
    flags: tuple[Flag, ...]


class Items:
    """The items of projects, read only."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def page(
        self,
        project_id: str,
        *,
        show: Show = "all",
        after: int = 0,
        limit: int = 50,
        newest_first: bool = False,
    ) -> list[ItemRow]:
        """The items that follow position `after` (0: from the start), in the order asked.

        `newest_first` goes the other way.
        """
        wanted = select(item.c.id).where(item.c.project_id == project_id, _only(show)).limit(limit)
        if newest_first:
            wanted = wanted.order_by(item.c.position.desc())
            wanted = wanted.where(item.c.position < after) if after else wanted
        else:
            wanted = wanted.order_by(item.c.position).where(item.c.position > after)
        with self._engine.connect() as connection:
            ids = list(connection.execute(wanted).scalars())
        return self.rows(ids)

    def rows(self, item_ids: Sequence[str]) -> list[ItemRow]:
        """The lines of these items, in the order given."""
        with self._engine.connect() as connection:
            found = {row.id: row for row in _rows(connection, item_ids)}
        return [found[each] for each in item_ids if each in found]

    def count(self, project_id: str, show: Show) -> int:
        """How many items the list shows in all."""
        wanted = select(func.count()).select_from(item)
        wanted = wanted.where(item.c.project_id == project_id, _only(show))
        with self._engine.connect() as connection:
            return connection.execute(wanted).scalar_one()

    def item(self, project_id: str, item_id: str) -> ItemDetail:
        """One item. StoreError: the project holds no such item."""
        with self._engine.connect() as connection:
            wanted = select(item).where(item.c.id == item_id, item.c.project_id == project_id)
            row = connection.execute(wanted).mappings().first() if storable(item_id) else None
            if row is None:
                raise StoreError(
                    f"the project holds no item '{item_id}'; look in its list of items"
                )
            asked = select(prompt).where(prompt.c.id == row["prompt_id"])
            return ItemDetail(
                id=row["id"],
                position=row["position"],
                kind=row["kind"],
                criterion=row["criterion"],
                prompt=prompt_of(connection.execute(asked).mappings().one()),
                completions=_completions(connection, item_id),
                overlap=_counted(connection, slot, [item_id], WANTED).get(item_id, 0),
                gold=json.loads(row["gold"]) if row["gold"] else None,
                given=tuple(
                    _given(connection, answer.c.item_id == item_id, answer.c.rater_id, 10_000)
                ),
                flags=_flags(connection, item_id),
            )

    def texts(self, item_ids: Sequence[str]) -> Texts:
        """The words of some items: their prompts by item, their answers by completion id."""
        prompts, answers = {}, {}
        with self._engine.connect() as connection:
            for chunk in in_chunks(item_ids):
                asked = select(item.c.id.label("item_id"), prompt).join(prompt)
                for row in connection.execute(asked.where(item.c.id.in_(chunk))).mappings():
                    prompts[row["item_id"]] = prompt_of(row)
                parts = select(completion.c.id, completion.c.text).join(item_completion)
                parts = parts.where(item_completion.c.item_id.in_(chunk))
                answers.update(connection.execute(parts).tuples().all())
        return Texts(prompts, answers)

    def neighbours(self, project_id: str, position: int) -> tuple[str | None, str | None]:
        """The ids of the items before and after a position."""
        before = select(item.c.id).where(item.c.position < position)
        after = select(item.c.id).where(item.c.position > position)
        ordered = (before.order_by(item.c.position.desc()), after.order_by(item.c.position))
        with self._engine.connect() as connection:
            found = [
                connection.execute(each.where(item.c.project_id == project_id).limit(1)).scalar()
                for each in ordered
            ]
        return found[0], found[1]

    def overlaps(self, project_id: str) -> dict[str, int]:
        """item id -> how many labelers are asked whose answers count."""
        here = and_(slot.c.project_id == project_id, WANTED)
        wanted = select(slot.c.item_id, func.count()).where(here)
        with self._engine.connect() as connection:
            return dict(connection.execute(wanted.group_by(slot.c.item_id)).tuples().all())

    def answers(self, project_id: str, *, after: int = 0, limit: int = 100) -> list[Given]:
        """Every revision whose number follows `after`, in the order in which they came."""
        where = and_(item.c.project_id == project_id, answer.c.id > after)
        with self._engine.connect() as connection:
            return _given(connection, where, answer.c.id, limit)

    def latest(self, project_id: str, rater_id: str, limit: int = 50) -> list[Given]:
        """A rater's newest answers to this project, newest first."""
        mine = and_(answer.c.rater_id == rater_id, item.c.project_id == project_id)
        with self._engine.connect() as connection:
            return _given(connection, mine, answer.c.id.desc(), limit)


def _only(show: Show) -> ColumnElement[bool]:
    """The condition that keeps the items a list shows."""
    if show == "gold":
        return item.c.gold.is_not(None)
    if show == "unfinished":
        # Nobody took a slot, or whoever did is not done: one step in an index for each item.
        free = exists().where(
            slot.c.project_id == item.c.project_id,
            slot.c.taken.is_(False),
            slot.c.position == item.c.position,
        )
        begun = select(assignment.c.item_id).where(assignment.c.answered_at.is_(None))
        return or_(free, item.c.id.in_(begun))
    if show == "skipped":
        return exists().where(flag.c.item_id == item.c.id, flag.c.kind == "skip")
    if show == "flagged":
        return exists().where(flag.c.item_id == item.c.id, flag.c.kind != "skip")
    return true()


def _rows(connection: Connection, item_ids: Sequence[str]) -> list[ItemRow]:
    overlap = _counted(connection, slot, item_ids, WANTED)
    answers = _counted(connection, answer, item_ids, answer.c.revision == 1, ~LEFT_OUT)
    skips = _counted(connection, flag, item_ids, flag.c.kind == "skip")
    flags = _counted(connection, flag, item_ids, flag.c.kind != "skip")
    opening = func.substr(prompt.c.text, 1, OPENING).label("opening")
    rows = []
    for chunk in in_chunks(item_ids):
        wanted = select(item.c.id, item.c.position, opening, item.c.gold.is_not(None).label("gold"))
        wanted = wanted.join(prompt, prompt.c.id == item.c.prompt_id).where(item.c.id.in_(chunk))
        rows += connection.execute(wanted.order_by(item.c.position)).all()
    return [
        ItemRow(
            id=row.id,
            position=row.position,
            opening=row.opening,
            answers=answers.get(row.id, 0),
            overlap=overlap.get(row.id, 0),
            skipped=skips.get(row.id, 0),
            flagged=flags.get(row.id, 0),
            gold=bool(row.gold),
        )
        for row in rows
    ]


def _counted(
    connection: Connection, table: Table, item_ids: Sequence[str], *where: ColumnElement[bool]
) -> dict[str, int]:
    """item id -> how many rows of `table` name it."""
    counted: dict[str, int] = {}
    for chunk in in_chunks(item_ids):
        wanted = select(table.c.item_id, func.count()).where(table.c.item_id.in_(chunk), *where)
        counted.update(connection.execute(wanted.group_by(table.c.item_id)).tuples().all())
    return counted


def _completions(connection: Connection, item_id: str) -> tuple[Completion, ...]:
    wanted = (
        select(completion)
        .join(item_completion, item_completion.c.completion_id == completion.c.id)
        .where(item_completion.c.item_id == item_id)
        .order_by(item_completion.c.number)
    )
    return tuple(completion_of(row) for row in connection.execute(wanted).mappings())


def _given(
    connection: Connection, where: ColumnElement[bool], first: ColumnElement, limit: int
) -> list[Given]:
    """The answers that `where` keeps, ordered by `first`, then by their numbers."""
    here = and_(shown.c.item_id == answer.c.item_id, shown.c.rater_id == answer.c.rater_id)
    tables = answer.join(item, item.c.id == answer.c.item_id).outerjoin(shown, here)
    wanted = select(answer, shown.c.display).select_from(tables).where(where)
    wanted = wanted.order_by(first, answer.c.id).limit(limit)
    return [
        Given(
            id=row["id"],
            item_id=row["item_id"],
            rater_id=row["rater_id"],
            revision=row["revision"],
            body=json.loads(row["body"]),
            instructions=row["instructions"],
            seconds=row["seconds"],
            at=row["at"],
            note=row["note"] or "",
            timing=json.loads(row["timing"]) if row["timing"] else {},
            extra=row["slot"] is None,
            display=tuple(json.loads(row["display"])) if row["display"] else (),
        )
        for row in connection.execute(wanted).mappings()
    ]


def _flags(connection: Connection, item_id: str) -> tuple[Flag, ...]:
    wanted = select(flag).where(flag.c.item_id == item_id).order_by(flag.c.id)
    return tuple(
        Flag(row.rater_id, row.kind, row.reason, row.note, row.at)
        for row in connection.execute(wanted)
    )
