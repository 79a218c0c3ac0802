"""Held-out pairs beside their scores: every text is scored once, and every number starts here.

Letters: N pairs. A figure is a mean with its 95 % interval by prompt, as a plain dict: rows of one
prompt resemble each other, so prompts are resampled, never pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from humanalign.intervals import mean_interval
from humanalign.types import PreferencePair, RewardModel

Array = NDArray[np.float64]
Figure = dict[str, float | int | None]
Text = tuple[str, str]
# Enough for two digits; a card holds some fifty intervals.
RESAMPLES = 2_000


@dataclass(frozen=True)
class Scored:
    """Pairs with the scores [N] of their chosen and their rejected answers."""

    pairs: tuple[PreferencePair, ...]
    chosen: Array
    rejected: Array

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def gaps(self) -> Array:
        """[N] the score of the chosen answer less that of the rejected one."""
        return self.chosen - self.rejected

    @property
    def right(self) -> Array:
        """[N] 1 where the chosen answer scores higher, 0.5 where both score the same."""
        return right_of(self.gaps)

    @property
    def prompts(self) -> list[str]:
        return [pair.prompt for pair in self.pairs]

    def where(self, keep: Callable[[PreferencePair], bool]) -> Scored:
        """The pairs that `keep` says yes to."""
        rows = [row for row, pair in enumerate(self.pairs) if keep(pair)]
        return Scored(
            tuple(self.pairs[row] for row in rows), self.chosen[rows], self.rejected[rows]
        )


def right_of(gaps: Array) -> Array:
    """[N] 1 for a gap above 0, 0.5 for none, 0 below."""
    return (np.sign(gaps) + 1) / 2


def score_texts(reward: RewardModel, pairs: Iterable[PreferencePair]) -> dict[Text, float]:
    """(prompt, answer) -> score, each distinct text of `pairs` scored once, in one call."""
    texts = texts_of(pairs)
    scores = reward.score([prompt for prompt, _ in texts], [answer for _, answer in texts])
    return dict(zip(texts, scores, strict=True))


def texts_of(pairs: Iterable[PreferencePair]) -> list[Text]:
    """The distinct (prompt, answer) of `pairs`, in the order met."""
    return list(dict.fromkeys((p.prompt, text) for p in pairs for text in (p.chosen, p.rejected)))


def scored(pairs: Iterable[PreferencePair], scores: dict[Text, float]) -> Scored:
    """`pairs` with their scores, tied ones left out: see `untied`."""
    kept = untied(pairs)
    chosen = np.array([scores[p.prompt, p.chosen] for p in kept], dtype=float)
    rejected = np.array([scores[p.prompt, p.rejected] for p in kept], dtype=float)
    return Scored(tuple(kept), chosen, rejected)


def untied(pairs: Iterable[PreferencePair]) -> list[PreferencePair]:
    """`pairs` without those that one rater ordered both ways.

    A tie is stored as two rows of half the weight, one each way: whatever the reward says, one is
    right and one wrong, so a tie would only pull every accuracy towards one half.
    """
    pairs = list(pairs)
    said = {(p.rater, p.criterion, p.prompt, p.chosen, p.rejected) for p in pairs}
    return [p for p in pairs if (p.rater, p.criterion, p.prompt, p.rejected, p.chosen) not in said]


def figure(
    values: Sequence[float] | Array,
    prompts: Sequence[str],
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Figure | None:
    """The mean of `values` and its interval; `n` counts prompts. None under two prompts."""
    if len(set(prompts)) < 2:
        return None
    found = mean_interval(
        [float(value) for value in values],
        prompts,
        metric="trust",
        seed=seed,
        resamples=resamples,
    )
    return dict(found.as_dict())


def folds_of(prompts: Sequence[str], folds: int, *, seed: int = 0) -> NDArray[np.int64]:
    """[N] the fold of each row: whole prompts, of nearly equal number, whatever their order."""
    names = sorted(set(prompts))
    order = np.random.default_rng(seed).permutation(len(names))
    fold = {name: int(place) % folds for name, place in zip(names, order, strict=True)}
    return np.array([fold[prompt] for prompt in prompts], dtype=np.int64)
