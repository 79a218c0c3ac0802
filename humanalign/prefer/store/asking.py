"""Putting questions into the store: their projects, items, completions and slots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select, update

from humanalign.errors import DataError, StoreError
from humanalign.prefer.files.judgements import Question, check_marks
from humanalign.prefer.marks import RANKED, Kind
from humanalign.prefer.ranks import Mark
from humanalign.prefer.store.assign import add_slots
from humanalign.prefer.store.audit import append_audit
from humanalign.prefer.store.chain import canonical
from humanalign.prefer.store.database import in_chunks, insert_new
from humanalign.prefer.store.project_rows import NewProject, insert_project, named_alike
from humanalign.prefer.store.project_settings import settings_of
from humanalign.prefer.store.records import missing_ids, require_ids
from humanalign.prefer.store.schema import completion, item, item_completion, project
from humanalign.prefer.store.tasks import read_project


class Item(Question):
    """A question in the order of words in which the store is asked."""

    def __init__(
        self,
        prompt_id: str,
        completion_ids: tuple[str, ...],
        criterion: str,
        kind: Kind = "ranking",
        gold: Mapping[str, Mark] | None = None,
    ) -> None:
        super().__init__(kind, prompt_id, completion_ids, criterion, gold)


@dataclass(frozen=True)
class Asked:
    """What putting questions did: their ids, each once, and how many were new and given gold."""

    ids: list[str]
    new: int
    gold: int


def ensure_project(connection: Connection, name: str, kind: Kind, by: str, now: float) -> str:
    """The id of the project of this name, made with the default settings if it is not there.

    StoreError: a name or criterion that cannot be used.
    """
    held = named_alike(connection, name)
    if held is not None:
        return held["id"]
    return insert_project(connection, NewProject(name, kind, by), by="", now=now)


def check_fits(place: Mapping, asked: Question, what: str) -> None:
    """DataError, beginning with `what`: the question is of another kind than the project, or by
    another criterion. A thumb without a criterion, as a chat gives it, fits any."""
    both_rank = asked.kind in RANKED and place["kind"] in RANKED
    two = place["kind"] != "pairwise" or len(asked.completion_ids) == 2
    if not (both_rank and two) and asked.kind != place["kind"]:
        raise DataError(
            f"{what} is a {asked.kind} of {len(asked.completion_ids)}, but project "
            f"'{place['name']}' is of kind {place['kind']}; choose a project of its own kind"
        )
    if asked.criterion != place["criterion"] and (asked.criterion or asked.kind != "thumb"):
        raise DataError(
            f"{what} asks by '{asked.criterion}', but project '{place['name']}' by "
            f"'{place['criterion']}'; ask by that one, or choose another project"
        )


def add_items(
    connection: Connection, project_id: str, asked: Iterable[Question], overlap: int = 0
) -> Asked:
    """Store what is new with `overlap` slots each; gold replaces the gold that is there.

    StoreError: a completion that is not stored or answers another prompt, or an item that another
    project asks already. DataError: what `check_fits` says, or gold that no rater could give.
    """
    place = read_project(connection, project_id)
    items = {each.id: each for each in asked}
    _check_completions(connection, list(items.values()))
    new = set(missing_ids(connection, item, list(items)))
    _check_project(connection, [each for each in items if each not in new], project_id)
    for each in new:
        check_fits(place, items[each], f"item '{each}'")
    last = connection.execute(select(func.max(item.c.position))).scalar() or 0
    rows, parts = [], []
    for each in items.values():
        if each.id in new:
            rows.append(_row(each, project_id, last + len(rows) + 1))
            parts += [
                {"item_id": each.id, "number": number, "completion_id": completion_id}
                for number, completion_id in enumerate(each.completion_ids)
            ]
    insert_new(connection, item, rows)
    insert_new(connection, item_completion, parts)
    gold = _set_gold(connection, place, [each for each in items.values() if each.gold])
    add_slots(connection, [(each, n) for each in items for n in range(overlap)])
    return Asked(list(items), len(new), gold)


def audit_items(
    connection: Connection, project_id: str, asked: Asked, overlap: int, *, now: float, by: str
) -> None:
    """Note in the audit log that somebody put these questions."""
    detail = {"items": len(asked.ids), "new": asked.new, "gold": asked.gold, "overlap": overlap}
    append_audit(connection, now, by, "add items", f"project:{project_id}", detail)


def _set_gold(connection: Connection, place: Mapping, items: Sequence[Question]) -> int:
    """Write the right marks of these items; return for how many they are others than before."""
    scale = settings_of(place["settings"]).scale
    changed = 0
    for each in items:
        mine = item.c.id == each.id
        held = connection.execute(select(item.c.kind, item.c.gold).where(mine)).one()
        marks = check_marks(held.kind, each.gold or {}, each.completion_ids, scale)
        if held.gold != canonical(marks):
            connection.execute(update(item).where(mine).values(gold=canonical(marks)))
            changed += 1
    return changed


def _row(each: Question, project_id: str, position: int) -> dict:
    return {
        "id": each.id,
        "project_id": project_id,
        "position": position,
        "kind": each.kind,
        "prompt_id": each.prompt_id,
        "criterion": each.criterion,
        "gold": None,
    }


def _check_completions(connection: Connection, items: Sequence[Question]) -> None:
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
