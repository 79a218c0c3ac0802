"""Projects and criteria as rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from sqlalchemy import Connection, RowMapping, Select, bindparam, select, update

from humanalign.errors import StoreError
from humanalign.prefer.defaults import default_definition
from humanalign.prefer.store.database import insert_new
from humanalign.prefer.store.project_settings import ProjectSettings, settings_of
from humanalign.prefer.store.schema import answer, criterion, item, project
from humanalign.prefer.store.spelling import storable

Kind = Literal["ranking", "pairwise", "thumb", "rating"]
Status = Literal["open", "paused", "archived"]
KINDS: tuple[Kind, ...] = get_args(Kind)
STATUSES: tuple[Status, ...] = get_args(Status)


@dataclass(frozen=True)
class Project:
    """Items of one kind, judged by one criterion. `at`: seconds since 1970."""

    id: str
    name: str
    kind: Kind
    criterion: str
    definition: str
    settings: ProjectSettings
    status: Status
    at: float


def all_projects() -> Select:
    """Projects with their definitions, in the order they were made."""
    rows = select(project, criterion.c.definition).select_from(project.join(criterion))
    return rows.order_by(project.c.at, project.c.name)


def project_of(row: RowMapping) -> Project:
    """The project in a row of `all_projects`."""
    definition = row["definition"] or default_definition(row["criterion"])
    return Project(**{**row, "definition": definition, "settings": settings_of(row["settings"])})


def find_project(connection: Connection, project_id: str) -> Project | None:
    """A project by its id."""
    if not storable(project_id):
        return None
    row = connection.execute(ONE_PROJECT, {"project": project_id}).mappings().first()
    return project_of(row) if row else None


# Asked with every request, so built once.
ONE_PROJECT = all_projects().where(project.c.id == bindparam("project"))


def require_project(connection: Connection, project_id: str) -> Project:
    """A project by its id. StoreError: there is none."""
    found = find_project(connection, project_id)
    if found is None:
        raise StoreError(f"the store holds no project '{project_id}'; create it first")
    return found


def change_project(connection: Connection, project_id: str, values: Mapping[str, object]) -> None:
    """Write `values` into a project."""
    connection.execute(update(project).where(project.c.id == project_id).values(**values))


def check_unrated(connection: Connection, found: Project, scale: int) -> None:
    """StoreError: the project holds ratings, or right ones, which another scale would alter."""
    mine = item.c.project_id == found.id
    rated = select(answer.c.id).join(item, item.c.id == answer.c.item_id).where(mine).limit(1)
    known = select(item.c.id).where(mine, item.c.gold.is_not(None)).limit(1)
    if connection.execute(rated).first() or connection.execute(known).first():
        raise StoreError(
            f"scale: project '{found.name}' holds ratings from 1 to {found.settings.scale}, which "
            f"would mean something else from 1 to {scale}; make another project"
        )


def define(connection: Connection, name: str, definition: str) -> None:
    """Say what a criterion means, whether or not it is known."""
    insert_new(connection, criterion, [{"name": name, "definition": ""}])
    mine = criterion.c.name == name
    connection.execute(update(criterion).where(mine).values(definition=definition))


def define_once(connection: Connection, name: str, definition: str) -> None:
    """Say what a criterion means where nobody has; "" takes the definition it comes with.

    StoreError: it is defined in other words, which other projects judge by.
    """
    rows = select(criterion.c.definition).where(criterion.c.name == name)
    held = connection.execute(rows).scalar()
    if not held:
        define(connection, name, definition or default_definition(name))
    elif definition and definition != held:
        raise StoreError(
            f"criterion '{name}' is defined already, in other words; leave the definition empty "
            "or choose another name"
        )
