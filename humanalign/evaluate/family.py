"""One family for Holm over all headline numbers of an evaluation, those of its suites among them.

Each part of an evaluation could keep the chance of a false finding under 5 % for itself, and all of
them together would not. Categories of a suite stay outside: they are adjusted among themselves,
and are told as exploratory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from humanalign.evaluate.paired import verdict
from humanalign.evaluate.power import smallest_difference
from humanalign.evaluate.report.results import is_number, whole, within
from humanalign.evaluate.statistics import holm
from humanalign.evaluate.told import headlines
from humanalign.types import EvalResult


def as_one_family(summary: dict) -> dict:
    """The summary with p_holm and verdict of every headline number made anew, and its power.

    `power.looks` is their number, `power.family` their names. A summary without comparisons stays
    as it is.
    """
    family = {
        name: told
        for name, told in headlines(summary)
        if is_number(told.get("p")) and whole(told.get("difference"))
    }
    if not family:
        return summary
    adjusted = holm({name: told["p"] for name, told in family.items()})
    known, looks = within(summary, "power"), len(family)
    smallest = {}
    for name, told in family.items():
        change = _result(name, told["difference"])
        found = verdict(change, adjusted[name], told.get("better", "higher"))
        cast(dict, told).update(p_holm=adjusted[name], verdict=found)
        if name in within(known, "smallest"):
            smallest[name] = smallest_difference(change, looks=looks)
    power = {**known, "looks": looks, "family": list(family), "smallest": smallest}
    return {**summary, "power": power}


def _result(name: str, told: Mapping) -> EvalResult:
    return EvalResult(name, told["value"], told["ci_low"], told["ci_high"], told["n"])
