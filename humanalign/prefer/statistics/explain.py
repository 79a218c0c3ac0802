"""One number with its interval, and the plain sentence that says what it means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from humanalign.intervals import wilson
from humanalign.prefer.statistics.bootstrap import Sums

# Two people agree on 63 to 77 % of pairs when they judge helpfulness: HH 63 (arXiv:2204.05862),
# AlpacaFarm 65.7 (2305.14387), InstructGPT 72.6, held-out labelers 77.3 (2203.02155).
HUMAN_RANGE = (0.63, 0.77)
LOW_ALPHA, GOOD_ALPHA = 0.4, 0.667


@dataclass(frozen=True)
class Figure:
    """A number over `n` of `unit`, with a 95 % interval.

    `reason` says why value or interval are None; `percent` asks for 72.6 % instead of 0.726, a
    `suffix` such as "s" for 54.9 s.
    """

    name: str
    title: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    unit: str
    sentence: str
    reason: str = ""
    warning: str = ""
    percent: bool = False
    suffix: str = ""

    def text(self) -> str:
        """The number as it is shown: "72.6 % (70.1 to 75.0)", or "not defined"."""
        if self.value is None:
            return "not defined"
        if self.low is None or self.high is None:
            return shown(self.value, self.percent, self.suffix)
        unit = f" {'%' if self.percent else self.suffix}"
        low, high = (
            shown(each, self.percent, self.suffix).removesuffix(unit)
            for each in (self.low, self.high)
        )
        return f"{shown(self.value, self.percent, self.suffix)} ({low} to {high})"

    def as_dict(self) -> dict:
        """JSON-ready."""
        return asdict(self)


@dataclass(frozen=True)
class Meaning:
    """What a figure is called and how a value of it reads: `says` takes the value."""

    name: str
    title: str
    says: Callable[[float], str]
    unit: str = "items"
    percent: bool = False


def shown(value: float, percent: bool = False, suffix: str = "") -> str:
    """A value as text: three decimals, or one of a percentage or where there is a suffix."""
    if percent:
        return f"{100 * value:.1f} %"
    return f"{value:.1f} {suffix}" if suffix else f"{value:.3f}"


def figure(
    meaning: Meaning, sums: Sums, interval: tuple[float, float] | None, warning: str = ""
) -> Figure:
    """The figure of a measure and its bootstrap interval; what is undefined says why."""
    value = sums.value()
    if not np.isfinite(value):
        return _undefined(meaning, sums)
    reason = ""
    if meaning.percent and value in (0.0, 1.0) and sums.n > 1:
        # All alike is not certainty: Wilson's interval over the items.
        interval = wilson(value, sums.n)
    elif interval is None:
        reason = "one item says nothing of the spread" if sums.n < 2 else "every item says the same"
    low, high = interval or (None, None)
    return Figure(
        name=meaning.name,
        title=meaning.title,
        value=value,
        low=low,
        high=high,
        n=sums.n,
        unit=meaning.unit,
        sentence=meaning.says(value),
        reason=reason,
        warning=warning,
        percent=meaning.percent,
    )


def _undefined(meaning: Meaning, sums: Sums) -> Figure:
    reason = "no item was judged by two labelers" if not sums.n else "every mark is the same"
    return Figure(
        name=meaning.name,
        title=meaning.title,
        value=None,
        low=None,
        high=None,
        n=sums.n,
        unit=meaning.unit,
        sentence=f"Not defined yet: {reason}.",
        reason=reason,
        percent=meaning.percent,
    )


def human_range(value: float, criterion: str) -> str:
    """A warning where raw agreement on helpfulness is outside of what people reach, else ""."""
    low, high = HUMAN_RANGE
    if criterion != "helpful" or low <= value <= high:
        return ""
    expected = f"Published labelers agree on {100 * low:.0f} to {100 * high:.0f} % of pairs."
    if value < low:
        return f"{expected} Less means unclear instructions, alike completions or poor labelers."
    return f"{expected} More means easy items, copied answers or labelers who are not independent."


def band(value: float) -> str:
    """Krippendorff's reading of a coefficient (2004, chapter 11)."""
    if value < 0:
        return "less than chance would give; somebody may rank the wrong way round"
    if value < LOW_ALPHA:
        return "weak, as is common where tastes differ; use several labelers an item"
    if value < GOOD_ALPHA:
        return "moderate; fit for training on the consensus, not on single answers"
    return "good; single answers can be trusted"


def alpha_says(what: str) -> Callable[[float], str]:
    """The sentence of a coefficient that is 0 at chance and 1 at full agreement."""

    def says(value: float) -> str:
        return f"{what}: {value:.2f}, where 0 is chance and 1 is full agreement: {band(value)}."

    return says


RANKING = {
    each.name: each
    for each in (
        Meaning(
            "pair_agreement",
            "Raw pair agreement",
            lambda v: (
                f"Two labelers put the same two answers in the same order {100 * v:.0f} % of the "
                "time (a tie counts half); a coin would give 50 %."
            ),
            percent=True,
        ),
        Meaning(
            "alpha_pairs",
            "Krippendorff's alpha, pairs",
            alpha_says("Agreement on which of two answers is better, beyond chance"),
        ),
        Meaning(
            "alpha_ranks",
            "Krippendorff's alpha, ranks",
            alpha_says("Agreement on the ranks themselves, near ranks counting as near"),
        ),
        Meaning(
            "tau_b",
            "Mean Kendall tau-b",
            lambda v: (
                f"The rankings of one item by two labelers correlate by {v:+.2f} on average "
                "(+1 the same order, 0 unrelated, -1 reversed)."
            ),
        ),
        Meaning(
            "kendall_w",
            "Mean Kendall's W",
            lambda v: (
                f"All labelers of an item together are {v:.2f} in concord, from 0 to 1; by "
                "chance it is about 1 divided by the number of labelers."
            ),
        ),
        Meaning(
            "ac2_ranks", "Gwet's AC2, ranks", alpha_says("Agreement on ranks by Gwet's chance")
        ),
        Meaning(
            "ac1_rejected",
            "Gwet's AC1, F marks",
            alpha_says(
                "Agreement on which answers are unusable (F), which stays fair when F is rare"
            ),
        ),
        Meaning(
            "rejected_share",
            "F marks",
            lambda v: f"{100 * v:.1f} % of the marks are F, for answers that are unusable.",
            percent=True,
        ),
        Meaning(
            "tie_share",
            "Ties",
            lambda v: (
                f"{100 * v:.1f} % of the pairs of usable answers were tied; ties are meant to be "
                "few, because a tie gives no training pair."
            ),
            percent=True,
        ),
    )
}
RATING = {
    each.name: each
    for each in (
        Meaning(
            "mark_agreement",
            "Raw agreement on marks",
            lambda v: (
                f"Two labelers are on the same side of a mark {100 * v:.0f} % of the time; chance "
                "alone can be high here where one mark is common."
            ),
            percent=True,
        ),
        Meaning(
            "alpha_nominal",
            "Krippendorff's alpha, nominal",
            alpha_says("Agreement on the exact mark, beyond chance"),
        ),
        Meaning(
            "alpha_ordinal",
            "Krippendorff's alpha, ordinal",
            alpha_says("Agreement on the mark, near marks counting as near"),
        ),
        Meaning(
            "ac1_marks",
            "Gwet's AC1",
            alpha_says("Agreement on the exact mark, which stays fair when one mark is common"),
        ),
        Meaning(
            "ac2_marks",
            "Gwet's AC2",
            alpha_says("Agreement on the mark with near marks as near, fair when one is common"),
        ),
        Meaning("mean_mark", "Mean mark", lambda v: f"The mean of all marks is {v:.2f}."),
    )
}
THUMBS = Meaning(
    "mean_mark", "Thumbs up", lambda v: f"{100 * v:.1f} % of the thumbs are up.", percent=True
)
