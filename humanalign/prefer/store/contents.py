"""Whether rows that are named by their content still hold what they were stored with.

Prompts, completions, items and versions of instructions have ids made of their words, and a
consensus version has a digest over its rows. `verify_contents` makes them again and compares.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, astuple
from functools import partial

from sqlalchemy import Connection, RowMapping, Table, select

from humanalign.prefer.files.judgements import Question
from humanalign.prefer.store.agreed import digest_of
from humanalign.prefer.store.chain import damage, sha256
from humanalign.prefer.store.instructions import instructions_of
from humanalign.prefer.store.records import completion_of, prompt_of
from humanalign.prefer.store.schema import (
    completion,
    consensus_row,
    consensus_version,
    instruction_version,
    item,
    item_completion,
    prompt,
)
from humanalign.types import content_id


def verify_contents(connection: Connection) -> None:
    """Check every row that is named by its content. StoreError names the first damaged one."""
    _each(connection, completion, _is_completion, "is not the text that was stored")
    _each(connection, prompt, lambda row: prompt_of(row).id == row["id"], "is not what was stored")
    orphan = connection.execute(
        select(completion.c.id).where(completion.c.prompt_id.not_in(select(prompt.c.id)))
    ).scalar()
    if orphan is not None:
        raise damage("completion", orphan, "has lost its prompt")
    _verify_items(connection)
    _each(connection, instruction_version, _is_version, "is not what was published")
    _verify_consensus(connection)


def _each(
    connection: Connection, table: Table, holds: Callable[[RowMapping], bool], what: str
) -> None:
    for row in connection.execute(select(table).order_by(table.c.id)).mappings():
        if not _holds(holds, row):
            raise damage(table.name, row["id"], what)


def _holds(holds: Callable[[RowMapping], bool], row: RowMapping) -> bool:
    try:
        return holds(row)
    except (ValueError, TypeError, KeyError):
        return False  # no JSON any more, or JSON of another shape


def _is_completion(row: RowMapping) -> bool:
    if sha256(row["text"]) != row["sha256"]:
        return False
    found = completion_of(row)
    # Before the first release an id was made of the run too.
    older = content_id("completion", found.prompt_id, found.text, asdict(found.sampler))
    return row["id"] in (found.id, older)


def _is_version(row: RowMapping) -> bool:
    made = instructions_of(row)
    quiz = [astuple(question) for question in made.quiz]
    parts = ("instructions", made.project_id, made.text, quiz)
    # The same words published again carry their number too.
    return made.id in (content_id(*parts), content_id(*parts, made.number))


def _verify_items(connection: Connection) -> None:
    members: dict[str, list[str]] = {}
    parts = select(item_completion).order_by(item_completion.c.item_id, item_completion.c.number)
    for row in connection.execute(parts):
        members.setdefault(row.item_id, []).append(row.completion_id)
    for row in connection.execute(select(item).order_by(item.c.position)).mappings():
        ids = tuple(members.get(row["id"], ()))
        if not _holds(partial(_is_item, ids), row):
            raise damage("item", row["id"], "differs from what was asked")


def _is_item(ids: tuple[str, ...], row: RowMapping) -> bool:
    return Question(row["kind"], row["prompt_id"], ids, row["criterion"]).id == row["id"]


def _verify_consensus(connection: Connection) -> None:
    versions = select(consensus_version).order_by(
        consensus_version.c.project_id, consensus_version.c.number
    )
    for row in connection.execute(versions).all():
        mine = select(consensus_row.c.item_id, consensus_row.c.body).where(
            consensus_row.c.project_id == row.project_id, consensus_row.c.number == row.number
        )
        rows = connection.execute(mine).all()
        name = f"{row.project_id}/{row.number}"
        for each in rows:
            if not _names(each.item_id, each.body):
                raise damage("consensus_row", f"{name}/{each.item_id}", "is not what was stored")
        if digest_of(each.body for each in rows) != row.digest:
            raise damage("consensus_version", name, "does not match its digest")


def _names(item_id: str, body: str) -> bool:
    try:
        return json.loads(body)["item"] == item_id
    except (ValueError, TypeError, KeyError):
        return False
