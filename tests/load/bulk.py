"""A store that is full already: answers written in one transaction, with a chain that verifies."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, select, text

from humanalign.prefer.store import FeedbackStore
from humanalign.prefer.store.chain import ANSWERS, canonical, head_of, link, move_head
from humanalign.prefer.store.database import writing
from humanalign.prefer.store.schema import (
    answer,
    answer_event,
    assignment,
    item,
    item_completion,
    shown,
    slot,
)

from .crowd import Crowd

MINUTE = 60.0


def fill(crowd: Crowd, each: int, *, items: int, noise: float = 0.8, seed: int = 0) -> int:
    """Answer the first `items` items by `each` labelers in turn; return how many answers.

    A labeler ranks by the model's number and some noise, so that there is something to agree on.
    """
    store, rng = FeedbackStore(crowd.url), random.Random(seed)
    raters, begun = list(crowd.sessions), time.time() - 30 * 24 * 60 * MINUTE
    with writing(store._engine) as connection:
        parts = _parts(connection)
        wanted = select(item.c.id).order_by(item.c.position).limit(items)
        ids = list(connection.execute(wanted).scalars())
        rows = [
            _row(item_id, parts[item_id], raters[(n * each + k) % len(raters)], k, rng, noise)
            | {"at": begun + (n * each + k) * MINUTE / 4}
            for n, item_id in enumerate(ids)
            for k in range(each)
        ]
        _store(connection, rows, parts)
    store.close()
    return len(rows)


def _parts(connection: Connection) -> dict[str, list[str]]:
    """The completions of each item, in the order of the models."""
    found: dict[str, list[str]] = {}
    rows = select(item_completion).order_by(item_completion.c.item_id, item_completion.c.number)
    for row in connection.execute(rows):
        found.setdefault(row.item_id, []).append(row.completion_id)
    return found


def _row(
    item_id: str, ids: list[str], rater: str, number: int, rng: random.Random, noise: float
) -> dict:
    worth = {each: -n + noise * len(ids) * rng.gauss(0, 0.5) for n, each in enumerate(ids)}
    rejected = [each for each in ids if rng.random() < 0.03]
    good = sorted((each for each in ids if each not in rejected), key=lambda each: -worth[each])
    body = {"tiers": [[each] for each in good], "rejected": sorted(rejected)}
    seconds = rng.uniform(20, 120)
    timing = {"active": round(seconds * 0.8, 1), "changes": rng.randrange(4), "dwell": {}}
    return {
        "item_id": item_id,
        "rater_id": rater,
        "revision": 1,
        "key": f"bulk {item_id} {number}",
        "slot": number,
        "body": canonical(body),
        "entered": "",
        "instructions": "",
        "seconds": seconds,
        "note": "",
        "timing": canonical(timing),
    }


def _store(connection: Connection, rows: list[dict], parts: Mapping[str, list[str]]) -> None:
    connection.execute(assignment.insert(), [_assigned(row) for row in rows])
    connection.execute(shown.insert(), [_shown(row, parts[row["item_id"]]) for row in rows])
    answers, events = zip(*_chained(connection, rows), strict=True)
    connection.execute(answer.insert(), list(answers))
    connection.execute(answer_event.insert(), list(events))
    move_head(connection, ANSWERS, events[-1])
    taken = "UPDATE slot SET taken = TRUE WHERE (item_id, number) IN "
    connection.execute(text(f"{taken} (SELECT item_id, slot FROM assignment)"))
    assert connection.execute(select(slot.c.item_id).where(slot.c.taken)).first() is not None


def _chained(connection: Connection, rows: list[dict]) -> Iterator[tuple[dict, dict]]:
    seq, previous = head_of(connection, ANSWERS)
    for number, row in enumerate(rows, seq + 1):
        full = {**row, "id": number}
        event = link(number, previous, canonical(full))
        previous = event["hash"]
        yield full, {**event, "answer_id": number}


def _assigned(row: dict) -> dict:
    kept = {name: row[name] for name in ("item_id", "slot", "rater_id")}
    return {**kept, "lease_until": row["at"] + 30 * MINUTE, "answered_at": row["at"]}


def _shown(row: dict, ids: list[str]) -> dict:
    turned = ids[row["slot"] % len(ids) :] + ids[: row["slot"] % len(ids)]
    kept = {name: row[name] for name in ("item_id", "rater_id")}
    return {**kept, "display": json.dumps(turned), "at": row["at"] - row["seconds"]}
