"""The pools that `bench.active` chooses from: answers, what labelers would say, and a test.

Nothing of the test is seen by a choice: its prompts are others, and the features are scaled by
the pool alone.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import combinations
from math import nan
from pathlib import Path

import numpy as np

from bench.reward_data import SETS, fold_of
from humanalign.align.methods import load_policy
from humanalign.collect.complete import collect
from humanalign.prefer.files.formats import read_pairs
from humanalign.prefer.statistics.consensus import consensus
from humanalign.reward.active import Edge
from humanalign.reward.model import LearnedReward
from humanalign.reward.posterior import Answers
from humanalign.sampling import Sampling
from humanalign.tiny import gold
from humanalign.tiny.labelers import Labeler, pool
from humanalign.tiny.world import prompts
from humanalign.types import Comparison, Prompt, Ranking, Split

MODEL = "tiny-instruct"
PROMPTS, TESTED, SAMPLES, OVERLAP, BATCH = 300, 300, 8, 3, 64
Judged = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Texts:
    """Answers with their prompts, one after the other, and the number of each one's prompt."""

    prompts: tuple[Prompt, ...]
    words: tuple[str, ...]
    group: tuple[int, ...]

    def of(self, rows: np.ndarray) -> Texts:
        """These rows alone."""
        prompts, words, group = zip(
            *((self.prompts[i], self.words[i], self.group[i]) for i in rows.tolist()), strict=True
        )
        return Texts(prompts, words, group)

    def utilities(self) -> np.ndarray:
        """What a careful labeler of the world thinks of each, [M]; nan for one marked F."""
        pairs = zip(self.prompts, self.words, strict=True)
        return np.array(
            [nan if gold.unusable(p, w) else gold.utility(p, w, gold.HARMLESS) for p, w in pairs]
        )

    def features(self, reward: LearnedReward) -> np.ndarray:
        """What the backbone's head would see, [M, D]."""
        rows = range(0, len(self.words), BATCH)
        asked = [each.text for each in self.prompts]
        parts = [
            reward.features(asked[i : i + BATCH], self.words[i : i + BATCH]).numpy() for i in rows
        ]
        return np.concatenate(parts)


@dataclass(frozen=True)
class Pool:
    """`answers` to choose among; `test` [T, D] scaled alike, whose `right` [P, 2] are (better,
    worse) rows of it, and `of` [P] their prompts."""

    answers: Answers
    test: np.ndarray
    right: np.ndarray
    of: np.ndarray
    texts: Texts
    tested: Texts

    def accuracy(self, mean: np.ndarray) -> float:
        """How often the head w = `mean` scores the better test answer higher."""
        gap = (self.test[self.right[:, 0]] - self.test[self.right[:, 1]]) @ mean
        return float(((gap > 0) + 0.5 * (gap == 0)).mean())


@dataclass
class WorldLabels:
    """The bundled world's eight labelers, two of them bad: three judge each comparison."""

    texts: Texts
    seed: int
    rankings: list[Ranking] = field(default_factory=list)

    @cached_property
    def labelers(self) -> list[Labeler]:
        return pool(self.seed)

    def ask(self, edges: Sequence[Edge]) -> None:
        for edge in edges:
            names = {str(row): self.texts.words[row] for row in edge}
            prompt = self.texts.prompts[edge[0]]
            asked = Comparison(prompt.id, tuple(names), gold.HARMLESS)
            chosen = random.Random(f"{self.seed} {asked.id}").sample(self.labelers, OVERLAP)
            self.rankings += [each.rank(asked, prompt, names) for each in chosen]

    def judged(self, *, ties: bool = True) -> Judged:
        """The consensus so far: rows chosen, rows rejected, weights; a tie counts half each way."""
        rows: list[tuple[int, int, float]] = []
        for each in consensus(self.rankings):
            tiers = [[int(name) for name in tier] for tier in each.ranking.tiers]
            if len(tiers) == 2:
                rows.append((tiers[0][0], tiers[1][0], 1.0))
            elif ties and len(tiers) == 1 and len(tiers[0]) == 2:
                a, b = tiers[0]
                rows += [(a, b, 0.5), (b, a, 0.5)]
        return columns(rows)


@dataclass
class GivenLabels:
    """A public set's own labels: each prompt has one pair, the chosen answer in the first row."""

    rows: list[Edge] = field(default_factory=list)

    def ask(self, edges: Sequence[Edge]) -> None:
        self.rows += edges

    def judged(self, *, ties: bool = True) -> Judged:
        del ties
        return columns([(a, b, 1.0) for a, b in self.rows])


def columns(rows: Sequence[tuple[int, int, float]]) -> Judged:
    """Rows of (chosen, rejected, weight) as three arrays."""
    chosen, rejected, weight = zip(*rows, strict=True) if rows else ((), (), ())
    return np.array(chosen, int), np.array(rejected, int), np.array(weight, float)


def world(seed: int) -> Pool:
    """tiny-instruct's answers to dialogues of this seed; every true test comparison by `gold`."""
    reward = LearnedReward.start(MODEL)
    texts, tested = _sampled("train", PROMPTS, seed), _sampled("test", TESTED, seed)
    right = [
        pair
        for a, b in combinations(range(len(tested.words)), 2)
        if tested.group[a] == tested.group[b] and (pair := _better(tested, a, b))
    ]
    return _pool(texts, texts.features(reward), tested, tested.features(reward), right)


def harmless(data: Path, model: str, seed: int) -> Pool:
    """Anthropic's harmless pairs; fold `seed` is the test, all the others the pool."""
    texts, features = _read(data, model)
    held = np.array([fold_of(each.text) == seed for each in texts.prompts])
    parts = [(texts.of(rows), features[rows]) for rows in map(np.flatnonzero, (~held, held))]
    (pool, seen), (tested, read) = parts
    right = [(i, i + 1) for i in range(0, len(tested.words), 2)]
    return _pool(pool, seen, tested, read, right)


@cache
def _read(data: Path, model: str) -> tuple[Texts, np.ndarray]:
    """All of Anthropic's harmless pairs, and their features: the same for every fold."""
    pairs = read_pairs(data / SETS["hh"].file)
    texts = Texts(
        tuple(Prompt(each.prompt) for each in pairs for _ in range(2)),
        tuple(words for each in pairs for words in (each.chosen, each.rejected)),
        # A prompt may come twice: its pairs stay apart, since no label orders them.
        tuple(number for number in range(len(pairs)) for _ in range(2)),
    )
    reward = LearnedReward.start(model, max_tokens=SETS["hh"].max_tokens)
    return texts, texts.features(reward)


def _sampled(split: Split, n: int, seed: int) -> Texts:
    sampled = collect(
        load_policy(MODEL),
        prompts(split, n, seed),
        samples=SAMPLES,
        sampling=Sampling(max_new_tokens=48),
        seed=seed,
    )
    by_id = {each.id: each for each in sampled.prompts}
    rows = [(by_id[c.prompt_id], c.text) for c in sampled.completions]
    number = {name: i for i, name in enumerate(by_id)}
    asked, words = zip(*rows, strict=True)
    return Texts(asked, words, tuple(number[each.id] for each in asked))


def _better(texts: Texts, a: int, b: int) -> Edge | None:
    """(better, worse) by the exact utility; None where it is the same, or one answer is no use."""
    prompt = texts.prompts[a]
    if any(gold.unusable(prompt, texts.words[row]) for row in (a, b)):
        return None
    first, second = (gold.utility(prompt, texts.words[row], gold.HARMLESS) for row in (a, b))
    return None if first == second else (a, b) if first > second else (b, a)


def _pool(
    texts: Texts, seen: np.ndarray, tested: Texts, read: np.ndarray, right: list[Edge]
) -> Pool:
    """From the features `seen` [M, D] of the pool and `read` [T, D] of the test."""
    answers = Answers.of(seen, texts.group)
    test = read * answers.scale
    pairs = np.array(right, dtype=int)
    return Pool(answers, test, pairs, np.array(tested.group)[pairs[:, 0]], texts, tested)
