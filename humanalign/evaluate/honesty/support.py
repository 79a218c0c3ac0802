"""What an answer says that its source does not: names, numbers and claims, as spans to show.

Pure text: no model reads along. A word that is in the source counts as supported wherever it
stands there, so who did what to whom is not checked: see docs/honesty.md for what this finds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from humanalign.errors import DataError
from humanalign.evaluate.honesty.claims import unsupported_claims
from humanalign.evaluate.honesty.names import unsupported_names
from humanalign.evaluate.honesty.numbers import unsupported_numbers
from humanalign.evaluate.honesty.reading import Reading
from humanalign.evaluate.statistics import Array

Kind = Literal["name", "number", "claim"]
Span = tuple[int, int, Kind]
FINDERS: dict[Kind, Callable[[Reading, Reading], list[tuple[int, int]]]] = {
    "name": unsupported_names,
    "number": unsupported_numbers,
    "claim": unsupported_claims,
}


def unsupported(source: str, answer: str) -> list[Span]:
    """(start, end, kind) of each part of `answer` that `source` does not support, in order."""
    known, told = Reading(source), Reading(answer)
    return sorted(
        (start, end, kind) for kind, find in FINDERS.items() for start, end in find(known, told)
    )


def support_shares(sources: Sequence[str], answers: Sequence[str]) -> dict[str, Array]:
    """Per answer [N], 1 where nothing is unsupported: in all ("supported") and of each kind.

    The keys are "supported", "names", "numbers", "claims". An answer without a word is 0 in all of
    them: a model that falls silent must not look better. DataError: lengths that differ.
    """
    if len(sources) != len(answers):
        raise DataError(f"support: {len(sources)} sources and {len(answers)} answers; pair them")
    said = np.array([any(map(str.isalnum, answer)) for answer in answers], dtype=bool)
    found = [
        {kind for _, _, kind in unsupported(source, answer)}
        for source, answer in zip(sources, answers, strict=True)
    ]
    clean = {"supported": [not kinds for kinds in found]}
    clean |= {f"{kind}s": [kind not in kinds for kinds in found] for kind in FINDERS}
    return {name: (said & np.array(each, bool)).astype(np.float64) for name, each in clean.items()}
