"""The order in which a rater sees the completions: shuffled, first place balanced."""

from __future__ import annotations

import hashlib
import json

from humanalign.types import Comparison, Rater


def order(comparison: Comparison, rater: Rater | str, turn: int | None = None) -> tuple[str, ...]:
    """The order in which this rater sees the completions: seeded by rater and comparison.

    Every completion is equally likely in every place, and the same call gives the same order.
    `turn` counts the raters of a comparison from 0: over K of them each completion comes first
    once.
    """
    rater_id = rater if isinstance(rater, str) else rater.id
    mine = _shuffled(comparison.completion_ids, [comparison.id, rater_id])
    if turn is None:
        return mine
    ring = _shuffled(comparison.completion_ids, [comparison.id])
    first = ring[turn % len(ring)]
    return (first, *(each for each in mine if each != first))


def _shuffled(completion_ids: tuple[str, ...], seed: list[str]) -> tuple[str, ...]:
    def place(completion_id: str) -> str:
        return hashlib.sha256(json.dumps([*seed, completion_id]).encode()).hexdigest()

    return tuple(sorted(completion_ids, key=place))
