"""A text cut into words and sentences with their places, as the support checks read it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, cached_property

from nltk.stem.porter import PorterStemmer

# "#Person1#" is how some dialogues name a speaker; O'Brien, twenty-five and U.S.A are one word.
WORD = re.compile(r"#\w+#|[^\W\d_]+(?:['’.-][^\W\d_]+)*|\d[\d,.:]*\d|\d")
END = re.compile(r"[.!?]+[\"'”’)]*(?=\s|$)|\n+")


def listed(words: str) -> frozenset[str]:
    """A list of words as a set, one string to read."""
    return frozenset(words.split())


DOTTED = listed("mr mrs ms miss dr prof st mt no vs etc sr jr")


@dataclass(frozen=True)
class Word:
    """A word of a text; `key` is what it is compared by: lower case, without 's and dots."""

    start: int
    end: int
    text: str

    @property
    def key(self) -> str:
        return key_of(self.text)

    @property
    def capital(self) -> bool:
        return self.text[0].isupper() or self.text[0] == "#"


@dataclass(frozen=True)
class Reading:
    """One text, cut up once."""

    text: str

    @cached_property
    def words(self) -> tuple[Word, ...]:
        return tuple(Word(m.start(), m.end(), m.group()) for m in WORD.finditer(self.text))

    @cached_property
    def keys(self) -> frozenset[str]:
        """Every word, and the parts of words written with a hyphen."""
        keys = {word.key for word in self.words}
        return frozenset(keys | {part for key in keys for part in key.split("-")})

    @cached_property
    def stems(self) -> frozenset[str]:
        return frozenset(stem(key) for key in self.keys)

    @cached_property
    def sentences(self) -> tuple[tuple[int, int], ...]:
        """(start, end) of each sentence; a title's dot ends none."""
        found, start = [], 0
        for match in END.finditer(self.text):
            before = self.text[start : match.start()].rsplit(None, 1)
            if match.group() == "." and before and before[-1].lower() in DOTTED:
                continue
            found.append((start, match.end()))
            start = match.end()
        found.append((start, len(self.text)))
        return tuple(
            _trimmed(self.text, place) for place in found if self.text[slice(*place)].strip()
        )


def key_of(text: str) -> str:
    """'Anna’s' -> 'anna', 'U.S.' -> 'us': one spelling for comparing."""
    key = text.lower().replace("’", "'")
    key = key.removesuffix("'s").removesuffix("'")
    return key if key[:1].isdigit() else key.replace(".", "")


@cache
def stem(key: str) -> str:
    return _STEMMER.stem(key) if len(key) > 3 and key.isascii() else key


def _trimmed(text: str, place: tuple[int, int]) -> tuple[int, int]:
    part = text[slice(*place)]
    start = place[0] + len(part) - len(part.lstrip())
    return start, start + len(part.strip())


_STEMMER = PorterStemmer()
