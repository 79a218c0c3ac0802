"""How an evaluation holds up: who wins, what may not get worse, what so few prompts can show."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from humanalign.evaluate.report.card_charts import edges_of, margin, strip, strip_axis
from humanalign.evaluate.report.card_exhibits import Exhibit, Line, mark
from humanalign.evaluate.report.charts import number
from humanalign.evaluate.report.measures import Measure, direction, measure, measures, named
from humanalign.evaluate.report.results import is_number, known, rows_of, whole, within
from humanalign.evaluate.report.versus import MOST_OPEN, chance, spread

BY = {"scorer": "by its score", "judge": "by a judge, both orders", "people": "by people"}


def win_rates(summary: Mapping) -> Exhibit | None:
    """How often the answer after is preferred to the one before, a tie counting half."""
    found = [
        (str(name), told)
        for name, told in within(summary, "win_rate").items()
        if whole(within(told).get("win_rate"))
    ]
    if not found:
        return None
    edges = edges_of([mark(told["win_rate"]) for _, told in found], 0.5)
    return Exhibit(
        "Which answer is preferred",
        "Win rate: the share of prompts on which the answer after beats the one before, a tie "
        "counting half. A judge sees both orders; a flip is a judgement that turns with the order. "
        "p is adjusted over the win rates (Holm).",
        ("Win rate", "Won, tied, lost", "p", "Flips", "Needed"),
        tuple(
            Line(
                " ".join([named(name), BY.get(str(told.get("by")), "")]).strip(),
                (
                    spread(told["win_rate"]),
                    ", ".join(number(told.get(key)) for key in ("wins", "ties", "losses")),
                    chance(told.get("p_holm", told.get("p"))),
                    spread(told["flips"]) if whole(told.get("flips")) else "–",
                    number(told.get("needed")),
                ),
                strip([mark(told["win_rate"])], edges, line=0.5),
            )
            for name, told in found
        ),
        "The upright line is a draw. Needed: so many untied comparisons find a share like this "
        "four times in five.",
        strip_axis(edges),
    )


def non_inferiority(summary: Mapping) -> Exhibit | None:
    """What may not get worse: the difference beside the margin that was stated beforehand."""
    found = [
        row
        for row in rows_of(summary.get("non_inferiority"))
        if whole(row.get("difference")) and is_number(row.get("margin"))
    ]
    if not found:
        return None
    return Exhibit(
        "What may not get worse",
        "Not inferior: the whole interval of the difference lies on the good side of a margin that "
        "was stated before looking. Not shown is not the same as worse.",
        ("Difference", "Margin", "Not inferior"),
        tuple(_kept(row) for row in found),
        "Each row on a scale of its own. Upright line: no difference. Broken line: the margin.",
        Markup(""),
    )


# What a loss is called by the evaluation, and where it then lies: below 0, above it, or both.
SIDES = {"fall": (-1,), "rise": (1,), "either": (-1, 1)}


def _kept(row: Mapping) -> Line:
    key, shown = str(row.get("metric")), bool(row.get("shown"))
    usual = "rise" if direction(key) == "lower" else "fall"
    loss = str(row.get("loss")) if row.get("loss") in SIDES else usual
    parts = 100 if row.get("relative") else 1
    told = {**row["difference"]}
    told |= {end: parts * told[end] for end in ("value", "ci_low", "ci_high")}
    limits = [sign * parts * abs(row["margin"]) for sign in SIDES[loss]]
    percent = "\u00a0%" if row.get("relative") else ""
    may = {"fall": "may fall by", "rise": "may rise by", "either": "may move by"}[loss]
    return Line(
        named(key),
        (
            spread(told, unit=percent),
            f"{may} {number(abs(limits[0]))}{percent}",
            "▲ shown" if shown else "○ not shown",
        ),
        margin(mark(told), limits),
        "improved" if shown else "no-difference-shown",
    )


def power(summary: Mapping) -> Exhibit | None:
    """The smallest true difference that this many prompts find four times in five."""
    smallest = within(summary, "power", "smallest")
    found = {each.key: each for each in measures(summary)}
    for key, told in within(summary, "honesty", "support").items():
        if read := measure(str(key), told):
            found["supported" if key == "supported" else f"supported {key}"] = read
    lines = tuple(
        Line(named(str(key)), (_found(found.get(str(key))), number(value)))
        for key, value in smallest.items()
        if is_number(value)
    )
    if not lines:
        return None
    count = number(within(summary, "power").get("prompts"))
    return Exhibit(
        "What so many prompts can show",
        f"With {count} prompts, a true difference of this size is found four times in five "
        "(80 % power at .05). A smaller one may be there and not be seen.",
        ("Difference found", "Smallest that would be found"),
        lines,
        folded=len(lines) > MOST_OPEN,
    )


def toxic(summary: Mapping) -> Exhibit | None:
    """Toxicity by other means: how often it is over one half, and the worst of several answers."""
    told = within(summary, "toxicity")
    rows = []
    for key, name in (("over_half", "Answers over .5"), ("expected_max", "Worst of the samples")):
        inner = within(told, key)
        count = inner.get("samples")
        if key == "expected_max" and (not is_number(count) or count < 2):
            continue  # the worst of one is the mean
        sides = [inner.get(side) for side in ("before", "after")]
        if all(known(side) for side in sides):
            full = name if key == "over_half" else f"Worst of {number(count)} answers"
            rows.append(Line(full, tuple(spread(side) for side in sides if whole(side))))
    rows = [row for row in rows if len(row.cells) == 2]
    deviation = within(told, "sd")
    if all(is_number(deviation.get(side)) for side in ("before", "after")):
        cells = tuple(number(deviation[side]) for side in ("before", "after"))
        rows.append(Line("Standard deviation", cells))
    if not rows:
        return None
    return Exhibit("Toxicity, not only its mean", "", ("Before", "After"), tuple(rows))


def _found(measure: Measure | None) -> str:
    return spread(measure.difference) if measure and measure.difference else "–"
