"""The exhibits of a reward card: each a question, its numbers with intervals, and a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from humanalign.evaluate.report.card_charts import (
    Mark,
    edges_of,
    learning,
    reliability,
    strip,
    strip_axis,
)
from humanalign.evaluate.report.charts import number
from humanalign.evaluate.report.results import (
    is_number,
    known,
    points,
    rows_of,
    whole,
    with_interval,
    within,
)


@dataclass(frozen=True)
class Line:
    """One row of an exhibit: its name, its picture, its cells; a heading has neither.

    `finding` is what the last cell says, where that has a colour: improved, worse ...
    """

    name: str
    cells: tuple[str, ...] = ()
    picture: Markup | None = None
    finding: str = ""


@dataclass(frozen=True)
class Exhibit:
    """A question with its answer: a table with a picture in each row, or one picture above it.

    `columns` name the cells; `legend` says how to read the pictures; `axis` stands under the
    pictures of the rows; `first` names the column of names; a `folded` one is opened by hand.
    """

    title: str
    said: str
    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    legend: str = ""
    axis: Markup | None = None
    picture: Markup | None = None
    first: str = "Measure"
    folded: bool = False


def forest(card: Mapping) -> Exhibit | None:
    """Accuracy of the reward over all, by group, and of the baselines."""
    found: list[tuple[str, Mapping | None, str]] = []
    if whole(card.get("accuracy")):
        found.append(("All held-out pairs", card["accuracy"], ""))
    for row in rows_of(card.get("baselines")):
        if whole(row.get("accuracy")):
            ahead = points(row["difference"]) if whole(row.get("difference")) else ""
            found.append((f"Instead: {row.get('name')}", row["accuracy"], ahead))
    for group in ("source", "criterion", "labeler"):
        inner = within(card, "by", group)
        rows = [(str(name), told, "") for name, told in inner.items() if whole(told)]
        if len(rows) == 1 and rows[0][1]["value"] == within(card, "accuracy").get("value"):
            continue  # all pairs are of one kind, and they stand above
        found += [(f"By {group}", None, ""), *rows] if rows else []
    marks = [mark(told) for _, told, _ in found if told]
    if not marks:
        return None
    edges = edges_of(marks, 0.5)
    return Exhibit(
        "Where it is right",
        "Share of held-out pairs put in the order that was given, with 95 % intervals from "
        "resampling prompts (n). A difference is that of the same pairs: the reward minus what "
        "stands beside it.",
        ("Accuracy, 95 % interval", "Reward ahead by"),
        tuple(
            Line(name, (with_interval(told), ahead), strip([mark(told)], edges, line=0.5))
            if told
            else Line(name)
            for name, told, ahead in found
        ),
        "The upright line is a coin.",
        strip_axis(edges),
    )


HABITS = (
    ("length", "Length", None),
    ("length", "Labelers preferred the longer answer", "longer_chosen"),
    ("length", "The reward prefers the longer answer", "longer_scored"),
    ("length", "Right where the longer answer won", "when_longer_wins"),
    ("length", "Right where the shorter answer won", "when_shorter_wins"),
    ("position", "Place on the screen", None),
    ("position", "Labelers preferred the answer shown first", "first_chosen"),
    ("position", "Right where the first answer won", "when_first_wins"),
    ("position", "Right where the second answer won", "when_second_wins"),
)


def habits(card: Mapping) -> Exhibit | None:
    """Length and position: what labelers did and what the reward made of it."""
    lines = [
        (name, None if key is None else within(card, part).get(key))
        for part, name, key in HABITS
        if any(whole(told) for told in within(card, part).values())
        and (key is None or whole(within(card, part).get(key)))
    ]
    marks = [mark(told) for _, told in lines if told]
    if not marks:
        return None
    edges = edges_of(marks, 0.5)
    rho = within(card, "length").get("correlation")
    tail = f" Rank correlation of length and score: {number(rho)}." if is_number(rho) else ""
    return Exhibit(
        "Habits it may have learned",
        "A reward that leans further to long answers than its labelers did, or that is right only "
        f"where the longer one won, counts words.{tail}",
        ("Share, 95 % interval",),
        tuple(
            Line(name, (with_interval(told),), strip([mark(told)], edges, line=0.5, bars=True))
            if told
            else Line(name)
            for name, told in lines
        ),
        "Bars start at a coin's 50 %.",
        strip_axis(edges),
    )


def labelers(card: Mapping) -> Exhibit | None:
    """Each labeler's agreement with the reward beside that with the other labelers."""
    told = within(card, "labelers")
    everyone = {
        "id": "All labelers",
        "reward": told.get("reward"),
        "others": told.get("each_other"),
    }
    most = {"id": "The most that this allows a reward", "reward": told.get("ceiling")}
    found = [
        row
        for row in [everyone, most, *rows_of(told.get("rows"))]
        if whole(row.get("reward")) or whole(row.get("others"))
    ]
    sides = ("others", "reward")
    marks = [mark(row[side]) for row in found for side in sides if whole(row.get(side))]
    if not marks:
        return None
    edges = edges_of(marks, 0.5)
    kinds = {"others": "before", "reward": "after"}
    return Exhibit(
        "Labelers, the reward, and each other",
        "How often a labeler agrees with the others, and with the reward. A reward that learned "
        "from many may agree more often than one of them does; above the most that their own "
        "agreement allows, it has seen their answers.",
        ("With other labelers", "With the reward"),
        tuple(
            Line(
                str(row.get("id")),
                tuple(with_interval(row[side]) if known(row.get(side)) else "–" for side in sides),
                strip(
                    [mark(row[s], kinds[s]) for s in sides if whole(row.get(s))], edges, line=0.5
                ),
            )
            for row in found
        ),
        "Square: with the others. Dot: with the reward.",
        strip_axis(edges),
    )


def calibration(card: Mapping, of: str = "") -> Exhibit | None:
    """The reliability diagram, before and after the temperature; `of` ends its title."""
    told = within(card, "calibration")
    before, after = (_bins(told.get(key)) for key in ("bins", "scaled_bins"))
    if not before and not after:
        return None
    heat, ece, scaled = told.get("temperature"), told.get("ece"), told.get("ece_scaled")
    parts = [f"as it is: {with_interval(ece)}"] if known(ece) else []
    if known(scaled) and is_number(heat):
        parts.append(f"with temperature {number(heat)}: {with_interval(scaled)}")
    errors = f" Mean gap (ECE): {'; '.join(parts)}." if parts else ""
    said = (
        "Is it right as often as it says it is? One that is right less often is too sure; a "
        f"temperature divides its scores to mend that.{errors}"
    )
    legend = (
        "On the broken line confidence is deserved, below it too high. Squares: as it is. Dots: "
        "with the temperature."
    )
    names = (("as it is", before), ("with temperature", after))
    lines = tuple(
        Line(f"{_bounds(bin)}, {side}", (number(bin["confidence"]), with_interval(bin["accuracy"])))
        for side, bins in names
        for bin in bins
    )
    label = "Reliability diagram: " + "; ".join(
        f"{side}, sure {number(bin['confidence'])} and right {number(bin['accuracy']['value'])}"
        for side, bins in names
        for bin in bins
    )
    columns = ("Mean confidence", "Right, 95 % interval")
    return Exhibit(
        f"Does it know how sure to be{of}?",
        said,
        columns,
        lines,
        legend,
        picture=reliability(before, after, label),
    )


def curve(card: Mapping) -> Exhibit | None:
    """Accuracy by the amount of training pairs, and by twice as much."""
    told = within(card, "curve")
    rows = [
        row
        for row in rows_of(told.get("points"))
        if whole(row.get("accuracy")) and is_number(row.get("pairs")) and row["pairs"] > 0
    ]
    if not rows:
        return None
    rows.sort(key=lambda row: row["pairs"])
    drawn = [(float(row["pairs"]), mark(row["accuracy"])) for row in rows]
    twice = told.get("twice")
    last = rows[-1]["pairs"]
    guess = (2.0 * last, mark(twice)) if whole(twice) else None
    lines = [
        Line(f"{number(row['pairs'])} pairs", (with_interval(row["accuracy"]),)) for row in rows
    ]
    if whole(twice):
        lines.append(Line(f"{number(2 * last)} pairs, extrapolated", (with_interval(twice),)))
    said = " ".join(
        [str(told.get("sentence") or ""), "Each dot is a fit on a share of the prompts."]
    )
    legend = "The open dot continues the line; nobody measured it." if guess else ""
    label = "Learning curve: " + ", ".join(f"{line.name} {line.cells[0]}" for line in lines)
    return Exhibit(
        "Would more labels help?",
        said.strip(),
        ("Held-out accuracy, 95 % interval",),
        tuple(lines),
        legend,
        picture=learning(drawn, guess, label),
    )


def rest(card: Mapping) -> Exhibit | None:
    """Counts that need no picture: leaks, the sign test, what lies outside."""
    sign, leaks = within(card, "sign"), within(card, "leaks")
    lines = []
    if all(is_number(sign.get(key)) for key in ("wins", "losses", "p")):
        p = "p < .001" if sign["p"] < 0.001 else f"p = {sign['p']:.3f}"
        told = f"{number(sign['wins'])} right, {number(sign['losses'])} wrong, {p}"
        lines.append(Line("Sign test against a coin, by prompt", (told,)))
    for key, name in (
        ("same_prompts", "Held-out prompts that stand in the training pairs too"),
        ("near_prompts", "Held-out prompts nearly the same as one of training"),
        ("same_answers", "Held-out answers that stand in the training pairs too"),
        ("contradictions", "Training pairs that are judged both ways"),
    ):
        if is_number(leaks.get(key)):
            lines.append(Line(name, (number(leaks[key]),)))
    if known(outside := within(card, "range").get("outside")):
        lines.append(
            Line("Held-out answers scored outside the range of training", (with_interval(outside),))
        )
    if known(card.get("unfamiliar")):
        lines.append(
            Line("Held-out answers unlike the training data", (with_interval(card["unfamiliar"]),))
        )
    if not lines:
        return None
    return Exhibit("Leaks and strangers", "", ("Found",), tuple(lines), first="What")


def mark(result: Mapping, kind: str = "after") -> Mark:
    """A whole result as it is drawn."""
    return Mark(float(result["value"]), float(result["ci_low"]), float(result["ci_high"]), kind)


def _bins(found: object) -> Sequence[Mapping]:
    return [
        b for b in rows_of(found) if is_number(b.get("confidence")) and whole(b.get("accuracy"))
    ]


def _bounds(found: Mapping) -> str:
    low, high = found.get("low"), found.get("high")
    return f"{low:.2f} to {high:.2f}" if is_number(low) and is_number(high) else "bin"
