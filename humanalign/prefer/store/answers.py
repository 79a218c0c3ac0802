"""Asking and answering inside one write transaction: items, slots, revisions, idempotent keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, RowMapping, and_, func, select

from humanalign.errors import StoreError, did_you_mean
from humanalign.prefer.store.assign import answered_slot
from humanalign.prefer.store.chain import append_answer
from humanalign.prefer.store.database import in_chunks, insert_new
from humanalign.prefer.store.records import missing_ids, read_comparisons, require_ids
from humanalign.prefer.store.schema import answer, completion, item, item_completion, rater, slot
from humanalign.types import Comparison, Ranking, Rater

SAME = ("item_id", "rater_id", "body", "entered", "instructions")


def add_rater(connection: Connection, new: Rater, now: float) -> None:
    """Store a rater once. StoreError: the id belongs to a rater of another kind."""
    insert_new(connection, rater, [{"id": new.id, "kind": new.kind, "at": now}])
    kind = connection.execute(select(rater.c.kind).where(rater.c.id == new.id)).scalar_one()
    if kind != new.kind:
        raise StoreError(
            f"rater '{new.id}' is stored with kind {kind}, not {new.kind}; use another id"
        )


def ask_all(connection: Connection, comparisons: Sequence[Comparison], overlap: int) -> None:
    """Store comparisons with `overlap` slots each; more slots than that are left alone."""
    _check_completions(connection, comparisons)
    add_items(
        connection,
        [
            (c.id, "ranking", c.prompt_id, c.criterion, c.completion_ids)
            for c in {c.id: c for c in comparisons}.values()
        ],
    )
    slots = [{"item_id": c.id, "number": n} for c in comparisons for n in range(overlap)]
    insert_new(connection, slot, slots)


def add_items(
    connection: Connection, rows: Sequence[tuple[str, str, str, str, Sequence[str]]]
) -> None:
    """Store new items (id, kind, prompt_id, criterion, completion_ids); known ids are skipped."""
    new = set(missing_ids(connection, item, [row[0] for row in rows]))
    last = connection.execute(select(func.max(item.c.position))).scalar() or 0
    items, parts = [], []
    for item_id, kind, prompt_id, criterion, completion_ids in rows:
        if item_id not in new:
            continue
        last += 1
        items.append(
            {"id": item_id, "position": last, "kind": kind}
            | {"prompt_id": prompt_id, "criterion": criterion}
        )
        parts += [
            {"item_id": item_id, "number": number, "completion_id": completion_id}
            for number, completion_id in enumerate(completion_ids)
        ]
    insert_new(connection, item, items)
    insert_new(connection, item_completion, parts)


def check_rankings(connection: Connection, rankings: Sequence[Ranking]) -> None:
    """StoreError: an unknown rater or comparison, or completions not named exactly once."""
    require_ids(connection, rater, [ranking.rater_id for ranking in rankings])
    wanted = list(dict.fromkeys(ranking.comparison_id for ranking in rankings))
    asked = {each.id: each for each in read_comparisons(connection, wanted)}
    for ranking in rankings:
        comparison = asked.get(ranking.comparison_id)
        if comparison is None:
            raise StoreError(
                f"the store holds no comparison '{ranking.comparison_id}'; ask it first"
            )
        _check_named_once(ranking, comparison)


def append(connection: Connection, row: Mapping, now: float) -> RowMapping:
    """Append an answer as the next revision, or return the one already stored under its key.

    StoreError: the key was used for another answer.
    """
    held = connection.execute(select(answer).where(answer.c.key == row["key"])).mappings().first()
    if held is not None:
        if any(held[name] != row[name] for name in SAME):
            raise StoreError(
                f"key '{row['key']}' was already used for another answer; send a new key"
            )
        return held
    mine = and_(answer.c.item_id == row["item_id"], answer.c.rater_id == row["rater_id"])
    revision = connection.execute(select(func.max(answer.c.revision)).where(mine)).scalar() or 0
    number = answered_slot(connection, row["item_id"], row["rater_id"], now)
    append_answer(connection, {**row, "revision": revision + 1, "slot": number, "at": now})
    statement = select(answer).where(answer.c.key == row["key"])
    return connection.execute(statement).mappings().one()


def latest(connection: Connection, kind: str, criterion: str | None) -> list[RowMapping]:
    """The newest revision of each rater's answer to each item, in the order asked, then by rater.

    StoreError: no comparison was ever asked by this criterion.
    """
    newest = (
        select(answer.c.item_id, answer.c.rater_id, func.max(answer.c.revision).label("revision"))
        .group_by(answer.c.item_id, answer.c.rater_id)
        .subquery()
    )
    is_newest = and_(
        answer.c.item_id == newest.c.item_id,
        answer.c.rater_id == newest.c.rater_id,
        answer.c.revision == newest.c.revision,
    )
    statement = (
        select(answer)
        .join(newest, is_newest)
        .join(item, item.c.id == answer.c.item_id)
        .where(item.c.kind == kind)
        .order_by(item.c.position, answer.c.rater_id)
    )
    if criterion is not None:
        _check_criterion(connection, criterion)
        statement = statement.where(item.c.criterion == criterion)
    return list(connection.execute(statement).mappings())


def _check_criterion(connection: Connection, criterion: str) -> None:
    rows = select(item.c.criterion).where(item.c.kind == "ranking").distinct()
    known = sorted(connection.execute(rows).scalars())
    if criterion not in known:
        asked = ", ".join(known) or "none"
        hint = did_you_mean(criterion, known)
        raise StoreError(f"nothing was asked by criterion '{criterion}'; asked: {asked}{hint}")


def _check_completions(connection: Connection, comparisons: Sequence[Comparison]) -> None:
    ids = list(dict.fromkeys(each for c in comparisons for each in c.completion_ids))
    require_ids(connection, completion, ids)
    owner: dict[str, str] = {}
    for chunk in in_chunks(ids):
        rows = select(completion.c.id, completion.c.prompt_id).where(completion.c.id.in_(chunk))
        owner.update({row.id: row.prompt_id for row in connection.execute(rows)})
    for comparison in comparisons:
        for each in comparison.completion_ids:
            if owner[each] != comparison.prompt_id:
                raise StoreError(
                    f"completion '{each}' answers prompt '{owner[each]}', not "
                    f"'{comparison.prompt_id}'; compare answers to one prompt"
                )


def _check_named_once(ranking: Ranking, comparison: Comparison) -> None:
    named = ranking.completion_ids()
    problem = None
    if not all(ranking.tiers):
        problem = "has an empty tier"
    elif len(set(named)) < len(named):
        problem = f"names completion '{max(named, key=named.count)}' twice"
    elif set(named) - set(comparison.completion_ids):
        stranger = sorted(set(named) - set(comparison.completion_ids))[0]
        problem = f"names completion '{stranger}', which is not compared"
    elif set(comparison.completion_ids) - set(named):
        missing = sorted(set(comparison.completion_ids) - set(named))[0]
        problem = f"leaves out completion '{missing}'"
    if problem:
        raise StoreError(
            f"the ranking of comparison '{comparison.id}' {problem}; name each completion once"
        )
