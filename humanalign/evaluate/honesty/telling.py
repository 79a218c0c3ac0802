"""Measures as results: one model's number alone, or before, after, difference, p and verdict.

Shares of right answers are told by closed forms: Wilson's interval for each model, Newcombe's for
their paired difference, McNemar's exact test for p. Other scores go the way of every metric
(`evaluate.paired`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest

from humanalign.evaluate.evaluation import Tree
from humanalign.evaluate.paired import Better, Paired, adjust, as_told, compare
from humanalign.evaluate.statistics import Array, Undefined, mean, newcombe, wilson
from humanalign.types import EvalResult


@dataclass(frozen=True)
class Measure:
    """Scores [N] of one model, and of the one before on the same items; a share holds 0 and 1."""

    after: Array
    before: Array | None = None
    better: Better = "higher"
    share: bool = False

    def of(self, rows: Sequence[int]) -> Measure:
        """The same measure on some of the items."""
        chosen = list(rows)
        before = None if self.before is None else self.before[chosen]
        return Measure(self.after[chosen], before, self.better, self.share)


def tell(family: Mapping[str, Measure], *, seed: int = 0) -> dict[str, Tree]:
    """Each measure's result by name; the p-values of the family are adjusted together (Holm).

    A measure of too few items to know anything of is told as undefined, with the reason.
    """
    pairs = {
        name: _paired(name, measure, seed)
        for name, measure in family.items()
        if measure.before is not None and _enough(measure)
    }
    adjusted = adjust(pairs)
    return {
        name: as_told(adjusted[name])
        if name in adjusted
        else {"after": _alone(name, m, seed), "better": m.better}
        for name, m in family.items()
    }


def yardstick(name: str, measure: Measure) -> Tree:
    """A share of each model and their difference, without p or verdict: it claims nothing."""
    if measure.before is None:
        return {"after": _alone(name, measure, 0)}
    paired = paired_shares(name, measure.before, measure.after, better=measure.better)
    return {"before": paired.before, "after": paired.after, "difference": paired.difference}


def paired_shares(metric: str, before: ArrayLike, after: ArrayLike, *, better: Better) -> Paired:
    """Two shares of the same items, 0 or 1 each: intervals and p in closed form.

    The difference's interval is Newcombe's (1998, Statistics in Medicine 17:2635) method 10; p is
    McNemar's exact test: of the items on which the models differ, are half the one way?
    """
    first, second = (np.asarray(x, dtype=np.float64) > 0.5 for x in (before, after))
    good = better != "lower"
    old, new = (
        wilson(metric, int(x.sum()), len(x), higher_is_better=good) for x in (first, second)
    )
    low, high = newcombe(old, new, _association(first, second))
    change = EvalResult(metric, new.value - old.value, low, high, len(first), good)
    gained, lost = int((second & ~first).sum()), int((first & ~second).sum())
    p = float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
    nothing = Undefined(metric, "read the difference of the two shares", len(first))
    return Paired(metric, old, new, change, nothing, p, p, better)


def _association(first: np.ndarray, second: np.ndarray) -> float:
    """Newcombe's phi of the two models' answers, corrected for continuity; 0 where undefined."""
    both, neither = int((first & second).sum()), int((~first & ~second).sum())
    gained, lost = int((second & ~first).sum()), int((first & ~second).sum())
    margins = (both + lost) * (gained + neither) * (both + gained) * (lost + neither)
    if not margins:
        return 0.0
    product = both * neither - gained * lost
    if product > 0:
        product = max(product - len(first) / 2, 0)
    return product / math.sqrt(margins)


def _enough(measure: Measure) -> bool:
    return len(measure.after) >= (1 if measure.share else 2)


def _paired(name: str, measure: Measure, seed: int) -> Paired:
    before = cast(Array, measure.before)
    if measure.share:
        return paired_shares(name, before, measure.after, better=measure.better)
    return compare(name, before, measure.after, better=measure.better, seed=seed)


def _alone(name: str, measure: Measure, seed: int) -> EvalResult | Undefined:
    count, good = len(measure.after), measure.better != "lower"
    if not _enough(measure):
        return Undefined(name, f"{count} items; an interval needs 2", count)
    if measure.share:
        return wilson(name, int((measure.after > 0.5).sum()), count, higher_is_better=good)
    return mean(name, measure.after, seed=seed, higher_is_better=good)


def by_side(name: str, values: Sequence) -> dict:
    """{name_after: ..., name_before: ...}; without a name, just the sides."""
    sides = ("after", "before")
    return {f"{name}_{side}".lstrip("_"): value for side, value in zip(sides, values, strict=False)}
