"""Rows of the feedback store to nouns and back; every id is checked against its content."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Row, RowMapping, Table, bindparam, select

from humanalign.errors import StoreError
from humanalign.prefer.marks import RANKED
from humanalign.prefer.store.chain import canonical, sha256
from humanalign.prefer.store.database import in_chunks
from humanalign.prefer.store.schema import item, item_completion
from humanalign.types import Comparison, Completion, Prompt, Ranking, Sampler

PARTS = (
    select(item_completion.c.completion_id)
    .where(item_completion.c.item_id == bindparam("what"))
    .order_by(item_completion.c.number)
)


@dataclass(frozen=True)
class Thumb:
    """One rater's judgement of a single answer in a chat: good (up) or not."""

    prompt_id: str
    completion_id: str
    rater_id: str
    up: bool


def prompt_row(prompt: Prompt) -> dict:
    return {
        "id": prompt.id,
        "text": prompt.text,
        "messages": json.dumps(prompt.messages, ensure_ascii=False),
        "reference": prompt.reference,
        "source": prompt.source,
        "split": prompt.split,
        "fields": json.dumps(dict(prompt.fields), ensure_ascii=False),
    }


def prompt_of(row: RowMapping) -> Prompt:
    messages = tuple((role, content) for role, content in json.loads(row["messages"]))
    return Prompt(
        text=row["text"],
        messages=messages,
        reference=row["reference"],
        source=row["source"],
        split=row["split"],
        fields=json.loads(row["fields"]),
    )


def completion_row(completion: Completion) -> dict:
    return {
        "id": completion.id,
        "prompt_id": completion.prompt_id,
        "text": completion.text,
        "sha256": sha256(completion.text),
        "model": completion.sampler.model,
        "run": completion.sampler.run,
        "temperature": completion.sampler.temperature,
        "seed": completion.sampler.seed,
        "finish_reason": completion.finish_reason,
    }


def completion_of(row: RowMapping) -> Completion:
    sampler = Sampler(row["model"], row["run"], row["temperature"], row["seed"])
    return Completion(row["prompt_id"], row["text"], sampler, row["finish_reason"])


def ranking_row(ranking: Ranking) -> dict:
    """What a row of `answer` says of a ranking, without its key."""
    return {
        "item_id": ranking.comparison_id,
        "rater_id": ranking.rater_id,
        "body": canonical({"tiers": ranking.tiers, "rejected": ranking.rejected}),
        "instructions": ranking.instructions,
        "seconds": float(ranking.seconds),
    }


def ranking_of(row: Mapping) -> Ranking:
    """The ranking in a row of `answer`."""
    body = json.loads(row["body"])
    return Ranking(
        comparison_id=row["item_id"],
        rater_id=row["rater_id"],
        tiers=tuple(tuple(tier) for tier in body["tiers"]),
        rejected=tuple(body["rejected"]),
        seconds=row["seconds"],
        instructions=row["instructions"],
    )


def thumb_of(row: Mapping, part: Row) -> Thumb:
    """The thumb in a row of `answer`; `part` names the item's prompt and completion."""
    up = json.loads(row["body"])["up"]
    return Thumb(part.prompt_id, part.completion_id, row["rater_id"], up)


def read_comparisons(connection: Connection, ids: Sequence[str] | None = None) -> list[Comparison]:
    """The comparisons in the order they were asked; `ids` keeps only those."""
    items = select(item).where(item.c.kind.in_(RANKED))
    parts = select(item_completion).order_by(item_completion.c.item_id, item_completion.c.number)
    chunks = [None] if ids is None else list(in_chunks(ids))
    found: list[RowMapping] = []
    members: dict[str, list[str]] = {}
    for chunk in chunks:
        wanted = items if chunk is None else items.where(item.c.id.in_(chunk))
        part = parts if chunk is None else parts.where(item_completion.c.item_id.in_(chunk))
        found += connection.execute(wanted).mappings().all()
        for row in connection.execute(part):
            members.setdefault(row.item_id, []).append(row.completion_id)
    found.sort(key=lambda row: row["position"])
    return [_comparison(row, members[row["id"]]) for row in found]


def completion_ids_of(connection: Connection, item_id: str) -> tuple[str, ...]:
    """The completions of an item, in the order asked."""
    return tuple(connection.execute(PARTS, {"what": item_id}).scalars())


def missing_ids(connection: Connection, table: Table, ids: Sequence[str]) -> list[str]:
    """Those of `ids` that `table` does not hold, in the order given."""
    held: set[str] = set()
    for chunk in in_chunks(dict.fromkeys(ids)):
        held.update(connection.execute(select(table.c.id).where(table.c.id.in_(chunk))).scalars())
    return [each for each in ids if each not in held]


def require_ids(connection: Connection, table: Table, ids: Sequence[str]) -> None:
    """StoreError names the first of `ids` that `table` does not hold."""
    missing = missing_ids(connection, table, ids)
    if missing:
        raise StoreError(
            f"the store holds no {table.name} '{missing[0]}'; add the {table.name} first"
        )


def _comparison(row: RowMapping, completion_ids: Sequence[str]) -> Comparison:
    comparison = Comparison(row["prompt_id"], tuple(completion_ids), row["criterion"])
    if comparison.id != row["id"]:
        raise StoreError(
            f"item row {row['id']} differs from what was asked; restore the store from a backup"
        )
    return comparison
