"""What a project's statistics are computed from: the newest revision of every answer, in one pass.

Rankings and pairwise choices become `Ranking`, thumbs and ratings `Rated`. What excluded labelers
said stays in the store and is left out here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from sys import intern

from sqlalchemy import Connection, Engine, Row, and_, select

from humanalign.prefer.marks import RANKED
from humanalign.prefer.statistics.summary import Rated, Timed
from humanalign.prefer.store.answers import excluded
from humanalign.prefer.store.database import reading
from humanalign.prefer.store.records import ranking_of
from humanalign.prefer.store.schema import (
    answer,
    completion,
    item,
    item_completion,
    shown,
)
from humanalign.types import Ranking


@dataclass(frozen=True)
class Material:
    """The answers of a project up to number `last`, ready for `summary.summarise`.

    `shown` is the order each rater saw by (item, rater), `gold` the right marks of gold items,
    `models` who wrote each completion ({} where there is one author only).
    """

    last: int
    judgements: Sequence[Ranking] | Sequence[Rated]
    timed: Sequence[Timed]
    shown: Mapping[tuple[str, str], tuple[str, ...]]
    gold: Mapping[str, Mapping[str, int | str]]
    models: Mapping[str, str]


def material_of(engine: Engine, project_id: str) -> Material:
    """Everything said in one project, from one consistent state of the store."""
    with reading(engine) as connection:
        rows = _newest(connection, project_id)
        models = dict(_models(connection, project_id))
        golden = select(item.c.id, item.c.gold)
        golden = golden.where(item.c.project_id == project_id, item.c.gold.is_not(None))
        return Material(
            last=max((row.id for row in rows), default=0),
            judgements=_judgements(connection, rows),
            timed=[_timed(row) for row in rows],
            shown={
                (row.item_id, row.rater_id): tuple(json.loads(row.display))
                for row in rows
                if row.display
            },
            gold={row.id: json.loads(row.gold) for row in connection.execute(golden)},
            models=models if len(set(models.values())) > 1 else {},
        )


def rankings_of(connection: Connection, project_id: str) -> list[Ranking]:
    """The newest revision of every answer that ranks, in the order asked, then by rater.

    Only what a ranking holds is read, row by row: an export of any length calls this.
    """
    left_out = set(excluded(connection, project_id))
    columns = (answer.c.item_id, answer.c.rater_id, answer.c.body, answer.c.seconds)
    wanted = (
        select(*columns, answer.c.instructions)
        .join(item, item.c.id == answer.c.item_id)
        .where(item.c.project_id == project_id, item.c.kind.in_(RANKED))
        .order_by(item.c.position, answer.c.rater_id, answer.c.revision)
    )
    found: list[Ranking] = []
    for row in connection.execute(wanted.execution_options(yield_per=1_000)):
        if row.rater_id in left_out:
            continue
        ranking = _interned(ranking_of(row._mapping))
        if found and (found[-1].comparison_id, found[-1].rater_id) == (row.item_id, row.rater_id):
            found[-1] = ranking
        else:
            found.append(ranking)
    return found


def _interned(ranking: Ranking) -> Ranking:
    """The same with its ids shared: a hundred thousand answers name each of them many times."""
    return replace(
        ranking,
        comparison_id=intern(ranking.comparison_id),
        rater_id=intern(ranking.rater_id),
        tiers=tuple(tuple(map(intern, tier)) for tier in ranking.tiers),
        rejected=tuple(map(intern, ranking.rejected)),
        instructions=intern(ranking.instructions),
    )


def _newest(connection: Connection, project_id: str) -> list[Row]:
    left_out = set(excluded(connection, project_id))
    here = and_(shown.c.item_id == answer.c.item_id, shown.c.rater_id == answer.c.rater_id)
    wanted = (
        select(answer, item.c.position, item.c.kind, shown.c.display)
        .select_from(answer.join(item, item.c.id == answer.c.item_id).outerjoin(shown, here))
        .where(item.c.project_id == project_id)
    )
    newest: dict[tuple[str, str], Row] = {}
    for row in connection.execute(wanted):
        key = (row.item_id, row.rater_id)
        if row.rater_id in left_out:
            continue
        if key not in newest or newest[key].revision < row.revision:
            newest[key] = row
    return sorted(newest.values(), key=lambda row: (row.position, row.rater_id))


def _judgements(connection: Connection, rows: Sequence[Row]) -> list[Ranking] | list[Rated]:
    ranked = [ranking_of(row._mapping) for row in rows if row.kind in RANKED]
    if ranked or not rows:
        return ranked
    thumbed = {row.item_id for row in rows if row.kind == "thumb"}
    alone: dict[str, str] = {}
    if thumbed:
        parts = select(item_completion.c.item_id, item_completion.c.completion_id)
        parts = parts.join(item, item.c.id == item_completion.c.item_id)
        parts = parts.where(item.c.kind == "thumb")
        alone = dict(connection.execute(parts).tuples().all())
    return [_rated(row, alone) for row in rows]


def _rated(row: Row, alone: Mapping[str, str]) -> Rated:
    body = json.loads(row.body)
    marks = {alone[row.item_id]: int(body["up"])} if row.kind == "thumb" else body["ratings"]
    return Rated(row.item_id, row.rater_id, marks)


def _timed(row: Row) -> Timed:
    timing = json.loads(row.timing) if row.timing else {}
    return Timed(
        item=row.item_id,
        rater=row.rater_id,
        seconds=row.seconds,
        active=timing.get("active"),
        dwell=timing.get("dwell", {}),
        changes=timing.get("changes", 0),
        at=row.at,
        revision=row.revision,
    )


def _models(connection: Connection, project_id: str) -> Sequence[tuple[str, str]]:
    wanted = (
        select(completion.c.id, completion.c.model)
        .join(item_completion, item_completion.c.completion_id == completion.c.id)
        .join(item, item.c.id == item_completion.c.item_id)
        .where(item.c.project_id == project_id)
        .distinct()
    )
    return connection.execute(wanted).tuples().all()
