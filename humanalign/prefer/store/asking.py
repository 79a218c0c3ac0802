"""Putting questions into the store: their projects, items, completions and slots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from humanalign.errors import StoreError
from humanalign.prefer.store.assign import add_slots
from humanalign.prefer.store.chain import canonical, sha256
from humanalign.prefer.store.database import in_chunks, insert_new
from humanalign.prefer.store.records import missing_ids, require_ids
from humanalign.prefer.store.schema import completion, criterion, item, item_completion, project
from humanalign.types import Comparison, content_id

# One completion by itself; more of them make a comparison.
ALONE = ("thumb", "rating")


@dataclass(frozen=True)
class Item:
    """A question as it goes into the store; `gold` holds the right marks by completion id."""

    prompt_id: str
    completion_ids: tuple[str, ...]
    criterion: str
    kind: str = "ranking"
    gold: Mapping[str, int | str] | None = None

    @property
    def id(self) -> str:
        """The comparison's id; a lone completion's is its own content hash."""
        if len(self.completion_ids) > 1:
            return Comparison(self.prompt_id, self.completion_ids, self.criterion).id
        if self.kind == "thumb" and not self.criterion:
            return sha256(f"thumb {''.join(self.completion_ids)}")[:16]
        return content_id("item", self.kind, list(self.completion_ids), self.criterion)


def project_id_of(name: str) -> str:
    """A project's id, from its name alone."""
    return sha256(f"project {name}")[:16]


def ensure_project(connection: Connection, name: str, kind: str, by: str, now: float) -> str:
    """The id of the project of this name, made with the default settings if it is not there."""
    insert_new(connection, criterion, [{"name": by, "definition": ""}])
    row = {"id": project_id_of(name), "name": name, "kind": kind, "criterion": by}
    insert_new(connection, project, [{**row, "settings": "{}", "status": "open", "at": now}])
    return row["id"]


def add_items(
    connection: Connection, project_id: str, asked: Iterable[Item], overlap: int = 0
) -> list[str]:
    """Store what is new with `overlap` slots each; return the ids of `asked`, each once.

    StoreError: a completion that is not stored or answers another prompt, or an item that another
    project asks already.
    """
    items = list({each.id: each for each in asked}.values())
    _check_completions(connection, items)
    new = set(missing_ids(connection, item, [each.id for each in items]))
    _check_project(connection, [each.id for each in items if each.id not in new], project_id)
    last = connection.execute(select(func.max(item.c.position))).scalar() or 0
    rows, parts = [], []
    for each in items:
        if each.id in new:
            rows.append(_row(each, project_id, last + len(rows) + 1))
            parts += [
                {"item_id": each.id, "number": number, "completion_id": completion_id}
                for number, completion_id in enumerate(each.completion_ids)
            ]
    insert_new(connection, item, rows)
    insert_new(connection, item_completion, parts)
    add_slots(connection, [(each.id, n) for each in items for n in range(overlap)])
    return [each.id for each in items]


def _row(each: Item, project_id: str, position: int) -> dict:
    return {
        "id": each.id,
        "project_id": project_id,
        "position": position,
        "kind": each.kind,
        "prompt_id": each.prompt_id,
        "criterion": each.criterion,
        "gold": canonical(each.gold) if each.gold else None,
    }


def _check_completions(connection: Connection, items: Sequence[Item]) -> None:
    ids = list(dict.fromkeys(each for asked in items for each in asked.completion_ids))
    require_ids(connection, completion, ids)
    owner: dict[str, str] = {}
    for chunk in in_chunks(ids):
        rows = select(completion.c.id, completion.c.prompt_id).where(completion.c.id.in_(chunk))
        owner.update({row.id: row.prompt_id for row in connection.execute(rows)})
    for asked in items:
        for each in asked.completion_ids:
            if owner[each] != asked.prompt_id:
                raise StoreError(
                    f"completion '{each}' answers prompt '{owner[each]}', not "
                    f"'{asked.prompt_id}'; compare answers to one prompt"
                )


def _check_project(connection: Connection, ids: Sequence[str], project_id: str) -> None:
    for chunk in in_chunks(ids):
        rows = select(item.c.id, item.c.project_id, project.c.name).join(project)
        elsewhere = rows.where(item.c.id.in_(chunk), item.c.project_id != project_id)
        found = connection.execute(elsewhere).first()
        if found is not None:
            raise StoreError(
                f"item '{found.id}' is asked already in project '{found.name}'; raise its overlap "
                "there, or ask by another criterion"
            )
