"""The words on the pages: English is the key, `catalog/*.json` holds the other languages.

    _ = translator("ar")
    _("Done: {done} of {all}", done=17, all=60)

Sentences keep clear of plurals ("Done: 17 of 60"), so that one form serves every number.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

LANGUAGES: Mapping[str, str] = {"en": "English", "ar": "العربية"}
RIGHT_TO_LEFT = frozenset({"ar"})
CATALOGS = Path(__file__).parent / "catalog"
# A name inside a sentence of the other direction must not turn the words around it.
ISOLATE, END_ISOLATE = "\u2068", "\u2069"

Translate = Callable[..., str]


def direction(language: str) -> str:
    """The value of `dir` for a page in this language."""
    return "rtl" if language in RIGHT_TO_LEFT else "ltr"


@cache
def catalog(language: str) -> Mapping[str, str]:
    """English sentence -> sentence in `language`; empty for English itself."""
    if language == "en":
        return {}
    return json.loads((CATALOGS / f"{language}.json").read_text(encoding="utf-8"))


@cache
def translator(language: str) -> Translate:
    """The function that templates know as `_`: `_(english, name=value)` fills `{name}`."""
    held = catalog(language if language in LANGUAGES else "en")
    isolate = language in RIGHT_TO_LEFT

    def translate(english: str, **values: object) -> str:
        sentence = held.get(english, english)
        if not values:
            return sentence
        return sentence.format(**{name: shown(value) for name, value in values.items()})

    def shown(value: object) -> object:
        return f"{ISOLATE}{value}{END_ISOLATE}" if isolate and isinstance(value, str) else value

    return translate


def sentence(english: str) -> str:
    """Mark a sentence that is kept in a table and translated where it is shown."""
    return english


def preferred(accept: str) -> str:
    """The first language of an Accept-Language header that there is a catalog for, or English."""
    wanted = [_weighed(part) for part in accept.split(",")]
    known = [(weight, name) for weight, name in wanted if name in LANGUAGES and weight > 0]
    return max(known, key=lambda pair: pair[0])[1] if known else "en"


def _weighed(part: str) -> tuple[float, str]:
    name, _, rest = part.strip().partition(";")
    try:
        weight = float(rest.strip().removeprefix("q=") or 1)
    except ValueError:
        weight = 0.0
    return weight, name.strip().lower().partition("-")[0]
