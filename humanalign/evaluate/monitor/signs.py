"""What the answers of one batch show in numbers: sameness, repetition, length, ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from humanalign.evaluate.monitor.symptoms import length_correlation, pooled_distinct
from humanalign.evaluate.quality import ngrams

# Answers of a batch that are read: of larger batches these say enough, and a step stays fast.
READ = 256


def signs(
    prompts: Sequence[str],
    texts: Sequence[str],
    rewards: Sequence[float],
    finished: Sequence[bool],
) -> dict[str, float]:
    """The numbers of a batch by name; a correlation that does not exist is left out.

    distinct2: different word pairs over all word pairs, of all answers together. repeated: the
    share of an answer's word triples that it said before, the mean over answers. same: the share
    of answers that another prompt got word for word. words: the mean number of words.
    """
    found = {
        "distinct2": pooled_distinct(texts),
        "repeated": sum(map(repeated, texts)) / len(texts),
        "same": same_answers(prompts, texts),
        "words": sum(len(text.split()) for text in texts) / len(texts),
        "unfinished": 1 - sum(finished) / len(finished),
    }
    correlation = length_correlation(texts, rewards)
    return found if correlation is None else found | {"length_correlation": correlation}


def repeated(text: str, n: int = 3) -> float:
    """The share of a text's word n-grams that are there a second time or oftener; 0 without any."""
    grams = ngrams(text, n)
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def same_answers(prompts: Sequence[str], texts: Sequence[str]) -> float:
    """The share of answers that were given to another prompt too, word for word."""
    asked: dict[str, set[str]] = {}
    for prompt, text in zip(prompts, texts, strict=True):
        asked.setdefault(text.strip(), set()).add(prompt)
    return sum(len(asked[text.strip()]) > 1 for text in texts) / len(texts)


def holding(texts: Sequence[str], sizes: Sequence[int] = (2, 3)) -> Counter[tuple[str, ...]]:
    """In how many of the texts each n-gram stands, once or oftener."""
    found: Counter[tuple[str, ...]] = Counter()
    for text in texts:
        for n in sizes:
            found.update(set(ngrams(text, n)))
    return found
