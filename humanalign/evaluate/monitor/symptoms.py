"""Signs of reward hacking in the samples of a training run: sameness, length, phrases that grew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from humanalign.errors import DataError
from humanalign.evaluate.quality import ngrams, words

# Under this many occurrences a phrase's growth is chance.
MIN_COUNT = 3


@dataclass(frozen=True)
class Grown:
    """A phrase and how often it comes per 1000 phrases of its length, before and after."""

    phrase: str
    before: float
    after: float


@dataclass(frozen=True)
class Symptoms:
    """What the samples show.

    `distinct2` is over all samples together (a model that says one thing to everyone scores low);
    `unfinished` is the share without an end token, None where it was not recorded;
    `length_correlation` is Spearman's rho of words and reward, None where either is constant.
    """

    distinct2: float
    unfinished: float | None
    length_correlation: float | None
    grown: tuple[Grown, ...]
    n: int


def symptoms(
    texts: Sequence[str],
    reference: Sequence[str] = (),
    *,
    rewards: Sequence[float] | None = None,
    finished: Sequence[bool] | None = None,
) -> Symptoms:
    """Look at samples, beside those of the `reference` model to the same prompts where given."""
    if not texts:
        raise DataError("monitor: no samples to look at; give at least one")
    return Symptoms(
        distinct2=pooled_distinct(texts),
        unfinished=None if finished is None else 1 - sum(finished) / len(finished),
        length_correlation=None if rewards is None else length_correlation(texts, rewards),
        grown=grown(texts, reference) if reference else (),
        n=len(texts),
    )


def pooled_distinct(texts: Sequence[str], n: int = 2) -> float:
    """Different n-grams over all n-grams of all texts together (Li et al. 2016); 0 without any."""
    grams = [gram for text in texts for gram in ngrams(text, n)]
    return len(set(grams)) / len(grams) if grams else 0.0


def grown(
    texts: Sequence[str], reference: Sequence[str], *, n: int = 2, top: int = 8
) -> tuple[Grown, ...]:
    """The n-grams whose rate rose most against the reference samples, the greatest rise first."""
    after = Counter(gram for text in texts for gram in ngrams(text, n))
    before = Counter(gram for text in reference for gram in ngrams(text, n))
    after_total, before_total = max(1, after.total()), max(1, before.total())
    found = [
        Grown(" ".join(gram), 1000 * before[gram] / before_total, 1000 * count / after_total)
        for gram, count in after.items()
        if count >= MIN_COUNT
    ]
    rising = [phrase for phrase in found if phrase.after > phrase.before]
    return tuple(sorted(rising, key=lambda g: (g.before - g.after, g.phrase))[:top])


def length_correlation(texts: Sequence[str], rewards: Sequence[float]) -> float | None:
    """Spearman's rho of words and reward; None where either is constant."""
    lengths = [len(words(text)) for text in texts]
    if np.ptp(lengths) == 0 or np.ptp(np.asarray(rewards)) == 0:
        return None
    return float(np.corrcoef(rankdata(lengths), rankdata(rewards))[0, 1])
