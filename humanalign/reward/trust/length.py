"""Do labels, and the reward, follow length? In characters, which every language has."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from humanalign.reward.trust.scored import Array, Figure, Scored, Text, figure, right_of


def length_bias(scored: Scored, scores: Mapping[Text, float], *, seed: int = 0) -> dict | None:
    """The card's part on length; None where no two answers differ in length.

    `longer_chosen` is the share of pairs in which people prefer the longer answer,
    `longer_scored` that in which the reward does, `correlation` the mean Spearman correlation of
    length and score within a prompt, and the last two the accuracy where the longer or the
    shorter answer is right. Answers of equal length are left out.
    """
    longer = np.array([len(p.chosen) - len(p.rejected) for p in scored.pairs], dtype=float)
    if not longer.any():
        return None
    told = longer != 0
    # The reward prefers the longer answer where gap and length difference have one sign.
    follows = right_of(scored.gaps * np.sign(longer))

    def over(values: Array, rows: NDArray[np.bool_]) -> Figure | None:
        prompts = [scored.pairs[i].prompt for i in np.flatnonzero(rows)]
        return figure(values[rows], prompts, seed=seed)

    return {
        "longer_chosen": over((longer > 0).astype(float), told),
        "longer_scored": over(follows, told),
        "correlation": within_prompt(scored, scores),
        "when_longer_wins": over(scored.right, longer > 0),
        "when_shorter_wins": over(scored.right, longer < 0),
    }


def within_prompt(scored: Scored, scores: Mapping[Text, float]) -> float | None:
    """The mean over prompts of Spearman's correlation between an answer's length and its score.

    Prompts whose answers all have one length or one score say nothing and are left out.
    """
    answers: dict[str, dict[str, None]] = {}
    for pair in scored.pairs:
        answers.setdefault(pair.prompt, {}).update({pair.chosen: None, pair.rejected: None})
    found = []
    for prompt, texts in answers.items():
        lengths = rankdata([len(text) for text in texts])
        ranks = rankdata([scores[prompt, text] for text in texts])
        if np.ptp(lengths) > 0 and np.ptp(ranks) > 0:
            found.append(float(np.corrcoef(lengths, ranks)[0, 1]))
    return float(np.mean(found)) if found else None
