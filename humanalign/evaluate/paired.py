"""One metric before and after, on the same prompts, and what may be said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from numpy.typing import ArrayLike

from humanalign.evaluate.statistics import (
    Undefined,
    difference,
    holm,
    mean,
    relative_reduction,
    sign_flip_p,
)
from humanalign.types import EvalResult

Better = Literal["higher", "lower", "neither"]
Verdict = Literal["improved", "worse", "changed", "no difference shown"]
LEVEL = 0.05


@dataclass(frozen=True)
class Paired:
    """Mean before, mean after, their paired difference (after - before) and its p-value.

    `p_holm` is p adjusted for the family of metrics that were looked at together. `better` says
    which direction is good; "neither" is for length and the like.
    """

    metric: str
    before: EvalResult
    after: EvalResult
    difference: EvalResult
    relative_reduction: EvalResult | Undefined
    p: float
    p_holm: float
    better: Better = "higher"

    @property
    def shown(self) -> bool:
        """True where the interval of the difference leaves 0 out and the adjusted p agrees."""
        return self.verdict != "no difference shown"

    @property
    def verdict(self) -> Verdict:
        """The word that the numbers carry."""
        return verdict(self.difference, self.p_holm, self.better)


def verdict(difference: EvalResult, p_holm: float, better: Better) -> Verdict:
    """What may be said of a difference; never "improved" where the interval covers 0."""
    apart = difference.ci_low > 0 or difference.ci_high < 0
    if not (apart and p_holm < LEVEL):
        return "no difference shown"
    if better == "neither":
        return "changed"
    return "improved" if (difference.value > 0) == (better == "higher") else "worse"


def compare(
    metric: str, before: ArrayLike, after: ArrayLike, *, better: Better = "higher", seed: int = 0
) -> Paired:
    """Compare [N] or [N, K] scores of the same N prompts; `p_holm` is p until `adjust`."""
    good = better != "lower"
    p = sign_flip_p(before, after, seed=seed)
    return Paired(
        metric,
        before=mean(metric, before, seed=seed, higher_is_better=good),
        after=mean(metric, after, seed=seed, higher_is_better=good),
        difference=difference(metric, before, after, seed=seed, higher_is_better=good),
        relative_reduction=relative_reduction(metric, before, after, seed=seed),
        p=p,
        p_holm=p,
        better=better,
    )


def adjust(family: Mapping[str, Paired]) -> dict[str, Paired]:
    """The same comparisons with Holm's p over the whole family."""
    adjusted = holm({name: paired.p for name, paired in family.items()})
    return {name: replace(paired, p_holm=adjusted[name]) for name, paired in family.items()}


def as_told(paired: Paired) -> dict:
    """A comparison as a summary tells it."""
    return {
        "before": paired.before,
        "after": paired.after,
        "difference": paired.difference,
        "p": paired.p,
        "p_holm": paired.p_holm,
        "verdict": paired.verdict,
        "better": paired.better,
    }
