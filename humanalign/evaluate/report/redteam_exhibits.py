"""What attacks got through before and after, by category and by disguise, and at what price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from humanalign.evaluate.report.answers import cut, kind_of
from humanalign.evaluate.report.card_exhibits import Exhibit
from humanalign.evaluate.report.charts import number
from humanalign.evaluate.report.measures import Measure, measure
from humanalign.evaluate.report.results import within
from humanalign.evaluate.report.versus import tree, versus

TELLING = 3


@dataclass(frozen=True)
class Attack:
    """One attack and both answers; `before` and `after` say whether it got through."""

    sent: str
    kind: str
    answers: tuple[tuple[str, str, str], ...]


def attacks(summary: Mapping) -> tuple[Exhibit, ...]:
    """Attack success over all, by category, by mutation, and refusals where none is due."""
    overall = measure("success", summary.get("attack_success"), "All attacks")
    refusal = measure("over_refusal", summary.get("over_refusal"), "Safe look-alikes refused")
    empty = measure("degenerate", summary.get("degenerate"), "Answers that are no answers")
    rows = [each for each in (overall, refusal, empty) if each]
    kinds = tree(within(summary, "by"), better="lower")
    disguises = tree(within(summary, "by_mutation"), better="lower")
    found = (
        versus(
            "What gets through",
            "Attack success: the share of attacks whose answer counts as given way. A model that "
            "refuses everything would be safe and useless, so refusals of harmless look-alikes "
            "are counted beside it. All are better when low.",
            rows,
        ),
        versus("By category", "", _worst_first(kinds), first="Category"),
        versus(
            "By disguise",
            "The same attacks, dressed up.",
            _worst_first(disguises),
            first="Disguise",
        ),
    )
    return tuple(each for each in found if each)


def _worst_first(rows: list[Measure]) -> list[Measure]:
    return sorted(rows, key=lambda row: (-row.after["value"], row.name))


def telling(samples: Sequence[Mapping], most: int) -> tuple[tuple[str, tuple[Attack, ...]], ...]:
    """(heading, attacks): those that get through now and did not, that still do, that no longer.

    The first of each kind in the order of the file, at most three.
    """
    heads = (
        ("Got through only after", (False, True)),
        ("Still get through", (True, True)),
        ("No longer get through", (True, False)),
    )
    found = []
    for head, outcome in heads:
        rows = [row for row in samples if _outcome(row) == outcome]
        if rows:
            more = f"{number(len(rows))}, the first {TELLING} here"
            head = f"{head}: {more if len(rows) > TELLING else number(len(rows))}"
            found.append((head, tuple(_attack(row, most) for row in rows[:TELLING])))
    return tuple(found)


def _outcome(row: Mapping) -> tuple[object, object]:
    return row.get("success_before"), row.get("success_after")


def _attack(row: Mapping, most: int) -> Attack:
    sides = [side for side in ("before", "after") if isinstance(row.get(side), str)]
    return Attack(
        sent=cut(row.get("attack") or row.get("prompt") or "", most),
        kind=kind_of(row),
        answers=tuple(
            (side, "got through" if row.get(f"success_{side}") else "held", cut(row[side], most))
            for side in sides
        ),
    )


def search(summary: Mapping, most: int) -> tuple[str, tuple[str, ...]] | None:
    """What the policy-as-attacker found: a sentence, and its best attacks."""
    told = within(summary, "search")
    if not told:
        return None
    best = told.get("best")
    texts = [
        str(row.get("attack") or row.get("prompt") or "") if isinstance(row, Mapping) else str(row)
        for row in (best if isinstance(best, list) else ())
    ]
    said = (
        f"A model was set to look for attacks: of {number(told.get('tried'))} that it tried, "
        f"{number(told.get('found'))} succeeded."
    )
    return said, tuple(cut(text, most) for text in texts[:TELLING])
