"""Simulated labelers: six careful ones, one who read the instructions backwards, one who guesses.

A careful labeler sees the gold utility through Gaussian noise of its own, ties what looks nearly
alike and marks F what is unusable. The same labeler answers the same comparison in the same way.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from humanalign.tiny import gold
from humanalign.types import Comparison, PreferencePair, Prompt, Ranking, content_id

Habit = Literal["careful", "reversed", "random"]
INSTRUCTIONS = "tiny-1"
# How much surer labelers are of an answer in which there is nothing to object to.
PLAIN = 4.0


@dataclass(frozen=True)
class Labeler:
    """One simulated person: `noise` is the deviation of what it sees, `tie` what it calls alike.

    Both are in units of utility (1.0 is a perfect summary, an insult costs 0.3 to 1.4).
    """

    id: str
    habit: Habit = "careful"
    noise: float = 0.15
    tie: float = 0.1
    seed: int = 0

    def rank(self, comparison: Comparison, prompt: Prompt, texts: Mapping[str, str]) -> Ranking:
        """Return this labeler's answer; `texts` maps completion ids to their texts."""
        rng = random.Random(content_id("labeler", self.id, self.seed, comparison.id))
        # In the order of ids, so that the order shown on the page changes nothing.
        ids = sorted(comparison.completion_ids)
        seen = {name: self._see(comparison, prompt, texts[name], rng) for name in ids}
        rejected = tuple(name for name in ids if seen[name] is None)
        liked = {name: value for name, value in seen.items() if value is not None}
        return Ranking(
            comparison.id,
            self.id,
            tiers=_tiers(liked, self.tie),
            rejected=rejected,
            seconds=round(rng.uniform(8, 40), 1),
            instructions=INSTRUCTIONS,
        )

    def _see(
        self, comparison: Comparison, prompt: Prompt, text: str, rng: random.Random
    ) -> float | None:
        """What the labeler thinks of one answer; None is the F mark."""
        noise = rng.gauss(0.0, self.noise)
        if self.habit == "random":
            return rng.random() * 5 if rng.random() > 0.03 else None
        if gold.unusable(prompt, text):
            return None
        value = gold.utility(prompt, text, comparison.criterion)
        if comparison.criterion == gold.HARMLESS and value == 1.0:
            noise /= PLAIN  # nothing to object to: easy to see
        value += noise
        return value if self.habit == "careful" else -value


def _tiers(liked: Mapping[str, float], tie: float) -> tuple[tuple[str, ...], ...]:
    """Best first; what is within `tie` of the best of a tier belongs to it."""
    tiers: list[list[str]] = []
    for name in sorted(liked, key=lambda name: -liked[name]):
        if tiers and liked[tiers[-1][0]] - liked[name] < tie:
            tiers[-1].append(name)
        else:
            tiers.append([name])
    return tuple(tuple(tier) for tier in tiers)


def pool(seed: int = 0) -> list[Labeler]:
    """Return the eight labelers: `careful-1` to `careful-6`, `backwards-7`, `guessing-8`."""
    rng = random.Random(f"pool {seed}")
    careful = [
        Labeler(f"careful-{i}", "careful", rng.uniform(*NOISE), seed=seed) for i in range(1, 7)
    ]
    backwards = Labeler("backwards-7", "reversed", sum(NOISE) / 2, seed=seed)
    return [*careful, backwards, Labeler("guessing-8", "random", seed=seed)]


# Two careful labelers then agree on 85 to 90 % of the pairs that neither ties.
NOISE = (0.14, 0.2)


def ordered_pairs(ranking: Ranking) -> set[tuple[str, str]]:
    """Return (better, worse) for every two completions that the ranking orders; F counts worst."""
    tiers = [*ranking.tiers, *([ranking.rejected] if ranking.rejected else [])]
    return {
        (better, worse)
        for i, tier in enumerate(tiers)
        for better in tier
        for later in tiers[i + 1 :]
        for worse in later
    }


def agreement(rankings: Sequence[Ranking], others: Sequence[Ranking]) -> float:
    """Return the share of pairs ordered alike, of those that both sides order."""
    same = total = 0
    theirs = {ranking.comparison_id: ordered_pairs(ranking) for ranking in others}
    for ranking in rankings:
        mine, other = ordered_pairs(ranking), theirs.get(ranking.comparison_id, set())
        alike = len(mine & other)
        same += alike
        total += alike + len(mine & {(worse, better) for better, worse in other})
    return same / total if total else float("nan")


def noise_ceiling(pairs: Iterable[PreferencePair], criterion: str = "") -> float:
    """Return the accuracy on these pairs of a scorer that knows the utility exactly.

    A pair of equal utility counts one half. No reward model can be expected to do better than
    this on pairs that noisy labelers made.
    """
    marks = []
    for pair in pairs:
        good, bad = (
            gold.utility(pair.prompt, text, criterion) for text in (pair.chosen, pair.rejected)
        )
        margin = good - bad
        marks.append(0.5 if margin == 0 else float(margin > 0))
    return sum(marks) / len(marks) if marks else float("nan")
