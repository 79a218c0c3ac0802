"""Pairs with a known truth: utilities, labelers with a known error, and a reward from a table."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from humanalign.reward.trust.scored import Scored
from humanalign.types import PreferencePair


class Table:
    """A reward that looks its scores up."""

    def __init__(self, scores):
        self.scores = scores
        self.asked = 0

    def score(self, prompts, completions):
        self.asked += len(prompts)
        return [self.scores[row] for row in zip(prompts, completions, strict=True)]


def pairs_of_gaps(gaps, prompts=None) -> Scored:
    """Scored pairs, one to a prompt unless `prompts` says otherwise."""
    names = [f"prompt {n}" for n in range(len(gaps))] if prompts is None else prompts
    pairs = tuple(PreferencePair(name, f"good {n}", f"bad {n}") for n, name in enumerate(names))
    return Scored(pairs, np.asarray(gaps, dtype=float), np.zeros(len(gaps)))


def bradley_terry_gaps(n: int, *, sure: float = 1.0, seed: int = 0) -> np.ndarray:
    """[N] gaps of a reward that knows the true odds but states them `sure` times too strongly."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(scale=1.5, size=n)
    wins = rng.random(n) < expit(truth)
    return sure * np.where(wins, truth, -truth)
