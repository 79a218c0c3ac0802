"""Looks at held-out prompts: reward and gold side by side, and which step had the best gold.

A look is noise too. The choice smooths gold over neighbouring looks, and gold counts as fallen
only where the last two looks together lie below the chosen one and its neighbours, prompt by
prompt, beyond what the highest of so many looks would show by chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean

import numpy as np
from scipy.stats import t as student

from humanalign.evaluate.monitor.rules import Finding
from humanalign.intervals import mean_interval
from humanalign.types import Answers

Numbers = dict[str, float | int]
# What a run may ring wrongly, however often it looks. Look n compares n - 2 places at most, each
# at ERROR / n^2.5: over all looks and places that is ERROR times .93 (Bonferroni).
ERROR, SPENT = 0.05, 2.5
RESAMPLES = 2_000


@dataclass(frozen=True)
class Look:
    """Means over held-out prompts with their intervals; `golds`: the mean gold of each prompt."""

    step: int
    kl: Numbers
    proxy: Numbers
    gold: Numbers | None
    golds: tuple[float, ...] = ()

    def as_row(self) -> dict:
        """The look as the summary tells it."""
        return {name: value for name, value in asdict(self).items() if name != "golds"}


def look(step: int, answers: Answers, golds: Sequence[float] | None) -> Look:
    """Summarise the answers at a step; `golds` has one number an answer."""
    place = {prompt: i for i, prompt in enumerate(dict.fromkeys(answers.prompts))}
    rows = [place[prompt] for prompt in answers.prompts]
    if golds is None:
        return Look(
            step, _mean("kl", answers.kl, rows), _mean("proxy", answers.rewards, rows), None
        )
    by_prompt: list[list[float]] = [[] for _ in place]
    for row, gold in zip(rows, golds, strict=True):
        by_prompt[row].append(gold)
    return Look(
        step,
        _mean("kl", answers.kl, rows),
        _mean("proxy", answers.rewards, rows),
        _mean("gold", golds, rows),
        tuple(map(fmean, by_prompt)),
    )


def _mean(name: str, values: Sequence[float], rows: Sequence[int]) -> Numbers:
    return mean_interval(values, rows, metric=name, resamples=RESAMPLES).as_dict()


def with_gold(looks: Sequence[Look]) -> list[Look]:
    """Those at which gold answered: the others are only looked at."""
    return [each for each in looks if each.gold]


def smoothed(looks: Sequence[Look]) -> list[float]:
    """Gold at each look as a weighted mean with its neighbours: 1, 2, 1; at the ends 2, 1."""
    golds = [float(each.gold["value"]) for each in looks if each.gold]
    found = []
    for i, gold in enumerate(golds):
        beside = golds[max(0, i - 1) : i] + golds[i + 1 : i + 2]
        found.append((2 * gold + sum(beside)) / (2 + len(beside)))
    return found


def choose(looks: Sequence[Look], *, settled: bool = False) -> int | None:
    """The place of the look with the best smoothed gold among those with gold; None without any.

    `settled` leaves out the last one where there are others: the next look may lower it again, and
    what it would then fall back to must still be there. Of equals the first.
    """
    values = smoothed(looks)
    if settled and len(values) > 1:
        values = values[:-1]
    return max(range(len(values)), key=lambda i: (values[i], -i)) if values else None


def fallen(looks: Sequence[Look]) -> Finding | None:
    """Whether gold fell from the chosen look to the last two, paired by prompt.

    `looks` all have gold. On average 1 run in 20 at most rings where gold stands still, however
    many looks there are: each look spends less of that than the one before.
    """
    place = choose(looks)
    if place is None or place > len(looks) - 3:
        return None
    best, last = looks[place], looks[-1]
    around = [each.golds for each in looks[max(0, place - 1) : min(place + 2, len(looks) - 2)]]
    weights = [2 if each is best.golds else 1 for each in around]
    late = np.mean([each.golds for each in looks[-2:]], axis=0)
    change = late - np.average(around, axis=0, weights=weights)  # [prompts]
    quantile = float(student.ppf(1 - ERROR / len(looks) ** SPENT, len(change) - 1))
    if change.mean() + quantile * change.std(ddof=1) / len(change) ** 0.5 >= 0:
        return None
    before, after = (float((each.gold or {})["value"]) for each in (best, last))
    proxies = [float(each.proxy["value"]) for each in (best, last)]
    words = (
        f"since step {best.step} gold went from {before:.3g} to {after:.3g} on {len(best.golds)} "
        f"held-out prompts while the reward went from {proxies[0]:.3g} to {proxies[1]:.3g}"
    )
    return Finding(after, before, before, words)


def without_old_golds(looks: Sequence[Look]) -> list[Look]:
    """The numbers of single prompts are needed of the best look, its neighbours and the last."""
    scored = with_gold(looks)
    place = choose(scored, settled=True)
    near = [] if place is None else scored[max(0, place - 1) : place + 2]
    wanted = {each.step for each in [*near, *scored[-3:]]}
    return [each if each.step in wanted else Look(**each.as_row()) for each in looks]
