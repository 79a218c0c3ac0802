"""What stands out about a labeler, with the figures that show it and what the owner should do.

Two things are kept apart. A flag is low agreement with the others (`reliability`), and its
finding says what explains it. A warning is a habit that shows without any disagreement; it takes
no weight away. Nobody's answers are ever turned round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from humanalign.prefer.statistics.habits import Habits
from humanalign.prefer.statistics.reliability import FEWEST_PROMPTS

# A habit is worth naming when at least half of the answers or pairs show it.
HABIT = 0.5
# Honest ranks do not follow the order of display (mean tau-b 0), which is shuffled: a lower bound
# of 0.3 over 20 answers has a chance near 1 in 1,000, even in pairwise work, where tau is -1 or 1.
POSITION, POSITION_ANSWERS = 0.3, 20
# A quarter of the pool's pace and under 3 seconds a card: that is 12 words at a reader's 240 words
# a minute. Both, so that short texts do not make everybody fast and slow pools no fast reader.
FAST_SHARE, FAST_SECONDS = 0.25, 3.0
# What a labeler is believed to get right before any answer; gold items are chosen to be clear.
GOLD_PASS, GOLD_ITEMS = 0.7, 3
# Strangers agree on 63 to 77 % of pairs; who agrees with the own earlier answer less than the
# lower of these does not look.
SELF_AGREEMENT, SELF_PAIRS = 0.63, 20

PAUSE = "Pause them, send the instructions again and ask for the quiz before they go on."
ADVICE = {
    "reversed": f"{PAUSE} They may have ranked the worst first. Never turn their answers round.",
    "random": f"{PAUSE} If it stays so, exclude them; the answers stay in the record.",
    "position": "Ask them to read every answer before marking; look at their answers of one day.",
    "straight line": "Look at ten of their answers; remind them that ties are for real equals.",
    "fast": "Look at ten of their answers before trusting them; a fast expert agrees with others.",
    "tie-heavy": "Remind them to break ties where they can, and look at whether items are alike.",
    "F-heavy": "Show them in the instructions what F is for: nonsensical, confusing or irrelevant.",
    "gold failures": f"{PAUSE} Check first that the gold marks themselves are beyond doubt.",
    "self-inconsistent": "Ask how they decide; the criterion or the instructions may be unclear.",
}
REASONS = {
    "straight line": "straight line: gave most comparisons one mark for every answer",
    "position": "position: ranked most comparisons in the order of display",
    "reversed": "reversed: ranks against the others; may have misread the instructions",
    "F-heavy": "F-heavy: marked most answers as unusable",
    "tie-heavy": "tie-heavy: tied most pairs",
    "random": "random: agrees with the others no more than by chance",
}


@dataclass(frozen=True)
class Finding:
    """One thing that stands out: `flag` True where it explains a low agreement."""

    name: str
    sentence: str
    advice: str
    flag: bool = False


def reason_of(habits: Habits, tau_upper: float) -> str:
    """The most particular explanation of a low agreement: a key of `REASONS`."""
    if habits.straight >= HABIT:
        return "straight line"
    if (habits.position_low or 0.0) > POSITION:
        return "position"
    if tau_upper < 0:
        return "reversed"
    if habits.rejected >= HABIT:
        return "F-heavy"
    if habits.tied >= HABIT:
        return "tie-heavy"
    return "random"


def warnings_of(habits: Habits, pace: float | None) -> list[tuple[str, str]]:
    """(name, the figures that show it) of every habit that stands out.

    `pace` is the pool's median of seconds a card.
    """
    found = [*_shape(habits), *_care(habits)]
    card = habits.seconds_per_card
    enough = habits.answers >= FEWEST_PROMPTS
    if enough and pace and card is not None and card < min(FAST_SHARE * pace, FAST_SECONDS):
        found.append(("fast", f"takes {card:.1f} s a card; the pool takes {pace:.1f} s"))
    return found


def pace_of(pool: Sequence[Habits]) -> float | None:
    """The median of the labelers' own seconds a card, None where no time is known."""
    known = [each.seconds_per_card for each in pool if each.seconds_per_card is not None]
    return median(known) if known else None


def _shape(habits: Habits) -> list[tuple[str, str]]:
    """Habits of the marks themselves, once there are enough answers."""
    if habits.answers < FEWEST_PROMPTS:
        return []
    found = []
    if habits.straight >= HABIT:
        share = 100 * habits.straight
        said = f"gave every card the same mark in {share:.0f} % of {habits.answers} answers"
        found.append(("straight line", said))
    follows, low = habits.position, habits.position_low or 0.0
    if follows is not None and low > POSITION and habits.answers >= POSITION_ANSWERS:
        said = f"{100 * follows:.0f} % of the answers follow the order of display"
        found.append(("position", f"{said} (mean tau-b {habits.position_tau:.2f}, chance is 0)"))
    if habits.rejected >= HABIT:
        found.append(("F-heavy", f"marked {100 * habits.rejected:.0f} % of the cards F"))
    if habits.tied >= HABIT and habits.straight < HABIT:
        found.append(("tie-heavy", f"tied {100 * habits.tied:.0f} % of the pairs"))
    return found


def _care(habits: Habits) -> list[tuple[str, str]]:
    """Gold items and repeats."""
    found = []
    if habits.gold is not None and habits.gold_items >= GOLD_ITEMS and habits.gold < GOLD_PASS:
        said = f"{100 * habits.gold:.0f} % right on {habits.gold_items} items with known marks"
        found.append(("gold failures", said))
    own = habits.self_agreement
    if own is not None and habits.self_pairs >= SELF_PAIRS and own < SELF_AGREEMENT:
        said = (
            f"gave the same answer again on {100 * own:.0f} % of {habits.self_pairs} repeated pairs"
        )
        found.append(("self-inconsistent", said))
    return found
