"""Is the text still good? ROUGE against references, length, variety, and "not worse than"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from nltk.stem.porter import PorterStemmer
from rouge_score.rouge_scorer import RougeScorer

from humanalign.errors import DataError
from humanalign.types import EvalResult

ROUGE = ("rouge1", "rouge2", "rougeL")
# Chinese and Japanese write no spaces, so each of their characters is a word.
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+")


class _Words:
    """As rouge-score's tokenizer on English; that one drops every letter beyond a-z, not this."""

    def __init__(self) -> None:
        self.stemmer = PorterStemmer()

    def tokenize(self, text: str) -> list[str]:
        found = WORD.findall(text.lower())
        return [self.stemmer.stem(w) if len(w) > 3 and w.isascii() else w for w in found]


def rouge(texts: Sequence[str], references: Sequence[str]) -> dict[str, list[float]]:
    """F1 of ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004), Porter-stemmed, one number a text, 0 to 1."""
    if len(texts) != len(references):
        raise DataError(f"rouge: {len(texts)} texts and {len(references)} references; pair them")
    scorer = RougeScorer(list(ROUGE), tokenizer=_Words())
    scores = [
        scorer.score(reference, text) for text, reference in zip(texts, references, strict=True)
    ]
    return {name: [row[name].fmeasure for row in scores] for name in ROUGE}


def words(text: str) -> list[str]:
    """The words of a text, split at white space, as a reader counts them."""
    return text.split()


def distinct(text: str, n: int = 2) -> float:
    """Share of a text's word n-grams that are different (Li et al. 2016), within the one text.

    A text without n-grams counts 0: it has no variety to show.
    """
    grams = ngrams(text, n)
    return len(set(grams)) / len(grams) if grams else 0.0


def ngrams(text: str, n: int) -> list[tuple[str, ...]]:
    """Word n-grams in order, lower case, punctuation dropped."""
    found = WORD.findall(text.lower())
    return [tuple(found[i : i + n]) for i in range(len(found) - n + 1)]


@dataclass(frozen=True)
class Margin:
    """How much of a metric may be lost and still count as not worse.

    `loss` says which way is a loss; `relative`: `size` is a share of the mean before.
    """

    size: float
    loss: Literal["fall", "rise", "either"] = "fall"
    relative: bool = False


# Stated before anybody looks; docs/evaluation.md says why these.
MARGINS = {
    **dict.fromkeys(ROUGE, Margin(0.02)),
    "distinct2": Margin(0.02),
    "length": Margin(0.1, "either", relative=True),
    "perplexity": Margin(0.1, "rise", relative=True),
}


# Of fewer prompts the intervals are too short to bear "not worse": docs/evaluation.md.
FEWEST = 20
# Nor do those of a change that so few prompts made, where one prompt may change without limit.
FEWEST_CHANGED = 10


@dataclass(frozen=True)
class NonInferiority:
    """Whether a metric is shown to be worse by less than a margin that was stated beforehand.

    `changed` counts the prompts that changed, of a metric without bounds; None of all others.
    """

    metric: str
    margin: Margin
    change: EvalResult
    changed: int | None = None

    @property
    def obstacle(self) -> str:
        """Why nothing can be shown whatever the change: too few prompts, or hardly any change."""
        if self.change.n < FEWEST:
            return f"under {FEWEST} prompts cannot show it"
        if self.change.ci_low == self.change.ci_high:
            return "it did not vary"
        if self.changed is not None and self.changed < FEWEST_CHANGED:
            return f"under {FEWEST_CHANGED} prompts changed"
        return ""

    @property
    def shown(self) -> bool:
        """By the 95 % interval of the change: its bad end must stay inside the margin."""
        if self.obstacle:
            return False
        fell, rose = -self.change.ci_low, self.change.ci_high
        worst = {"fall": fell, "rise": rose, "either": max(fell, rose)}[self.margin.loss]
        return worst < self.margin.size

    def __str__(self) -> str:
        finding = "is" if self.shown else "is not shown to be"
        return f"{self.metric} {finding} within {self.margin.size:g} of the model before"


def non_inferior(
    difference: EvalResult,
    margin: Margin,
    relative_reduction: EvalResult | None = None,
    *,
    changed: int | None = None,
) -> NonInferiority:
    """Judge after - before, or for a relative margin after / before - 1, by `margin`.

    DataError: a margin that is not above 0, or a relative one without the relative reduction.
    """
    if margin.size <= 0:
        raise DataError(
            f"margin: expected a number above 0, got {margin.size:g}; state what loss is small"
        )
    if not margin.relative:
        return NonInferiority(difference.metric, margin, difference, changed)
    if relative_reduction is None:
        raise DataError(f"{difference.metric}: a relative margin needs the relative reduction")
    found = relative_reduction
    change = EvalResult(found.metric, -found.value, -found.ci_high, -found.ci_low, found.n)
    return NonInferiority(difference.metric, margin, change, changed)
