"""Two texts side by side with their differing words marked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

# Beyond this many words the quadratic comparison is not worth its time: nothing is marked.
LIMIT = 800


@dataclass(frozen=True)
class Piece:
    """A stretch of text; `changed` where the other side says something else there."""

    text: str
    changed: bool


def mark(before: str, after: str) -> tuple[list[Piece], list[Piece], float]:
    """Both texts in pieces, and the share of their words that differ, 0 to 1.

    The pieces of a side joined together are its text, to the letter.
    """
    first, second = _words(before), _words(after)
    if max(len(first), len(second)) > LIMIT:
        return [Piece(before, False)], [Piece(after, False)], float(before != after)
    # A word is the same word whatever white space follows it.
    keys = [word.strip() for word in first], [word.strip() for word in second]
    matcher = SequenceMatcher(None, *keys, autojunk=False)
    left: list[Piece] = []
    right: list[Piece] = []
    for kind, a, b, c, d in matcher.get_opcodes():
        _add(left, "".join(first[a:b]), kind != "equal")
        _add(right, "".join(second[c:d]), kind != "equal")
    return left, right, 1 - matcher.ratio()


def _words(text: str) -> list[str]:
    return re.findall(r"\s*\S+\s*$|\s*\S+|\s+", text)


def _add(pieces: list[Piece], text: str, changed: bool) -> None:
    """Add text, keeping the space before a changed stretch outside the mark."""
    if not text:
        return
    bare = text.lstrip() if changed else text
    if len(bare) < len(text):
        pieces.append(Piece(text[: len(text) - len(bare)], False))
    if bare:
        pieces.append(Piece(bare, changed))
