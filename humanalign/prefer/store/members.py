"""Who works on a project and what stands between a person and the next task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import (
    BindParameter,
    Connection,
    RowMapping,
    Select,
    and_,
    bindparam,
    func,
    select,
    update,
)

from humanalign.errors import StoreError
from humanalign.prefer.store.accounts import Role
from humanalign.prefer.store.database import insert_new
from humanalign.prefer.store.schema import account, instruction_version, membership, project, rater
from humanalign.prefer.store.spelling import storable

Standing = Literal["active", "paused", "excluded"]
STANDINGS: tuple[Standing, ...] = ("active", "paused", "excluded")
Gate = Literal["consent", "instructions", "open", "paused", "excluded", "closed"]


@dataclass(frozen=True)
class Member:
    """A person or program in a project.

    `passed` is the instruction version whose quiz was passed, `score` that of the last try, and
    `reason` what the owner said with the standing or when asking again.
    """

    project_id: str
    rater_id: str
    name: str
    role: Role
    status: Standing
    reason: str
    consented_at: float | None
    passed: str | None
    score: float | None
    tries: int
    at: float


@dataclass(frozen=True)
class Entry:
    """What stands between a member and work, and the id of the newest instructions ("": none)."""

    gate: Gate
    instructions: str


def add_member(connection: Connection, project_id: str, rater_id: str, now: float) -> None:
    """Let a rater into a project; one who is in it stays as they are."""
    row = {"project_id": project_id, "rater_id": rater_id, "status": "active", "reason": ""}
    insert_new(connection, membership, [{**row, "tries": 0, "at": now}])


def change_member(
    connection: Connection, project_id: str, rater_id: str, values: Mapping[str, object]
) -> None:
    """Write `values` into a membership. StoreError: the rater is no member."""
    require_member(connection, project_id, rater_id)
    mine = and_(membership.c.project_id == project_id, membership.c.rater_id == rater_id)
    connection.execute(update(membership).where(mine).values(**values))


def find_member(connection: Connection, project_id: str, rater_id: str) -> Member | None:
    """A rater's membership of a project."""
    if not storable(project_id) or not storable(rater_id):
        return None
    mine = {"project": project_id, "who": rater_id}
    row = connection.execute(ONE_MEMBER, mine).mappings().first()
    return Member(**row) if row else None


def require_member(connection: Connection, project_id: str, rater_id: str) -> Member:
    """A rater's membership of a project. StoreError: the rater is no member."""
    found = find_member(connection, project_id, rater_id)
    if found is None:
        raise StoreError(
            f"the store holds no member '{rater_id}' of project '{project_id}'; invite them first"
        )
    return found


def all_members(connection: Connection, project_id: str) -> list[Member]:
    """A project's members in the order they joined."""
    rows = _members().where(membership.c.project_id == project_id)
    ordered = rows.order_by(membership.c.at, membership.c.rater_id)
    return [Member(**row) for row in connection.execute(ordered).mappings()]


def newest_id(project_id: str | BindParameter) -> Select:
    """The id of a project's newest instruction version."""
    rows = select(instruction_version.c.id).where(instruction_version.c.project_id == project_id)
    return rows.order_by(instruction_version.c.number.desc()).limit(1)


def entry(connection: Connection, project_id: str, rater_id: str) -> Entry:
    """A member's gate and the newest instructions, in one query. StoreError: no member.

    A program neither consents nor reads: only its own standing and the project's hold it up.
    """
    if not storable(project_id) or not storable(rater_id):
        require_member(connection, project_id, rater_id)
    mine = {"project": project_id, "who": rater_id}
    row = connection.execute(GATE, mine).mappings().first()
    if row is None:
        require_member(connection, project_id, rater_id)
        raise StoreError(f"the store holds no project '{project_id}'")
    return Entry(_first_obstacle(row), row["newest"] or "")


def _first_obstacle(row: RowMapping) -> Gate:
    if row["status"] != "active":
        return row["status"]
    if row["project_status"] != "open":
        return "closed"
    if row["kind"] != "human":
        return "open"
    if row["consented_at"] is None:
        return "consent"
    return "open" if row["passed"] and row["passed"] == row["newest"] else "instructions"


def _same_rater():
    return rater.c.id == membership.c.rater_id


def _members() -> Select:
    """Memberships with names; a rater without an account goes by its id."""
    named = func.coalesce(account.c.name, membership.c.rater_id).label("name")
    role = func.coalesce(account.c.role, "program").label("role")
    joined = membership.outerjoin(account, account.c.rater_id == membership.c.rater_id)
    return select(membership, named, role).select_from(joined)


def _gates() -> Select:
    newest = newest_id(WHERE).scalar_subquery().label("newest")
    state = (project.c.status.label("project_status"), rater.c.kind)
    own = (membership.c.status, membership.c.consented_at, membership.c.passed)
    return select(*own, *state, newest).join(project).join(rater, _same_rater())


# Asked with every request, so built once.
WHERE = bindparam("project")
MINE = and_(membership.c.project_id == WHERE, membership.c.rater_id == bindparam("who"))
ONE_MEMBER = _members().where(MINE)
GATE = _gates().where(MINE)
