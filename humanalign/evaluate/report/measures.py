"""The compared numbers of a summary, each checked against its own interval before it is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from humanalign.evaluate.report.charts import number
from humanalign.evaluate.report.results import is_number, whole

NAMES = {
    "toxicity": "Toxicity",
    "rouge1": "ROUGE-1",
    "rouge2": "ROUGE-2",
    "rougeL": "ROUGE-L",
    "perplexity": "Perplexity",
    "length": "Length, words",
    "distinct1": "Distinct words",
    "distinct2": "Distinct bigrams",
    "distinct3": "Distinct trigrams",
    "abstained": "Declines",
    "mc1": "MC1",
    "mc2": "MC2",
    "success": "Attack success",
}
# Which way is better where a summary does not say; a scorer that is not named here: higher.
LOWER = ("toxicity", "perplexity", "success", "over_refusal", "ece", "refused", "degenerate")
NEITHER = ("length", "distinct1", "distinct2", "distinct3", "abstained", "kl")


@dataclass(frozen=True)
class Measure:
    """One compared number: before, after and difference as {value, ci_low, ci_high, n}.

    `before` and `difference` are None for a model that is compared with none. `better` is
    "higher", "lower" or "neither"; `finding` one of "improved", "worse", "changed",
    "no difference shown" and "".
    """

    key: str
    name: str
    before: Mapping | None
    after: Mapping
    difference: Mapping | None
    p: float | None
    better: str
    finding: str
    reduction: Mapping | None = None

    @property
    def sign(self) -> str:
        """The finding as a mark that needs no colour."""
        return SIGNS.get(self.finding, "")


SIGNS = {"improved": "▲", "worse": "▼", "changed": "◆", "no difference shown": "○"}


def measures(summary: Mapping) -> list[Measure]:
    """The compared metrics of an evaluate summary, toxicity first."""
    found = [("toxicity", summary.get("toxicity"))]
    for group in ("scorers", "quality"):
        inner = summary.get(group)
        found += list(inner.items()) if isinstance(inner, Mapping) else []
    plain = ("perplexity", "length", "distinct1", "distinct2", "distinct3")
    found += [(name, summary.get(name)) for name in plain]
    read = [measure(str(key), told) for key, told in found]
    return [each for each in read if each and each.before]


def measure(key: str, told: object, name: str = "", better: str = "") -> Measure | None:
    """Read {before, after, difference ...}, or {after} alone; None where there is no number."""
    if not isinstance(told, Mapping) or not whole(told.get("after")):
        return None
    difference = told.get("difference")
    difference = difference if whole(difference) else None
    reduction = told.get("relative_reduction")
    better = better or str(told.get("better") or direction(key))
    p = told.get("p_holm", told.get("p"))
    return Measure(
        key=key,
        name=name or named(key),
        before=told["before"] if whole(told.get("before")) else None,
        after=told["after"],
        difference=difference,
        p=p if is_number(p) else None,
        better=better,
        finding=_finding(told, difference, better) if whole(told.get("before")) else "",
        reduction=reduction if whole(reduction) else None,
    )


def named(key: str) -> str:
    """A metric's name for a reader; a name of the user's own stays as it is."""
    bare = key.removeprefix("score_")
    return NAMES.get(bare, bare.replace("_", " "))


def direction(key: str) -> str:
    """Which way a metric of this name is better."""
    key = key.removeprefix("score_")
    return "neither" if key in NEITHER else "lower" if key in LOWER else "higher"


def _finding(told: Mapping, difference: Mapping | None, better: str) -> str:
    """The evaluation's own verdict, checked: nothing is found where the interval covers 0."""
    judged = difference or told.get("relative_reduction")
    claims = any(key in told for key in ("verdict", "p", "p_holm", "relative_reduction"))
    if not whole(judged) or not claims:
        return ""  # a yardstick: a difference of which its maker claims nothing
    if judged["ci_low"] <= 0 <= judged["ci_high"]:
        return "no difference shown"
    if isinstance(told.get("verdict"), str):
        return told["verdict"]
    if better == "neither":
        return "changed"
    fell = judged["value"] < 0 if difference else judged["value"] > 0
    return "improved" if fell == (better == "lower") else "worse"


def headline(measure: Measure) -> str:
    """One sentence a manager may repeat, with no more in it than the interval carries."""
    after = number(measure.after["value"])
    if measure.before is None:
        return f"{measure.name}: {after}"
    before = number(measure.before["value"])
    if measure.finding == "no difference shown":
        return f"{measure.name}: no difference shown, {before} before and {after} after"
    moved = "fell" if measure.after["value"] < measure.before["value"] else "rose"
    return f"{measure.name} {moved} from {before} to {after}"
