"""What a sceptic holds against a reward: rules fitted on the same pairs, tested on the same ones.

A fine-tuned model that does not beat the longer answer, a bag of words or its own backbone as it
came has learnt nothing worth its price.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from humanalign.reward.model import LearnedReward
from humanalign.reward.trust.accuracy import QUOTED, difference
from humanalign.reward.trust.logistic import fitted
from humanalign.reward.trust.scored import Array, Figure, Scored, figure, right_of, texts_of
from humanalign.reward.trust.tfidf import Vocabulary
from humanalign.types import PreferencePair

Pairs = Sequence[PreferencePair]
LONGER, TFIDF, FROZEN = (
    "longer wins",
    "tf-idf + logistic regression",
    "frozen embedding + linear",
)
BATCH = 32


def longer_wins(test: Pairs) -> Array:
    """[N] by how many characters the chosen answer is longer."""
    return np.array([len(p.chosen) - len(p.rejected) for p in test], dtype=float)


def tfidf_gaps(train: Pairs, test: Pairs, *, seed: int = 0) -> Array:
    """[N] the gaps of a logistic regression on TF-IDF differences, for the pairs of `test`."""
    words = Vocabulary.of(list(dict.fromkeys(t for p in train for t in (p.chosen, p.rejected))))
    if not words.column:
        return np.zeros(len(test))

    def rows(pairs: Pairs):
        return words.rows([p.chosen for p in pairs]) - words.rows([p.rejected for p in pairs])

    w = fitted(rows(train).tocsr(), _weights(train), [p.prompt for p in train], seed=seed)
    return rows(test) @ w


def frozen_gaps(train: Pairs, test: Pairs, start: LearnedReward, *, seed: int = 0) -> Array:
    """[N] the gaps of a logistic regression on what the backbone `start` says before any fit."""
    texts = texts_of([*train, *test])
    place = {text: row for row, text in enumerate(texts)}
    features = features_of(start, texts)

    def rows(pairs: Pairs) -> Array:
        chosen = features[[place[p.prompt, p.chosen] for p in pairs]]
        return chosen - features[[place[p.prompt, p.rejected] for p in pairs]]

    seen = rows(train)
    # Not centred: the difference of a pair turned round is the same with the other sign.
    scale = np.maximum(np.sqrt((seen**2).mean(0)), 1e-9)
    w = fitted(seen / scale, _weights(train), [p.prompt for p in train], seed=seed)
    return rows(test) / scale @ w


def features_of(reward: LearnedReward, texts: Sequence[tuple[str, str]]) -> Array:
    """[N, D] what the head sees of each (prompt, answer), in batches of similar length."""
    order = sorted(range(len(texts)), key=lambda row: len(texts[row][0]) + len(texts[row][1]))
    found: dict[int, Array] = {}
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        part = reward.features([texts[r][0] for r in rows], [texts[r][1] for r in rows])
        found |= dict(zip(rows, part.double().cpu().numpy(), strict=True))
    return np.stack([found[row] for row in range(len(texts))])


def baselines(
    train: Pairs, scored: Scored, *, start: LearnedReward | None = None, seed: int = 0
) -> list[dict[str, str | Figure | None]]:
    """Each baseline's accuracy on the pairs of `scored`, and by how much the reward is above it.

    `start` is the backbone before the fit; without it that baseline is left out.
    """
    test = scored.pairs
    gaps = {LONGER: longer_wins(test)}
    if train:
        gaps[TFIDF] = tfidf_gaps(train, test, seed=seed)
        if start is not None:
            gaps[FROZEN] = frozen_gaps(train, test, start, seed=seed)
    return [
        {
            "name": name,
            "accuracy": figure(right_of(own), scored.prompts, seed=seed, resamples=QUOTED),
            "difference": difference(scored.right, right_of(own), scored.prompts, seed=seed),
        }
        for name, own in gaps.items()
    ]


def _weights(pairs: Pairs) -> Array:
    return np.array([pair.weight for pair in pairs], dtype=float)
