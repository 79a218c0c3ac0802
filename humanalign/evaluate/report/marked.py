"""Two texts side by side with their differing words marked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby

# Beyond this many words the quadratic comparison is not worth its time: nothing is marked.
LIMIT = 800


@dataclass(frozen=True)
class Piece:
    """A stretch of text; `changed` where the other side says something else there.

    `kind` says what in it has no support in the source: name, number or claim; "" for nothing.
    `last`: the unsupported span ends here.
    """

    text: str
    changed: bool
    kind: str = ""
    last: bool = False


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


def flag(pieces: Sequence[Piece], spans: object) -> list[Piece]:
    """Cut the pieces of one text where its unsupported spans [start, end, kind] begin and end.

    Spans that are damaged, or reach beyond the text, are left out.
    """
    length = sum(len(piece.text) for piece in pieces)
    kinds, ends = [""] * length, set()
    for start, end, kind in whole_spans(spans, length):
        kinds[start:end] = [kind] * (end - start)
        ends.add(end)
    flagged, at = [], 0
    for piece in pieces:
        inside = kinds[at : at + len(piece.text)]
        place = 0
        for kind, run in groupby(inside):
            start, place = place, place + len(list(run))
            last = bool(kind) and at + place in ends
            flagged.append(Piece(piece.text[start:place], piece.changed, kind, last))
        at += len(piece.text)
    return flagged


def whole_spans(spans: object, length: int) -> list[tuple[int, int, str]]:
    """The spans [start, end, kind] that lie inside a text of `length` characters."""
    found = []
    for span in spans if isinstance(spans, list | tuple) else ():
        if isinstance(span, list | tuple) and len(span) == 3:
            start, end, kind = span
            if isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= length:
                found.append((start, end, str(kind)))
    return found


def _words(text: str) -> list[str]:
    # A word with the space before it; the punctuation after it is a word of its own.
    return re.findall(r"\s*(?:[^\s.,;:!?]+|[.,;:!?]+)(?:\s*\Z)?|\s+", text)


def _add(pieces: list[Piece], text: str, changed: bool) -> None:
    """Add text, keeping the space before a changed stretch outside the mark."""
    if not text:
        return
    bare = text.lstrip() if changed else text
    if len(bare) < len(text):
        pieces.append(Piece(text[: len(text) - len(bare)], False))
    if bare:
        pieces.append(Piece(bare, changed))
