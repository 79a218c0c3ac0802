"""Projects and criteria as rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from sqlalchemy import Connection, RowMapping, Select, bindparam, select, update

from humanalign.errors import StoreError
from humanalign.prefer.defaults import default_definition
from humanalign.prefer.marks import KINDS, Kind
from humanalign.prefer.store.audit import append_audit
from humanalign.prefer.store.chain import sha256
from humanalign.prefer.store.database import insert_new
from humanalign.prefer.store.project_settings import ProjectSettings, settings_of, settings_text
from humanalign.prefer.store.schema import answer, criterion, item, project
from humanalign.prefer.store.spelling import clean_name, clean_text, folded, one_of, storable

Status = Literal["open", "paused", "archived"]
DEFINITION_LENGTH = 2_000
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


def project_id_of(name: str) -> str:
    """A project's id, from its name alone."""
    return sha256(f"project {name}")[:16]


def named_alike(connection: Connection, name: str) -> RowMapping | None:
    """The project of this name, however its letters are cased."""
    for row in connection.execute(select(project)).mappings():
        if folded(row["name"]) == folded(name):
            return row
    return None


@dataclass(frozen=True)
class NewProject:
    """What a project is made of. StoreError: a name, kind or definition that cannot be used."""

    name: str
    kind: Kind
    criterion: str
    definition: str = ""
    settings: ProjectSettings = field(default_factory=ProjectSettings)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", clean_name(self.name))
        one_of("kind", self.kind, KINDS)
        object.__setattr__(self, "criterion", clean_name(self.criterion, "criterion"))
        clean_text("definition", self.definition, DEFINITION_LENGTH)


def insert_project(connection: Connection, new: NewProject, *, by: str, now: float) -> str:
    """Make an open project and return its id; its instructions are the caller's to make.

    StoreError: a project of this name, or a criterion that is defined in other words.
    """
    held = named_alike(connection, new.name)
    if held is not None:
        raise StoreError(f"a project named '{held['name']}' exists; choose another name")
    define_once(connection, new.criterion, new.definition)
    said = {"name": new.name, "kind": new.kind, "criterion": new.criterion}
    row = {"id": project_id_of(new.name), "settings": settings_text(new.settings), "at": now}
    connection.execute(project.insert(), {**said, **row, "status": "open"})
    append_audit(connection, now, by, "create project", f"project:{row['id']}", said)
    return row["id"]


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
