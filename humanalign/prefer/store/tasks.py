"""What one rater sees of one item, and how far that rater is in a project: reads only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import (
    Connection,
    RowMapping,
    bindparam,
    select,
)

from humanalign.errors import StoreError
from humanalign.prefer.marks import LETTERS, letters_of
from humanalign.prefer.ranks import Mark
from humanalign.prefer.store import assign
from humanalign.prefer.store.records import prompt_of
from humanalign.prefer.store.schema import (
    answer,
    assignment,
    completion,
    draft,
    item,
    project,
    prompt,
    shown,
)
from humanalign.prefer.store.spelling import storable
from humanalign.types import Prompt

WHO, WHAT, WHERE = bindparam("who"), bindparam("what"), bindparam("project")


PROJECT = select(project).where(project.c.id == WHERE)
PROMPT = select(prompt).where(prompt.c.id == WHAT)
WORDS = select(completion.c.id, completion.c.text).where(
    completion.c.id.in_(bindparam("ids", expanding=True))
)
SHOWN = (
    select(item, shown.c.display, shown.c.at, project.c.settings)
    .join(shown, shown.c.item_id == item.c.id)
    .join(project, project.c.id == item.c.project_id)
    .where(item.c.id == WHAT, shown.c.rater_id == WHO)
)
NEWEST = (
    select(answer)
    .where(answer.c.item_id == WHAT, answer.c.rater_id == WHO)
    .order_by(answer.c.revision.desc())
    .limit(1)
)
DRAFT = select(draft.c.body).where(draft.c.item_id == WHAT, draft.c.rater_id == WHO)
LEASE = select(assignment.c.lease_until).where(assign.MINE_OPEN)


@dataclass(frozen=True)
class Card:
    """One completion as a rater sees it; who wrote it never leaves the store."""

    letter: str
    completion_id: str
    text: str


@dataclass(frozen=True)
class Task:
    """An item as this rater sees it; `revision` counts their answers, `marks` is the latest.

    marks: ranking and pairwise {"A": 1, "B": "F"}, thumb {"A": "up"}, rating {"A": 3}.
    """

    item_id: str
    project_id: str
    kind: str
    prompt: Prompt
    cards: tuple[Card, ...]
    marks: Mapping[str, Mark] = field(default_factory=dict)
    draft: Mapping | None = None
    note: str = ""
    revision: int = 0
    lease_until: float | None = None


def read_project(connection: Connection, project_id: str) -> RowMapping:
    """A project's row. StoreError: unknown id."""
    known = storable(project_id)
    row = known and connection.execute(PROJECT, {"project": project_id}).mappings().first()
    if not row:
        raise StoreError(f"the store holds no project '{project_id}'; check its id")
    return row


def read_shown(connection: Connection, item_id: str, rater_id: str) -> RowMapping:
    """The item with the order in which the rater saw it."""
    mine = {"what": item_id, "who": rater_id}
    row = storable(item_id) and connection.execute(SHOWN, mine).mappings().first()
    if not row:
        raise StoreError(f"the store holds no item '{item_id}' for you; ask for the next one")
    return row


def read_task(connection: Connection, item_id: str, rater_id: str) -> Task:
    """An item as this rater sees it, with the latest answer and draft. StoreError: never shown."""
    seen = read_shown(connection, item_id, rater_id)
    display = json.loads(seen["display"])
    texts = {row.id: row.text for row in connection.execute(WORDS, {"ids": display})}
    mine = {"what": item_id, "who": rater_id}
    asked = connection.execute(PROMPT, {"what": seen["prompt_id"]}).mappings().one()
    held = connection.execute(NEWEST, mine).mappings().first()
    kept = connection.execute(DRAFT, mine).scalar()
    return Task(
        item_id=item_id,
        project_id=seen["project_id"],
        kind=seen["kind"],
        prompt=prompt_of(asked),
        cards=tuple(Card(LETTERS[n], each, texts[each]) for n, each in enumerate(display)),
        marks=letters_of(seen["kind"], json.loads(held["body"]), display) if held else {},
        draft=json.loads(kept) if kept else None,
        note=(held["note"] or "") if held else "",
        revision=held["revision"] if held else 0,
        lease_until=connection.execute(LEASE, mine).scalar(),
    )
