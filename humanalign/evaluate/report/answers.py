"""What the answers themselves show: twenty pairs that nobody picked, and signs of gaming."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from humanalign.evaluate.monitor.symptoms import Symptoms, pooled_distinct, symptoms
from humanalign.evaluate.report.charts import histogram, number
from humanalign.evaluate.report.marked import Piece, flag, mark
from humanalign.evaluate.report.measures import direction, named
from humanalign.evaluate.report.results import is_number

PAIRS = 20


@dataclass(frozen=True)
class Pair:
    """One prompt with both answers, their differing words marked, and the score of each.

    `text` is what the model read: the attack where there is one, else the prompt.
    """

    text: str
    reference: str
    before: Sequence[Piece]
    after: Sequence[Piece]
    scores: tuple[tuple[str, str, str], ...]
    change: float


def both_sides(samples: Sequence[Mapping]) -> list[Mapping]:
    """The rows in which both models answered."""
    return [row for row in samples if "before" in row and "after" in row]


def spread(rows: Sequence[Mapping], key: str, count: int) -> list[Mapping]:
    """`count` rows spread evenly over the change in `key`, from the greatest fall to the greatest
    rise, so that nobody picked them; all rows where there are fewer."""
    ordered = sorted(rows, key=lambda row: change(row, key))
    if len(ordered) <= count:
        return ordered
    last = len(ordered) - 1
    return [ordered[round(i * last / max(1, count - 1))] for i in range(count)]


def pairs(samples: Sequence[Mapping], key: str, count: int, most: int) -> list[Pair]:
    """The spread rows with their words marked; a text longer than `most` characters is cut."""
    return [_pair(row, key, most) for row in spread(both_sides(samples), key, count)]


def _pair(row: Mapping, key: str, most: int) -> Pair:
    left, right, _ = mark(cut(row["before"], most), cut(row["after"], most))
    names = [str(name).removesuffix("_before") for name in row if str(name).endswith("_before")]
    scores = tuple(
        (
            named(name),
            number(score(row, f"{name}_before")),
            number(score(row, f"{name}_after")),
        )
        for name in names
        if score(row, f"{name}_before") is not None and name != "finished"
    )
    return Pair(
        text=cut(row.get("attack") or row.get("prompt") or "", most),
        reference=cut(row.get("reference") or "", most),
        before=flag(left, row.get("unsupported_before")),
        after=flag(right, row.get("unsupported_after")),
        scores=scores,
        change=change(row, key),
    )


def kind_of(row: Mapping) -> str:
    """What an attack asks for and how it is disguised: "insults, role play"; "" for no attack."""
    said = [str(row[key]).replace("_", " ") for key in ("category", "mutation") if row.get(key)]
    return ", ".join(said)


def cut(text: object, most: int) -> str:
    """`text`, or its first `most` characters with a sign that there was more."""
    whole = str(text)
    return whole if len(whole) <= most else f"{whole[:most]}…"


def score(row: Mapping, name: str) -> float | None:
    """A number of a row; yes and no count as 1 and 0."""
    value = row.get(name)
    if isinstance(value, bool):
        return float(value)
    return float(value) if is_number(value) else None


def change(row: Mapping, key: str) -> float:
    """After minus before; 0 where either is not known."""
    before, after = score(row, f"{key}_before"), score(row, f"{key}_after")
    return 0.0 if before is None or after is None else after - before


def scores_histogram(samples: Sequence[Mapping], key: str) -> Markup | None:
    """Before and after of one score over all samples, or None where they were not kept."""
    sides = [
        [float(row[name]) for row in samples if is_number(row.get(name))]
        for name in (f"{key}_before", f"{key}_after")
    ]
    return histogram(sides[0], sides[1], named(key)) if all(sides) else None


def gaming(samples: Sequence[Mapping], key: str) -> tuple[Symptoms, float] | None:
    """Signs of reward hacking in the answers after; distinct bigrams before for comparison."""
    rows = both_sides(samples)
    if not rows:
        return None
    before = [str(row["before"]) for row in rows]
    scored = all(is_number(row.get(f"{key}_after")) for row in rows)
    ended = all(isinstance(row.get("finished_after"), bool) for row in rows)
    sign = -1.0 if direction(key) == "lower" else 1.0
    found = symptoms(
        [str(row["after"]) for row in rows],
        before,
        rewards=[sign * float(row[f"{key}_after"]) for row in rows] if scored else None,
        finished=[row["finished_after"] for row in rows] if ended else None,
    )
    return found, pooled_distinct(before)
