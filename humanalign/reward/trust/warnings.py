"""The card's warnings: plain sentences, each from one number and its interval."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from humanalign.reward.trust.calibration import COLDEST, HOTTEST

# Fewer held-out prompts than this and every interval is wider than most effects.
FEW_PROMPTS = 50
# How far from 1/2 a share may lie before it is called a bias, in points of the interval's bound.
LEANS = 0.05
# The share of strange texts above which scores should not be relied on; 3 % are expected.
STRANGE = 0.1
# A held-out part whose answers are as often in the training part.
SHARED_ANSWERS = 0.02


def warnings_of(card: Mapping) -> list[str]:
    """Every sentence that the numbers of `card` call for, the gravest kind first."""
    return [sentence for check in CHECKS for sentence in check(card)]


def _leaks(card: Mapping) -> Iterator[str]:
    found, pairs = card.get("leaks"), card["pairs"]
    if not found:
        return
    if found["same_prompts"] or found["near_prompts"]:
        yield (
            f"Leak: {found['same_prompts']} held-out prompts are also trained on and "
            f"{found['near_prompts']} are nearly the same as one that is; the accuracy is too high."
        )
    if found["same_answers"] > max(1, SHARED_ANSWERS * 2 * pairs["test"]):
        yield (
            f"Leak: {found['same_answers']} held-out answers also stand in the training pairs; "
            "the reward may know them by heart."
        )
    if found["contradictions"] > SHARED_ANSWERS * pairs["train"]:
        yield (
            f"{found['contradictions']} training pairs are judged both ways; "
            "take a consensus of the labelers first."
        )


def _labelers(card: Mapping) -> Iterator[str]:
    found = card.get("labelers")
    if not found or not found["ceiling"]:
        return
    reward, most = found["reward"], found["ceiling"]
    if reward["ci_low"] > most["ci_high"]:
        yield (
            f"Leak: the reward agrees with {_percent(reward['value'])} of the labelers' votes, and "
            f"labelers who agree with each other on {_percent(found['each_other']['value'])} allow "
            f"at most {_percent(most['value'])}; it has probably seen these votes."
        )


def _size(card: Mapping) -> Iterator[str]:
    count = card["pairs"]["test_prompts"]
    if count < FEW_PROMPTS:
        yield (
            f"Only {count} held-out prompts: every figure here is rough; "
            f"hold out {FEW_PROMPTS} or more."
        )


def _accuracy(card: Mapping) -> Iterator[str]:
    found = card.get("accuracy")
    if not found:
        return
    if found["ci_high"] < 0.5:
        yield (
            f"The accuracy, {_told(found)}, is below chance: look whether chosen and rejected "
            "are swapped."
        )
    elif found["ci_low"] <= 0.5:
        yield (
            f"The accuracy, {_told(found)}, cannot be told from guessing; "
            "do not train a policy on this reward."
        )


def _baselines(card: Mapping) -> Iterator[str]:
    for each in card.get("baselines") or ():
        gain = each["difference"]
        if gain and gain["ci_low"] <= 0:
            said = "It is worse than" if gain["ci_high"] < 0 else "It is not shown to beat"
            yield (
                f"{said} '{each['name']}': {_told(each['accuracy'])}, "
                f"a difference of {_told(gain, sign=True)}."
            )


def _calibration(card: Mapping) -> Iterator[str]:
    found = card.get("calibration")
    if not found or not found["ece"] or found["ece"]["ci_low"] <= 0:
        return
    if card["accuracy"]["ci_low"] <= 0.5:
        return  # Where it guesses, no temperature makes its odds worth reading.
    warm = found["temperature"]
    if found["ece"]["n"] < FEW_PROMPTS or not 1.1 * COLDEST < warm < HOTTEST / 1.1:
        return  # Too little to choose a temperature by: at its bounds none fits.
    if warm > 1:
        yield (
            f"Over-confident: its probabilities are off by {_told(found['ece'])}; "
            f"divide raw scores by {warm:.2f} before reading them as odds."
        )
    else:
        yield (
            f"Too unsure of itself: its probabilities are off by {_told(found['ece'])}; "
            f"multiply raw scores by {1 / warm:.2f} before reading them as odds."
        )


def _length(card: Mapping) -> Iterator[str]:
    found = card.get("length")
    if not found or not found["longer_scored"]:
        return
    said, own = found["longer_scored"], found["longer_chosen"]
    for name, low, high in (
        ("longer", said["ci_low"], own["ci_high"]),
        ("shorter", 1 - said["ci_high"], 1 - own["ci_low"]),
    ):
        if low > max(0.5, high) + LEANS:
            yield (
                f"Length bias: the {name} answer scores higher in "
                f"{_percent(said['value'] if name == 'longer' else 1 - said['value'])} of pairs, "
                f"people prefer it in "
                f"{_percent(own['value'] if name == 'longer' else 1 - own['value'])}."
            )
    wins, loses = found["when_longer_wins"], found["when_shorter_wins"]
    if wins and loses and min(wins["ci_high"], loses["ci_high"]) < 0.5:
        weaker = "longer" if wins["value"] < loses["value"] else "shorter"
        worse = wins if weaker == "longer" else loses
        yield (
            f"Where people prefer the {weaker} answer the reward is right in only {_told(worse)} "
            "of pairs: it follows length."
        )


def _position(card: Mapping) -> Iterator[str]:
    found = card.get("position")
    if not found:
        return
    share = found["first_chosen"]
    if share["ci_low"] > 0.5 + LEANS or share["ci_high"] < 0.5 - LEANS:
        place = "first" if share["value"] > 0.5 else "last"
        part = share["value"] if place == "first" else 1 - share["value"]
        yield (
            f"Position bias: labelers choose the answer shown {place} in {_percent(part)} of pairs."
        )


def _shift(card: Mapping) -> Iterator[str]:
    strange = card.get("unfamiliar")
    if strange and strange["ci_low"] > STRANGE:
        yield (
            f"{_percent(strange['value'])} of the held-out answers are unlike anything it was "
            "fitted on; its scores there are guesses."
        )
    outside = (card.get("range") or {}).get("outside")
    if outside and outside["ci_low"] > STRANGE:
        yield (
            f"{_percent(outside['value'])} of the held-out answers score outside the range of the "
            "training answers."
        )


CHECKS: tuple[Callable[[Mapping], Iterator[str]], ...] = (
    _leaks,
    _labelers,
    _accuracy,
    _size,
    _baselines,
    _length,
    _position,
    _calibration,
    _shift,
)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _told(found: Mapping, *, sign: bool = False) -> str:
    plus = "+" if sign else ""
    value, low, high = (format(found[key], f"{plus}.3f") for key in ("value", "ci_low", "ci_high"))
    return f"{value} [{low}, {high}]"
