"""Looks at held-out prompts: reward and gold side by side, and which step had the best gold.

A look is noise too. The choice smooths gold over neighbouring looks, and gold counts as fallen
only where two looks in a row lie below the chosen one, prompt by prompt, beyond chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev

from scipy.stats import t as student

from humanalign.evaluate.monitor.rules import Finding
from humanalign.intervals import mean_interval
from humanalign.types import Answers

Numbers = dict[str, float | int]
# The chosen look is the highest of many, so one below it proves little: 1 in 200, and twice.
CHANCE = 0.005
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


def smoothed(looks: Sequence[Look]) -> list[float]:
    """Gold at each look as a weighted mean with its neighbours: 1, 2, 1; at the ends 2, 1."""
    golds = [float(each.gold["value"]) for each in looks if each.gold]
    found = []
    for i, gold in enumerate(golds):
        beside = golds[max(0, i - 1) : i] + golds[i + 1 : i + 2]
        found.append((2 * gold + sum(beside)) / (2 + len(beside)))
    return found


def choose(looks: Sequence[Look], *, settled: bool = False) -> int | None:
    """The place of the look with the best smoothed gold, the first of equals; None without gold.

    `settled` leaves out the last one where there are others: the next look may lower it again, and
    what it would then fall back to must still be there.
    """
    values = smoothed(looks)
    if settled and len(values) > 1:
        values = values[:-1]
    return max(range(len(values)), key=lambda i: (values[i], -i)) if values else None


def fallen(looks: Sequence[Look]) -> Finding | None:
    """Whether gold fell from the chosen look to the last two, paired by prompt."""
    place = choose(looks)
    if place is None or place > len(looks) - 3:
        return None
    best, last = looks[place], looks[-1]
    quantile = float(student.ppf(1 - CHANCE, len(best.golds) - 1))
    for each in looks[-2:]:
        change = [b - a for a, b in zip(best.golds, each.golds, strict=True)]
        if fmean(change) + quantile * stdev(change) / len(change) ** 0.5 >= 0:
            return None
    before, after = (float((each.gold or {})["value"]) for each in (best, last))
    proxies = [float(each.proxy["value"]) for each in (best, last)]
    words = (
        f"since step {best.step} gold went from {before:.3g} to {after:.3g} on {len(best.golds)} "
        f"held-out prompts while the reward went from {proxies[0]:.3g} to {proxies[1]:.3g}"
    )
    return Finding(after, before, before, words)
