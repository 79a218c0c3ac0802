"""How long answers take: medians with intervals, and the hours in all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from humanalign.prefer.statistics.explain import Figure
from humanalign.prefer.statistics.habits import Timed
from humanalign.prefer.statistics.votes import Marks


def figures(timed: Sequence[Timed], marks: Marks) -> tuple[Figure, ...]:
    """Median seconds by the server and of activity, active seconds a card, hours of work."""
    cards = dict(zip(_names(marks), marks.sizes().tolist(), strict=True))
    counted = [each for each in timed if (each.item, each.rater) in cards]
    seconds = np.array([each.seconds for each in counted if each.seconds > 0])
    active = np.array([each.active for each in counted if each.active is not None])
    known = [each for each in counted if each.spent() > 0]
    card = np.array([each.spent() / cards[each.item, each.rater] for each in known])
    spent = sum(each.spent() for each in known)
    hours = spent / 3600
    return (
        _median("median_seconds", "Median time", seconds, "from opening an item to submitting"),
        _median("median_active", "Median active time", active, "of activity in the browser"),
        _median("median_per_card", "Median time a card", card, "a card"),
        Figure(
            name="total_hours",
            title="Hours of work",
            value=hours if known else None,
            low=None,
            high=None,
            n=len(known),
            unit="answers",
            sentence=f"All answers together took {hours:.1f} hours."
            if known
            else "No time is known yet.",
            reason="a sum has no interval" if known else "no time is known",
            suffix="h",
        ),
    )


def _median(name: str, title: str, values: np.ndarray, of_what: str) -> Figure:
    if not len(values):
        return Figure(
            *(name, title, None, None, None, 0, "answers", "No time is known yet."),
            reason="no time is known",
        )
    low, high = _median_interval(np.sort(values))
    median = float(np.median(values))
    return Figure(
        name=name,
        title=title,
        value=median,
        low=low,
        high=high,
        n=len(values),
        unit="answers",
        sentence=f"Half of the answers took less than {median:.0f} seconds {of_what}."
        if median >= 10
        else f"Half of the answers took less than {median:.1f} seconds {of_what}.",
        reason="" if low is not None else "fewer than 6 answers",
        suffix="s",
    )


def _median_interval(ordered: np.ndarray) -> tuple[float | None, float | None]:
    """Between two order statistics: n/2 -+ 0.98 sqrt(n) (the binomial's normal approximation)."""
    n = len(ordered)
    if n < 6:
        return None, None
    reach = 1.96 * n**0.5 / 2
    low = max(int(np.floor(n / 2 - reach)), 0)
    return float(ordered[low]), float(ordered[n - 1 - low])


def _names(marks: Marks) -> list[tuple[str, str]]:
    rows = zip(marks.comparison.tolist(), marks.rater.tolist(), strict=True)
    return [(marks.comparisons[item], marks.raters[rater]) for item, rater in rows]
