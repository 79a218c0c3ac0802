"""Marks on cards and the weak orders they mean: {"C": 1, "A": 2, "D": 2, "B": "F"}.

A mark is a rank from 1 (best) to the number of cards, or "F" for an unusable answer. Competition
ranks (1, 2, 2, 4) and dense ranks (1, 2, 2, 3) mean the same order; competition ranks are stored.
F stands outside the ranks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from humanalign.errors import DataError

Mark = int | str
Tiers = tuple[tuple[str, ...], ...]


def parse_marks(marks: Mapping[str, Mark], cards: Sequence[str]) -> tuple[Tiers, tuple[str, ...]]:
    """Return (tiers, rejected) of what a rater entered; within a tier, in the order of `cards`.

    DataError names the card that has no mark, the mark that is neither a rank nor F, or the card
    that does not exist.
    """
    unknown = [card for card in marks if card not in cards]
    if unknown:
        raise DataError(f"there is no card '{unknown[0]}'; the cards are {', '.join(cards)}")
    parsed = {card: _mark(card, marks.get(card), len(cards)) for card in cards}
    ranks = sorted({rank for rank in parsed.values() if rank is not None})
    tiers = tuple(tuple(card for card in cards if parsed[card] == rank) for rank in ranks)
    return tiers, tuple(card for card in cards if parsed[card] is None)


def competition_marks(tiers: Tiers, rejected: Sequence[str]) -> dict[str, Mark]:
    """The marks of a weak order in competition ranks: the inverse of `parse_marks`."""
    marks: dict[str, Mark] = {}
    rank = 1
    for tier in tiers:
        marks.update(dict.fromkeys(tier, rank))
        rank += len(tier)
    return {**marks, **dict.fromkeys(rejected, "F")}


def _mark(card: str, mark: Mark | None, cards: int) -> int | None:
    """A rank, or None for F."""
    if mark is None or mark == "":
        raise DataError(f"card {card} has no mark; give it a rank from 1 to {cards}, or F")
    text = "" if isinstance(mark, bool) else str(mark).strip()
    if text.upper() == "F":
        return None
    if not (is_whole(text) and 1 <= int(text) <= cards):
        raise DataError(f"card {card}: expected a rank from 1 to {cards} or F, got {mark!r:.60}")
    return int(text)


def is_whole(text: str) -> bool:
    """Whether a mark is a plain number that `int` reads, which refuses thousands of digits."""
    return text.isascii() and text.isdigit() and len(text) < 10
