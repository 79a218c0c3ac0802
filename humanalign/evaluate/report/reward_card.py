"""The reward card told to people: a verdict of three sentences, warnings, and exhibits.

A card is what `reward/trust` measured, as JSON (run.json's summary["card"]). Every part of it may
be missing, because the data could not say or because an older version wrote it; what is missing
is left out here, never guessed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from humanalign.evaluate.report.card_exhibits import (
    Exhibit,
    calibration,
    curve,
    forest,
    habits,
    labelers,
    rest,
)
from humanalign.evaluate.report.charts import number
from humanalign.evaluate.report.label_exhibits import commonest, confusion, labels, reliabilities
from humanalign.evaluate.report.results import (
    is_number,
    known,
    percent,
    points,
    rows_of,
    whole,
    within,
)

# What a baseline does, in words that need no statistics.
PLAIN = {
    "longer wins": "always picking the longer answer",
    "tf-idf + logistic regression": "counting words by TF-IDF",
    "frozen embedding + linear": "a linear layer on the frozen model",
}
EXAMPLES = 5


@dataclass(frozen=True)
class Card:
    """What the page shows of a reward: three sentences, what to beware of, and the exhibits."""

    verdict: tuple[str, ...]
    warnings: tuple[str, ...]
    tables: tuple[Exhibit, ...]
    pictures: tuple[Exhibit, ...]
    headline: str = ""
    examples: tuple[str, ...] = ()
    examples_are: str = "Some of what was found twice"


def told_card(card: object) -> Card | None:
    """The card as the page shows it; None where there is no card."""
    if not isinstance(card, Mapping) or not card:
        return None
    warnings = card.get("warnings")
    examples = within(card, "leaks").get("examples")
    return Card(
        verdict=verdict(card),
        warnings=tuple(map(str, warnings if isinstance(warnings, list) else ())),
        tables=tuple(filter(None, (tell(card) for tell in (forest, habits, labelers, rest)))),
        pictures=tuple(filter(None, (calibration(card), curve(card)))),
        headline=_headline(card.get("accuracy"), "pairs" if _seen(card) else "unseen pairs", 0.5),
        examples=tuple(map(str, examples if isinstance(examples, list) else ()))[:EXAMPLES],
    )


def told_summary(summary: Mapping, samples: Sequence[Mapping] = ()) -> Card | None:
    """What the page shows of a reward run; None where its summary has neither card nor labels."""
    return told_card(summary.get("card")) or told_labels(summary, samples)


def told_labels(summary: Mapping, samples: Sequence[Mapping] = ()) -> Card | None:
    """The card of a classifier of texts, from what a fit on labels puts into its summary.

    `samples` are the texts that it was most wrong about: text, label, said.
    """
    if not within(summary, "auroc"):
        return None
    accuracy, (often, share) = summary.get("accuracy"), commonest(summary)
    said, warnings = [], []
    if known(accuracy):
        said.append(
            f"On texts that it never saw, this classifier names the label that most votes went to "
            f"{percent(accuracy)}."
        )
    if often:
        said.append(f"Always saying '{often}' would be right {percent({'value': share})}.")
    if often and whole(accuracy) and accuracy["ci_low"] <= share:
        warnings.append(f"It is not shown to beat always saying '{often}'.")
    shown = [told for told in within(summary, "auroc").values() if whole(told)]
    if shown:
        low, high = (pick(told["value"] for told in shown) for pick in (min, max))
        spread = f"{low:.2f}" if len(shown) == 1 else f"{low:.2f} to {high:.2f}"
        said.append(f"It ranks texts by a label with an AUROC of {spread}; a coin's is .50.")
    return Card(
        verdict=tuple(said),
        warnings=tuple(warnings),
        tables=tuple(filter(None, (labels(summary), confusion(summary)))),
        pictures=reliabilities(summary),
        headline=_headline(accuracy, "unseen texts", share),
        examples=tuple(
            f"{row.get('label')}, taken for {row.get('said')}: {row.get('text')}"
            for row in samples[:EXAMPLES]
        ),
        examples_are="The texts it was most wrong about, as they were written",
    )


def summary_markdown(summary: Mapping) -> str:
    """The card of a reward run as Markdown, for a model's README; "" where there is none.

    Fitted on pairs or on texts with labels. Names come from data: what Markdown or HTML would
    read in them is escaped.
    """
    told = told_summary(summary)
    if told is None:
        return ""
    parts = [escaped(" ".join(told.verdict))]
    if told.warnings:
        warnings = "\n".join(f"- {escaped(warning)}" for warning in told.warnings)
        parts.append(f"**Before you trust it**\n\n{warnings}")
    for shown in (*told.tables, *told.pictures):
        parts += [f"### {escaped(shown.title)}", escaped(shown.said), _table(shown)]
    return "\n\n".join(filter(None, parts)) + "\n"


def escaped(text: str) -> str:
    """`text` on one line, with every sign that Markdown or HTML gives a meaning made plain."""
    line = re.sub(r"[ \t\r\n]+", " ", text).strip().replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_\[\]|#])", r"\\\1", line)


def _table(shown: Exhibit) -> str:
    """A table of Markdown; what a heading says is set before the names below it."""
    rows, group = [["", *map(escaped, shown.columns)], ["-"] * (len(shown.columns) + 1)], ""
    for line in shown.lines:
        if not line.cells:
            group = f"{line.name}: "
        else:
            rows.append([escaped(group + line.name), *line.cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _headline(accuracy: object, what: str, chance: float) -> str:
    if not known(accuracy):
        return ""
    if whole(accuracy) and accuracy["ci_low"] <= chance:
        return f"Not shown to be better than chance on {what}"
    return f"Right on {100 * accuracy['value']:.0f}\u00a0% of {what}"


def verdict(card: Mapping) -> tuple[str, ...]:
    """How right, better than what, and whether the labelers agree more with each other."""
    return tuple(filter(None, (_right(card), _against(card), _people(card))))


def _right(card: Mapping) -> str:
    accuracy = card.get("accuracy")
    pairs = within(card, "pairs")
    if not known(accuracy):
        ties = pairs.get("ties")
        # One untied pair has no interval, and so no figure either.
        alone = is_number(ties) and ties and not pairs.get("test")
        what = f"All {number(ties)} held-out pairs are ties" if alone else "No pair was held out"
        return f"{what}, so nothing is known of how often this reward is right."
    count = f"{number(pairs['test'])} pairs" if is_number(pairs.get("test")) else "pairs"
    prompts = pairs.get("test_prompts")
    unseen = f" of {number(prompts)} prompts" if is_number(prompts) else ""
    if same := _seen(card):
        unseen += f", {number(same)} of which are in its training pairs"
    elif pairs.get("train"):
        unseen += " that it never saw"
    return (
        f"On {count}{unseen}, this reward picks the answer that the labelers "
        f"preferred {percent(accuracy)}; a coin gets 50\u00a0%."
    )


def _seen(card: Mapping) -> float:
    """How many of the prompts are known to have been trained on."""
    same = within(card, "leaks").get("same_prompts")
    return same if is_number(same) else 0


def _against(card: Mapping) -> str:
    groups: dict[str, list[str]] = {"beats": [], "level": [], "loses to": []}
    for row in rows_of(card.get("baselines")):
        difference = row.get("difference")
        if whole(difference):
            name = PLAIN.get(str(row.get("name")), str(row.get("name")))
            verb = "beats" if difference["ci_low"] > 0 else "level"
            verb = "loses to" if difference["ci_high"] < 0 else verb
            groups[verb].append(f"{name} ({points(difference)})")
    parts = [f"it {verb} {_and(groups[verb])}" for verb in ("beats", "loses to") if groups[verb]]
    if groups["level"]:
        parts.append(f"it is not shown to beat {_and(groups['level'])}")
    return _sentence("; ".join(parts)) if parts else ""


def _people(card: Mapping) -> str:
    told = within(card, "labelers")
    reward, each_other = told.get("reward"), told.get("each_other")
    if not (known(reward) and known(each_other)):
        return "Who of the labelers agrees with whom on these pairs is not recorded."
    said = (
        f"A labeler agrees with another labeler {percent(each_other)} and with the reward "
        f"{percent(reward)}"
    )
    if not (whole(reward) and whole(each_other)):
        return f"{said}."
    # Where both intervals are taken for independent, that of the gap is their widths' hypotenuse:
    # too wide here, as both come from the same prompts, so nothing is claimed too early.
    gap = reward["value"] - each_other["value"]
    reach = math.hypot(_half(reward), _half(each_other))
    if gap < -reach:
        return f"{said}: the labelers are the better judges."
    if whole(most := told.get("ceiling")) and reward["ci_low"] > most["ci_high"]:
        return f"{said}: more than any honest reward can, so look for a leak."
    if gap > reach:
        return f"{said}: it learned from many of them, and may be steadier than one."
    return f"{said}: about as good a judge as one of them."


def _half(result: Mapping) -> float:
    return (result["ci_high"] - result["ci_low"]) / 2


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
