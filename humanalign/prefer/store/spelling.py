"""Which names and texts of strangers the store takes: what both databases hold, told apart."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TypeVar

from humanalign.errors import StoreError, did_you_mean

Word = TypeVar("Word", bound=str)
NAME_LENGTH = 64
# Composing takes time in the square of the length, and strangers choose it; no name is longer,
# however its accents are spelled.
SPELLED_LENGTH = 8 * NAME_LENGTH
# Joiners: Persian and several scripts of India need them inside a word; they cannot be seen, so
# they do not tell two names apart.
JOINERS = "\u200c\u200d"


def clean_name(name: str, what: str = "name") -> str:
    """`name` trimmed and composed (NFC).

    StoreError: nothing left, longer than 64 characters, or a character that cannot be seen.
    """
    whole = len(name) <= SPELLED_LENGTH and storable(name)
    trimmed = unicodedata.normalize("NFC", name).strip() if whole else name
    if not 1 <= len(trimmed) <= NAME_LENGTH:
        raise StoreError(
            f"{what}: expected 1 to {NAME_LENGTH} characters, got {len(trimmed)}; choose another"
        )
    for character in trimmed:
        kind = unicodedata.category(character)
        if kind in ("Zl", "Zp") or (kind[0] == "C" and character not in JOINERS):
            raise StoreError(
                f"{what}: character U+{ord(character):04X} cannot be seen; leave it out"
            )
    return trimmed


def folded(name: str) -> str:
    """The form by which two names are one: without case, joiners and runs of blanks."""
    plain = unicodedata.normalize("NFC", name[:SPELLED_LENGTH].casefold()).translate(
        dict.fromkeys(map(ord, JOINERS))
    )
    return " ".join(plain.split())


def clean_text(what: str, text: str, most: int) -> str:
    """`text` as it is. StoreError: longer than `most`, or no database could hold it."""
    if len(text) > most:
        raise StoreError(f"{what}: expected at most {most:,} characters, got {len(text):,}")
    if not storable(text):
        raise StoreError(f"{what}: holds a character that is no text (U+0000 or half a pair)")
    return text


def storable(text: str) -> bool:
    """Whether both databases take `text` as a value: no U+0000 and no half of a pair."""
    return "\0" not in text and not any("\ud800" <= each <= "\udfff" for each in text)


def one_of(what: str, word: str, known: Sequence[Word]) -> Word:
    """`word` as it is. StoreError: it is none of `known`."""
    for each in known:
        if each == word:
            return each
    hint = did_you_mean(word, known)
    raise StoreError(f"{what}: expected one of {', '.join(known)}, got {word[:40]!r}{hint}")
