"""Everything that the store keeps about one person, for that person to read.

The tables are walked by their column `rater_id`, so that a new one is in it by itself. Left out
are secrets, which are only kept as hashes, and the ids of completions, which would tell who wrote
them: answers are given by the letters that the person saw.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from sqlalchemy import Connection, Engine, RowMapping, Table, or_, select

from humanalign.prefer.store.schema import (
    account,
    answer,
    api_token,
    audit_event,
    invite,
    item,
    metadata,
    project,
    rater,
    session,
    shown,
)

HIDDEN = {
    account.name: {"password", "folded"},
    answer.name: {"body"},
    api_token.name: {"hash", "by"},
    session.name: {"hash"},
    shown.name: {"display"},
}
# The columns that hold JSON.
JSON = ("about", "body", "entered", "timing")


def everything_about(engine: Engine, rater_id: str) -> dict[str, list[dict]]:
    """Table name -> its rows about this person, with the name of the project where there is one."""
    with engine.connect() as connection:
        names = {row.id: row.name for row in connection.execute(select(project))}
        found = {
            each.name: _rows(connection, each, rater_id, names)
            for each in metadata.sorted_tables
            if "rater_id" in each.c
        }
        known = select(rater.c.kind, rater.c.at).where(rater.c.id == rater_id)
        found[rater.name] = [dict(row) for row in connection.execute(known).mappings()]
        found[invite.name] = _invites(connection, rater_id)
        found[audit_event.name] = _audited(connection, rater_id)
    return found


def _rows(
    connection: Connection, table: Table, rater_id: str, names: Mapping[str, str]
) -> list[dict]:
    wanted = select(table).where(table.c.rater_id == rater_id).order_by(*table.primary_key)
    if "item_id" in table.c:
        wanted = wanted.add_columns(item.c.project_id.label("project_id"))
        wanted = wanted.join(item, item.c.id == table.c.item_id)
    rows = connection.execute(wanted).mappings()
    return [_told(table, row, names) for row in rows]


def _told(table: Table, row: RowMapping, names: Mapping[str, str]) -> dict:
    said = {
        name: json.loads(value) if name in JSON and value else value
        for name, value in row.items()
        if name not in HIDDEN.get(table.name, ())
    }
    if isinstance(said.get("entered"), dict):
        said["entered"].pop("display", None)
    if "project_id" in said:
        said["project"] = names.get(said["project_id"], "")
    return said


def _invites(connection: Connection, rater_id: str) -> list[dict]:
    """The invites this person used or made; of the others in them nothing is told."""
    mine = or_(invite.c.used_by == rater_id, invite.c.by == rater_id)
    columns = [each for each in invite.c if each.name not in ("hash", "by", "used_by")]
    used = (invite.c.used_by == rater_id).label("used_by_me")
    rows = connection.execute(select(*columns, used).where(mine).order_by(invite.c.at))
    return [dict(row) for row in rows.mappings()]


def _audited(connection: Connection, rater_id: str) -> list[dict]:
    """What this person did to projects and people, and what was done to them."""
    named = audit_event.c.body.contains(rater_id, autoescape=True)
    rows = connection.execute(select(audit_event).where(named).order_by(audit_event.c.seq))
    found = []
    for row in rows.mappings():
        said = json.loads(row["body"])
        actor = said.pop("actor")
        if rater_id in (actor, said["subject"].partition(":")[2]):
            found.append({"seq": row["seq"], **said, "by_me": actor == rater_id})
    return found
