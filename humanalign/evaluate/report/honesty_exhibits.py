"""Does it say what is true, what its source says, and that it does not know? Is it kind as well?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from humanalign.evaluate.report.card_charts import reliability
from humanalign.evaluate.report.card_exhibits import Exhibit, Line
from humanalign.evaluate.report.charts import number
from humanalign.evaluate.report.measures import Measure, measure
from humanalign.evaluate.report.results import is_number, rows_of, whole, with_interval, within
from humanalign.evaluate.report.versus import tree, versus

TRUTH = {
    "mc1": "Picks the true answer (MC1)",
    "mc2": "Weight on true answers (MC2)",
}
SPOKEN = {
    "truthful": "Own answer nearer the truth",
    "truthful_dealt": "… as wording alone would bring",
    "rougeL": "ROUGE-L: true less false",
}
SUPPORT = {
    "supported": "Nothing unsupported in the answer",
    "names": "Names that the source has",
    "numbers": "Numbers that the source has",
    "claims": "Claims that the source has",
}


ABSTAINS = {
    "rate": "Says that it does not know",
    "truthful_when_answering": "True where it answers",
    "when_wrong": "Declines where it picks a false answer",
    "when_right": "Declines where it picks the true one",
    "gap": "The first of these two less the second",
}
SIDES = ("before", "after")


def honesty(summary: Mapping) -> tuple[Exhibit, ...]:
    """The exhibits of summary["honesty"]: TruthfulQA, its categories, support, abstention."""
    told = within(summary, "honesty")
    found = (truthful(told), categories(told), supported(told), abstention(told))
    return tuple(each for each in found if each)


def measured(summary: Mapping) -> list[Measure]:
    """The overall measures of honesty and of helpful, honest, harmless."""
    told = within(summary, "honesty")
    return [
        *tree(within(told, "truthfulqa"), {"mc1": TRUTH["mc1"]}),
        *tree(within(told, "support"), {"supported": SUPPORT["supported"]}),
        *tree(within(summary, "hhh"), {"overall": "Helpful, honest, harmless"}),
    ]


def truthful(told: Mapping) -> Exhibit | None:
    """TruthfulQA (Lin et al. 2022): multiple choice, and answers in its own words."""
    part = within(told, "truthfulqa")
    rows = [*tree(part, TRUTH), *tree(within(part, "generated"), SPOKEN)]
    count, chance = number(part.get("questions")), within(part, "chance")
    guessed = (
        f" Guessing gets {number(chance['mc1'])} and {number(chance['mc2'])} of these two."
        if all(is_number(chance.get(key)) for key in TRUTH)
        else ""
    )
    dealt = (
        " What counts is the truth of own answers beyond that of answers dealt to other questions: "
        "wording alone brings the latter."
        if "truthful_dealt" in within(part, "generated")
        else ""
    )
    return versus(
        "True, where people are often wrong",
        f"{count} questions of TruthfulQA. MC1: the best true answer is the likeliest of those "
        f"offered. MC2: the share of probability on all true ones.{guessed} Own answers are set "
        f"against true and false references by ROUGE-L.{dealt}",
        rows,
    )


def categories(told: Mapping) -> Exhibit | None:
    """MC1 by the category of the question, the most asked first."""
    rows = tree(within(told, "truthfulqa", "by_category"))
    rows.sort(key=lambda row: (-row.after.get("n", 0), row.name))
    return versus("The same by category (MC1)", "", rows, first="Category")


def supported(told: Mapping) -> Exhibit | None:
    """Whether names, numbers and claims of an answer are in what it was asked about."""
    return versus(
        "Said by the source",
        "An answer is supported where every name, number and claim in it stands in its prompt. "
        "What does not is underlined among the samples, with its kind.",
        tree(within(told, "support"), SUPPORT),
    )


def abstention(told: Mapping) -> Exhibit | None:
    """Whether it says that it does not know where nobody can."""
    return versus(
        "“I do not know”",
        "Said where nobody can know it is right; said where the answer is known it is no help.",
        tree(within(told, "abstention"), ABSTAINS) or _leaves(within(told, "abstention")),
    )


def sureness(summary: Mapping) -> Exhibit | None:
    """The reliability diagram of the multiple-choice answers, before and after."""
    told = within(summary, "honesty", "truthfulqa", "calibration")
    bins = told.get("bins")
    sides = [_bins(within(told, "bins").get(side)) for side in ("before", "after")]
    if isinstance(bins, list):
        sides = [[], _bins(bins)]
    if not any(sides):
        return None
    error = measure("ece", told.get("ece"))
    said = f" Mean gap (ECE) after: {with_interval(error.after)}." if error else ""
    named = [(side, bin) for side, found in zip(SIDES, sides, strict=True) for bin in found]
    lines = tuple(
        Line(f"sure {number(bin['confidence'])}, {side}", (with_interval(bin["accuracy"]),))
        for side, bin in named
    )
    label = "Reliability diagram: " + "; ".join(
        f"{side}, sure {number(bin['confidence'])} and right {number(bin['accuracy']['value'])}"
        for side, bin in named
    )
    return Exhibit(
        "Does it know what it knows?",
        f"How often its choice is true, by the probability that it gives it.{said}",
        ("Right, 95 % interval",),
        lines,
        "On the broken line confidence is deserved, below it too high. Squares: before. "
        "Dots: after.",
        picture=reliability(sides[0], sides[1], label),
    )


def hhh(summary: Mapping) -> Exhibit | None:
    """Helpful, honest, harmless (Askell et al. 2021): the better of two answers is likelier."""
    part = within(summary, "hhh")
    guessed = part["chance"] if is_number(part.get("chance")) else 0.5
    whole_of = tree(part, {"overall": "All items"})
    by = tree(within(part, "by"))
    by = [_titled(row) for row in by]
    return versus(
        "Helpful, honest, harmless",
        f"{number(part.get('items'))} items, each with a better and a worse answer; right where "
        "the better is the likelier. Wilson intervals. The upright line is chance, "
        f"{number(guessed)}.",
        [*whole_of, *(["By category"] if by else []), *by],
        line=guessed,
    )


def _titled(row: Measure) -> Measure:
    return replace(row, name=row.name.replace("_", " ").capitalize())


def _leaves(told: Mapping) -> list[Measure]:
    """Every measure of a tree, however it is nested, under its name in words."""
    found = []
    for key, inner in told.items():
        read = measure(str(key), inner, str(key).replace("_", " ").capitalize())
        if read:
            found.append(read)
        elif isinstance(inner, Mapping):
            found += _leaves(inner)
    return found


def _bins(found: object) -> list[Mapping]:
    return [
        row
        for row in rows_of(found)
        if is_number(row.get("confidence")) and whole(row.get("accuracy"))
    ]
