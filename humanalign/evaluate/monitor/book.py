"""What a rule reads: where a number stood before training, and how it has been of late.

One batch is noise. A rule therefore looks at an interval for the mean of the last few steps
(Student's t over the steps' values), never at a single one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from statistics import fmean, stdev

from scipy.stats import t as student

# Steps that are remembered, and batches that say where a number stood before training: that of
# step 0 and that of step 1 both come from the reference.
MEMORY, STARTS = 20, 2


@dataclass(frozen=True)
class Span:
    """A mean over steps with its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass
class Book:
    """Every number of the run by name, as far back as the rules look."""

    start: dict[str, list[float]] = field(default_factory=dict)
    recent: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    step: int = 0

    def note(self, step: int, metrics: Mapping[str, float]) -> None:
        """Write the numbers of a step down."""
        self.step = step
        for name, value in metrics.items():
            self.recent[name] = [*self.recent.get(name, []), (step, value)][-MEMORY:]
            if step < STARTS:
                self.start.setdefault(name, []).append(value)

    def before(self, name: str) -> float | None:
        """Where the number stood before training; None where it was not known then."""
        known = self.start.get(name)
        return fmean(known) if known else None

    def now(self, name: str, steps: int) -> Span | None:
        """The last so many steps of a number; None where one of them does not have it."""
        since = self.step - steps
        values = [value for step, value in self.recent.get(name, []) if step > since]
        return span(values) if len(values) == steps else None

    def last(self, name: str) -> float | None:
        """The number in this very step."""
        known = self.recent.get(name)
        return known[-1][1] if known and known[-1][0] == self.step else None


def span(values: Sequence[float]) -> Span:
    """The mean of two values or more, and Student's interval for it."""
    mean = fmean(values)
    half = _quantile(len(values)) * stdev(values, mean) / len(values) ** 0.5
    return Span(mean, mean - half, mean + half)


@lru_cache
def _quantile(n: int) -> float:
    return float(student.ppf(0.975, n - 1))
