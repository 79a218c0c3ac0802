"""What must hold in the store after the crowd has worked, read by plain SQL."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass

from sqlalchemy import text

from humanalign.prefer.ranks import competition_marks
from humanalign.prefer.store import FeedbackStore

from .labeler import Log

ANSWERS = "SELECT item_id, rater_id, revision, slot, body FROM answer ORDER BY id"


@dataclass(frozen=True)
class Found:
    """Answers, those of each item, extras, slots taken twice, and acknowledged ones not there."""

    answers: int
    per_item: dict[str, int]
    extras: int
    doubled: int
    revised: int
    lost: int
    altered: int
    verified: int

    def fault(self, items: int, overlap: int) -> str:
        """ "" when each item has exactly `overlap` answers and nothing else happened."""
        wanted = Found(items * overlap, self.per_item, 0, 0, 0, 0, 0, items * overlap)
        wrong = {n for n in self.per_item.values() if n != overlap}
        same = self == wanted and not wrong and len(self.per_item) == items
        return "" if same else f"{self}"[:300]


def look(url: str, log: Log | None = None) -> Found:
    """Count the answers, compare them with what labelers were told, and verify the chains."""
    store = FeedbackStore(url)
    with store._engine.connect() as connection:
        rows = connection.execute(text(ANSWERS)).all()
        words = {
            row[0]: row[1] for row in connection.execute(text("SELECT id, text FROM completion"))
        }
    verified = store.verify()
    store.audit.verify()
    store.close()
    newest = {(row.item_id, row.rater_id): json.loads(row.body) for row in rows}
    known = log.acknowledged if log else {}
    return Found(
        answers=len(rows),
        per_item=dict(Counter(row.item_id for row in rows)),
        extras=sum(row.slot is None for row in rows),
        doubled=len(rows) - len({(row.item_id, row.slot) for row in rows}),
        revised=sum(row.revision > 1 for row in rows),
        lost=sum(who not in newest for who in known),
        altered=sum(
            _marks(newest[who], words) != given for who, given in known.items() if who in newest
        ),
        verified=verified,
    )


def _marks(body: dict, words: dict[str, str]) -> dict:
    marks = competition_marks(body["tiers"], body["rejected"])
    return {words[each]: mark for each, mark in marks.items()}
