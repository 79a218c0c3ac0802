"""What the letters on a page mean: marks by card become the body of a stored answer, and back.

| kind | marks on the page | body |
|-|-|-|
| ranking, pairwise | {"A": 2, "B": 1, "C": "F"} | {"tiers": best first, "rejected": ...} |
| thumb | {"A": "up"} | {"up": true} |
| rating | {"A": 3, "B": 1} | {"ratings": {completion id: 3, ...}} |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from humanalign.errors import DataError
from humanalign.prefer.ranks import Mark, competition_marks, is_whole, parse_marks

Kind = Literal["ranking", "pairwise", "thumb", "rating"]
KINDS: tuple[Kind, ...] = get_args(Kind)
RANKED: tuple[Kind, ...] = ("ranking", "pairwise")
# One for each card of the longest ranking.
LETTERS = "ABCDEFGHI"
THUMBS = {"up": True, "down": False}


def body_of(kind: str, marks: Mapping[str, Mark], display: Sequence[str], scale: int = 3) -> dict:
    """The body of an answer; `display` holds the completion ids in the order of the letters.

    DataError names the card that has no mark, or the mark that is none.
    """
    cards = LETTERS[: len(display)]
    completion = dict(zip(cards, display, strict=True))
    if kind in RANKED:
        tiers, rejected = parse_marks(marks, cards)
        return {
            "tiers": [sorted(completion[card] for card in tier) for tier in tiers],
            "rejected": sorted(completion[card] for card in rejected),
        }
    _check_cards(marks, cards)
    if kind == "thumb":
        return {"up": _thumb(marks["A"])}
    return {"ratings": {completion[card]: _rating(card, marks[card], scale) for card in cards}}


def marks_in(kind: str, body: Mapping, completion_ids: Sequence[str]) -> dict[str, Mark]:
    """The marks by completion id that mean `body`, in competition ranks."""
    if kind in RANKED:
        return competition_marks(body["tiers"], body["rejected"])
    if kind == "thumb":
        return dict.fromkeys(completion_ids, "up" if body["up"] else "down")
    return dict(body["ratings"])


def letters_of(kind: str, body: Mapping, display: Sequence[str]) -> dict[str, Mark]:
    """The marks by letter that mean `body`: the inverse of `body_of`, in competition ranks."""
    letter = {each: LETTERS[n] for n, each in enumerate(display)}
    return {letter[each]: mark for each, mark in marks_in(kind, body, display).items()}


def _check_cards(marks: Mapping[str, Mark], cards: str) -> None:
    unknown = [card for card in marks if card not in cards or len(card) != 1]
    if unknown:
        raise DataError(f"there is no card '{unknown[0]}'; the cards are {', '.join(cards)}")
    missing = [card for card in cards if marks.get(card) in (None, "")]
    if missing:
        raise DataError(f"card {missing[0]} has no mark; give it one")


def _thumb(mark: Mark) -> bool:
    if mark not in THUMBS:
        raise DataError(f"card A: expected up or down, got {mark!r:.60}")
    return THUMBS[str(mark)]


def _rating(card: str, mark: Mark, scale: int) -> int:
    text = "" if isinstance(mark, bool) else str(mark).strip()
    if not (is_whole(text) and 1 <= int(text) <= scale):
        raise DataError(f"card {card}: expected a rating from 1 to {scale}, got {mark!r:.60}")
    return int(text)
