"""TF-IDF of words and word pairs: what a text says, without a word of its meaning or order."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.sparse import csr_array

from humanalign.reward.trust.scored import Array

WORD = re.compile(r"\w+")
# A word or word pair met in a single text can teach nothing about another one.
FEWEST = 2


@dataclass(frozen=True)
class Vocabulary:
    """Terms by column, and their inverse document frequencies [V]."""

    column: dict[str, int]
    idf: Array

    @classmethod
    def of(cls, texts: Sequence[str]) -> Vocabulary:
        """The terms of two texts or more; idf = log((1 + n) / (1 + df)) + 1."""
        found = Counter(term for text in texts for term in set(terms_of(text)))
        kept = sorted(term for term, count in found.items() if count >= FEWEST)
        counts = np.array([found[term] for term in kept], dtype=float)
        idf = np.log((1 + len(texts)) / (1 + counts)) + 1
        return cls({term: place for place, term in enumerate(kept)}, idf)

    def rows(self, texts: Sequence[str]) -> csr_array:
        """[N, V]: (1 + log count) * idf, each row of length 1 (Salton & Buckley 1988)."""
        places, values, ends = [], [], [0]
        for text in texts:
            counts = Counter(self.column[t] for t in terms_of(text) if t in self.column)
            own = np.fromiter(counts, dtype=np.int64, count=len(counts))
            weighed = (1 + np.log(np.fromiter(counts.values(), float, len(counts)))) * self.idf[own]
            places.append(own)
            values.append(weighed / max(float(np.linalg.norm(weighed)), 1e-12))
            ends.append(ends[-1] + len(own))
        data = (np.concatenate([*values, []]), np.concatenate([*places, []]).astype(int), ends)
        return csr_array(data, shape=(len(texts), len(self.column)))


def terms_of(text: str) -> list[str]:
    """The words of `text` in lower case, then its pairs of neighbouring words."""
    words = WORD.findall(text.lower())
    return words + [f"{a} {b}" for a, b in pairwise(words)]
