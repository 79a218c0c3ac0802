"""Phrases that take over: two or three words that stand in far more answers than before.

Counted by answers, not by occurrences: answers are independent, the words inside one are not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from humanalign.evaluate.monitor.signs import READ, holding

# Thousands of phrases are looked at in every batch: z = 4 leaves one false find in 30,000.
Z = 4.0
# A phrase in fewer of the answers, or one that grew by less, is style.
SHARE, GROWTH = 0.5, 0.4


@dataclass(frozen=True)
class Spread:
    """A phrase and the share of answers it stands in, before training and now."""

    phrase: str
    before: float
    after: float

    def as_dict(self) -> dict[str, str | float]:
        return {"phrase": self.phrase, "before": self.before, "after": self.after}


class Phrases:
    """Knows the reference's answers, and says which phrases stand in more of the new ones."""

    def __init__(self) -> None:
        self.reference: list[str] = []
        self._held: Counter[tuple[str, ...]] | None = None

    def learn(self, texts: Sequence[str]) -> None:
        """Take answers of the reference in."""
        self.reference = [*self.reference, *texts][: 2 * READ]
        self._held = None

    def grown(self, texts: Sequence[str], top: int = 8) -> list[Spread]:
        """The phrases whose share of answers rose most, surely and by much, longest first of
        those that rose alike."""
        if not self.reference or not texts:
            return []
        if self._held is None:
            self._held = holding(self.reference)
        n, m, found = len(texts), len(self.reference), []
        for gram, count in holding(texts).items():
            after, before = count / n, self._held[gram] / m
            if after >= SHARE and surely_more(after, n, before, m):
                found.append((after - before, len(gram), Spread(" ".join(gram), before, after)))
        found.sort(key=lambda each: (-round(each[0], 2), -each[1], each[2].phrase))
        return [spread for _, _, spread in found[:top]]


def surely_more(after: float, n: int, before: float, m: int, growth: float = GROWTH) -> bool:
    """Whether a share of n rose by more than `growth` over a share of m, beyond chance at Z.

    The standard errors are those of Agresti and Caffo (2000): one hit and one miss are added to
    each side, so that 0 of m is not taken for certain.
    """
    p, q = (after * n + 1) / (n + 2), (before * m + 1) / (m + 2)
    error = (p * (1 - p) / (n + 2) + q * (1 - q) / (m + 2)) ** 0.5
    return after - before > growth and p - q > Z * error
