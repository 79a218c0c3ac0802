"""Nearly equal texts among many: MinHash finds the candidates, Jaccard decides.

A text is the set of its word triples. The least of a random hash over two sets is the same with
probability of their Jaccard index (Broder 1997, "On the resemblance and containment of
documents"). 64 such hashes in 16 bands of 4 meet in some band with probability
1 - (1 - J^4)^16: .9998 at J = .8, .1 at J = .3; every candidate is then compared exactly.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.uint64]
WORDS = 3
NEAR = 0.8
BANDS, ROWS = 16, 4
# Any three large odd numbers: they tell the places of a triple apart.
MIX = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], dtype=np.uint64)


def near_pairs(texts: Sequence[str], others: Sequence[str]) -> list[tuple[int, int]]:
    """(i, j) with a Jaccard index of .8 or more between texts[i] and others[j], in order.

    Texts are split at spaces: bring them to one form first.
    """
    ours, theirs = ([triples(text) for text in each] for each in (texts, others))
    buckets: dict[bytes, list[int]] = defaultdict(list)
    for number, bands in enumerate(_bands(theirs)):
        for key in bands:
            buckets[key].append(number)
    found = []
    for number, bands in enumerate(_bands(ours)):
        candidates = sorted({other for key in bands for other in buckets.get(key, ())})
        found += [
            (number, other) for other in candidates if jaccard(ours[number], theirs[other]) >= NEAR
        ]
    return found


def triples(text: str) -> Ids:
    """The distinct word triples of `text` as numbers, sorted; a shorter text is one by itself."""
    words = np.array([zlib.crc32(word.encode()) for word in text.split()], dtype=np.uint64)
    if len(words) < WORDS:
        return np.array([zlib.crc32(text.encode())], dtype=np.uint64)
    runs = np.lib.stride_tricks.sliding_window_view(words + np.uint64(1), WORDS)
    return np.unique(_scrambled((runs * MIX).sum(axis=1, dtype=np.uint64)))


def jaccard(a: Ids, b: Ids) -> float:
    """The share of two sets' elements that are in both."""
    both = len(np.intersect1d(a, b, assume_unique=True))
    return both / (len(a) + len(b) - both)


def _bands(sets: Sequence[Ids]) -> list[list[bytes]]:
    """For each set its 16 bands; the place of a band is part of it."""
    salts = np.random.default_rng(0).integers(0, 2**63, size=BANDS * ROWS, dtype=np.uint64)
    found = []
    for each in sets:
        least = _scrambled(each[:, None] ^ salts).min(axis=0).reshape(BANDS, ROWS)
        found.append([bytes([place]) + band.tobytes() for place, band in enumerate(least)])
    return found


def _scrambled(numbers: Ids) -> Ids:
    """Each number spread over all 64 bits (the finaliser of splitmix64, Steele et al. 2014)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
