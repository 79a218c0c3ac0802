"""What the report shows of an evaluation: the headline, the table, the histogram, the pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from humanalign.evaluate.monitor.symptoms import Symptoms, pooled_distinct, symptoms
from humanalign.evaluate.report.charts import histogram, interval, number
from humanalign.evaluate.report.marked import Piece, mark
from humanalign.evaluate.report.results import is_number, whole, with_interval

PAIRS = 20
NAMES = {
    "toxicity": "Toxicity",
    "rouge1": "ROUGE-1",
    "rouge2": "ROUGE-2",
    "rougeL": "ROUGE-L",
    "length": "Length, words",
    "distinct2": "Distinct bigrams",
}


@dataclass(frozen=True)
class Measure:
    """One row of the comparison: name, before, after and difference as {value, ci_low, ci_high}."""

    key: str
    name: str
    before: Mapping
    after: Mapping
    difference: Mapping | None
    p: float | None
    finding: str
    picture: Markup | None

    @property
    def sign(self) -> str:
        """The finding as a mark that needs no colour."""
        return {"improved": "▲", "worse": "▼", "changed": "◆"}.get(self.finding, "○")


@dataclass(frozen=True)
class Pair:
    """One prompt with both answers, their differing words marked, and the score of each."""

    prompt: str
    reference: str
    before: Sequence[Piece]
    after: Sequence[Piece]
    scores: tuple[tuple[str, str, str], ...]
    change: float
    rewritten: float


def measures(summary: Mapping) -> list[Measure]:
    """The compared metrics of an evaluate summary, toxicity first."""
    found = [("toxicity", summary.get("toxicity"))]
    for group in ("scorers", "quality"):
        inner = summary.get(group)
        found += list(inner.items()) if isinstance(inner, Mapping) else []
    found += [(name, summary.get(name)) for name in ("length", "distinct2")]
    return [
        _measure(str(key), told)
        for key, told in found
        if isinstance(told, Mapping) and whole(told.get("before")) and whole(told.get("after"))
    ]


def _measure(key: str, told: Mapping) -> Measure:
    difference = told.get("difference")
    difference = difference if whole(difference) else None
    picture = None
    if difference:
        low, high = difference["ci_low"], difference["ci_high"]
        reach = 1.25 * max(abs(low), abs(high), 1e-9)
        picture = interval(difference["value"], low, high, (-reach, reach))
    return Measure(
        key=key,
        name=NAMES.get(key, key),
        before=told["before"],
        after=told["after"],
        difference=difference,
        p=told.get("p_holm"),
        finding=_finding(key, told, difference),
        picture=picture,
    )


def _finding(key: str, told: Mapping, difference: Mapping | None) -> str:
    """The evaluation's own verdict, checked: nothing is found where the interval covers 0."""
    judged = difference or told.get("relative_reduction")
    if not whole(judged) or judged["ci_low"] <= 0 <= judged["ci_high"]:
        return "no difference shown"
    if isinstance(told.get("verdict"), str):
        return told["verdict"]
    if key in ("length", "distinct2"):
        return "changed"
    fell = judged["value"] < 0 if difference else judged["value"] > 0
    return "improved" if fell == (key == "toxicity") else "worse"


def headline(measure: Measure) -> str:
    """One sentence a manager may repeat, with no more in it than the interval carries."""
    before, after = number(measure.before["value"]), number(measure.after["value"])
    if measure.finding == "no difference shown":
        return f"{measure.name}: no difference shown, {before} before and {after} after"
    moved = "fell" if measure.after["value"] < measure.before["value"] else "rose"
    return f"{measure.name} {moved} from {before} to {after}"


def pairs(samples: Sequence[Mapping], key: str) -> list[Pair]:
    """Twenty rows spread evenly over the change in `key`, from the greatest fall to the greatest
    rise, so that nobody picked them; all rows where there are fewer."""
    rows = [row for row in samples if "before" in row and "after" in row]
    rows.sort(key=lambda row: _change(row, key))
    if len(rows) > PAIRS:
        rows = [rows[round(i * (len(rows) - 1) / (PAIRS - 1))] for i in range(PAIRS)]
    return [_pair(row, key) for row in rows]


def _pair(row: Mapping, key: str) -> Pair:
    left, right, rewritten = mark(str(row["before"]), str(row["after"]))
    names = [str(name).removesuffix("_before") for name in row if str(name).endswith("_before")]
    scores = tuple(
        (
            str(NAMES.get(name, name)),
            number(row[f"{name}_before"]),
            number(row.get(f"{name}_after")),
        )
        for name in names
        if is_number(row[f"{name}_before"])
    )
    return Pair(
        prompt=str(row.get("prompt", "")),
        reference=str(row.get("reference") or ""),
        before=left,
        after=right,
        scores=scores,
        change=_change(row, key),
        rewritten=rewritten,
    )


def scores_histogram(samples: Sequence[Mapping], key: str) -> Markup | None:
    """Before and after of one score over all samples, or None where they were not kept."""
    sides = [
        [float(row[name]) for row in samples if is_number(row.get(name))]
        for name in (f"{key}_before", f"{key}_after")
    ]
    return histogram(sides[0], sides[1], NAMES.get(key, key)) if all(sides) else None


def warnings(samples: Sequence[Mapping], key: str) -> tuple[Symptoms, float] | None:
    """Signs of reward hacking in the answers after; distinct bigrams before for comparison."""
    rows = [row for row in samples if "before" in row and "after" in row]
    if not rows:
        return None
    before = [str(row["before"]) for row in rows]
    scored = all(is_number(row.get(f"{key}_after")) for row in rows)
    ended = all(isinstance(row.get("finished_after"), bool) for row in rows)
    sign = -1.0 if key == "toxicity" else 1.0
    found = symptoms(
        [str(row["after"]) for row in rows],
        before,
        rewards=[sign * float(row[f"{key}_after"]) for row in rows] if scored else None,
        finished=[row["finished_after"] for row in rows] if ended else None,
    )
    return found, pooled_distinct(before)


def told(result: Mapping | None) -> str:
    """A result with its interval for the page."""
    return with_interval(result) if result else "–"


def _change(row: Mapping, key: str) -> float:
    before, after = row.get(f"{key}_before"), row.get(f"{key}_after")
    return after - before if is_number(before) and is_number(after) else 0.0
