"""How long an answer took, as the browser measured it: only numbers that make sense are kept.

The page counts seconds in which it was visible and in use, per card and in all. A client can say
anything, so these are hints for the owner, never a reason to refuse an answer.
"""

from __future__ import annotations

from collections.abc import Mapping

from humanalign.prefer.marks import LETTERS

LONGEST = 24 * 3600.0
MOST_CHANGES = 10_000


def clean_timing(said: Mapping) -> dict:
    """{"active": seconds, "dwell": {letter: seconds}, "changes": n} of what is usable in `said`."""
    kept: dict = {}
    active = _seconds(said.get("active"))
    if active is not None:
        kept["active"] = active
    dwell = said.get("dwell")
    if isinstance(dwell, Mapping):
        cards = {card: _seconds(dwell.get(card)) for card in LETTERS}
        kept["dwell"] = {card: value for card, value in cards.items() if value is not None}
    changes = said.get("changes")
    if isinstance(changes, int) and not isinstance(changes, bool):
        kept["changes"] = min(max(changes, 0), MOST_CHANGES)
    return kept


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Compared before it is made a float, which a very long whole number cannot be.
    return round(float(min(max(value, 0), LONGEST)), 2) if value - value == 0 else None
