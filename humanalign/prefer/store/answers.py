"""Answering inside one write transaction: raters, checks, revisions, idempotent keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, RowMapping, and_, bindparam, func, select

from humanalign.errors import StoreError, did_you_mean
from humanalign.prefer.marks import RANKED
from humanalign.prefer.store.assign import answered_slot
from humanalign.prefer.store.chain import append_answer
from humanalign.prefer.store.database import insert_new
from humanalign.prefer.store.records import read_comparisons, require_ids
from humanalign.prefer.store.schema import answer, item, membership, rater
from humanalign.types import Comparison, Ranking, Rater

SAME = ("item_id", "rater_id", "body", "entered", "instructions", "note")

OF_KEY = select(answer).where(answer.c.key == bindparam("key_"))
LAST = select(func.max(answer.c.revision)).where(
    answer.c.item_id == bindparam("what"), answer.c.rater_id == bindparam("who")
)


class KeyReused(StoreError):
    """A client's key that came again with another answer."""


def add_rater(connection: Connection, new: Rater, now: float) -> None:
    """Store a rater once. StoreError: the id belongs to a rater of another kind."""
    insert_new(connection, rater, [{"id": new.id, "kind": new.kind, "at": now}])
    kind = connection.execute(select(rater.c.kind).where(rater.c.id == new.id)).scalar_one()
    if kind != new.kind:
        raise StoreError(
            f"rater '{new.id}' is stored with kind {kind}, not {new.kind}; use another id"
        )


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


def replayed(connection: Connection, row: Mapping) -> RowMapping | None:
    """The answer already stored under the key of `row`, None for a new key.

    KeyReused: it was another answer.
    """
    held = connection.execute(OF_KEY, {"key_": row["key"]}).mappings().first()
    if held is not None and any((held[name] or "") != row.get(name, "") for name in SAME):
        raise KeyReused(f"key '{row['key']}' was already used for another answer; send a new key")
    return held


def append(connection: Connection, row: Mapping, now: float) -> dict:
    """Append an answer as the next revision; the caller has looked for its key."""
    revision = last_revision(connection, row["item_id"], row["rater_id"])
    return append_next(connection, row, revision, now)


def append_next(connection: Connection, row: Mapping, revision: int, now: float) -> dict:
    """Append an answer after revision `revision`, the last one; the caller has looked it up."""
    number = answered_slot(connection, row["item_id"], row["rater_id"], now)
    full = {"note": None, "timing": None, **row, "revision": revision + 1, "slot": number}
    append_answer(connection, {**full, "at": now})
    return {**full, "at": now}


def last_revision(connection: Connection, item_id: str, rater_id: str) -> int:
    """How often this rater answered this item."""
    return connection.execute(LAST, {"what": item_id, "who": rater_id}).scalar() or 0


def latest(
    connection: Connection, kinds: Sequence[str], criterion: str | None = None
) -> list[RowMapping]:
    """The newest revision of each rater's answer to each item, in the order asked, then by rater.

    What labelers said who are excluded from their project at present stays in the store only.
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
    out = select(membership.c.rater_id).where(
        membership.c.project_id == item.c.project_id,
        membership.c.rater_id == answer.c.rater_id,
        membership.c.status == "excluded",
    )
    statement = (
        select(answer)
        .join(newest, is_newest)
        .join(item, item.c.id == answer.c.item_id)
        .where(item.c.kind.in_(kinds), ~out.exists())
        .order_by(item.c.position, answer.c.rater_id)
    )
    if criterion is not None:
        _check_criterion(connection, criterion)
        statement = statement.where(item.c.criterion == criterion)
    return list(connection.execute(statement).mappings())


def _check_criterion(connection: Connection, criterion: str) -> None:
    rows = select(item.c.criterion).where(item.c.kind.in_(RANKED)).distinct()
    known = sorted(connection.execute(rows).scalars())
    if criterion not in known:
        asked = ", ".join(known) or "none"
        hint = did_you_mean(criterion, known)
        raise StoreError(f"nothing was asked by criterion '{criterion}'; asked: {asked}{hint}")


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


def excluded(connection: Connection, project_id: str) -> list[str]:
    """The labelers whose answers to a project do not count at present, sorted."""
    out = and_(membership.c.project_id == project_id, membership.c.status == "excluded")
    wanted = select(membership.c.rater_id).where(out).order_by(membership.c.rater_id)
    return list(connection.execute(wanted).scalars())
