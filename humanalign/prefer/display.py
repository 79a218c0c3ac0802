"""The order in which a rater sees the completions of a comparison."""

from __future__ import annotations

import hashlib
import json

from humanalign.types import Comparison, Rater


def order(comparison: Comparison, rater: Rater | str) -> tuple[str, ...]:
    """The order in which this rater sees the completions: seeded by rater and comparison.

    Every completion is equally likely in every place, and the same call gives the same order.
    """
    rater_id = rater if isinstance(rater, str) else rater.id

    def place(completion_id: str) -> str:
        seed = json.dumps([comparison.id, rater_id, completion_id])
        return hashlib.sha256(seed.encode()).hexdigest()

    return tuple(sorted(comparison.completion_ids, key=place))
