"""Perplexity of answers under a fixed model: how surprising their words are to it.

exp(-sum of log p(token | prompt, tokens before) / number of tokens), over all tokens of all
answers, end tokens left out (Jelinek et al. 1977). Under the model before training, answers that
drift into odd language score higher, and answers that repeat one safe phrase score lower: read it
beside distinct n-grams. Letters: N prompts, K answers to each.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from humanalign.errors import ConfigError, DataError
from humanalign.evaluate.honesty.likelihood import answer_logprobs
from humanalign.evaluate.paired import Paired
from humanalign.evaluate.progress import Parts, Progress
from humanalign.evaluate.statistics import Array, Clusters, Undefined, bootstrap, exchange_p
from humanalign.models import Policy
from humanalign.sampling import Answer
from humanalign.types import EvalResult, Prompt

METRIC = "perplexity"


def compare_perplexity(
    under: Policy,
    prompts: Sequence[Prompt],
    before: Sequence[Sequence[Answer]],
    after: Sequence[Sequence[Answer]],
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Paired | Undefined:
    """Perplexity of both sides' answers [N][K] under one model, and their difference.

    p exchanges the two sides of whole prompts and looks at the difference of the cross-entropies.
    Undefined, with the reason, where that model cannot read them or there are no words.
    """
    parts = Parts(progress, 2)
    try:
        first, second = (surprise(under, prompts, side, parts.next()) for side in (before, after))
    except (ConfigError, DataError) as error:
        return Undefined(METRIC, str(error), len(prompts))
    if not (first.counts.any() and second.counts.any()):
        return Undefined(METRIC, "one model said nothing at all", len(prompts))
    return compared(first, second, seed)


def surprise(
    under: Policy,
    prompts: Sequence[Prompt],
    answers: Sequence[Sequence[Answer]],
    progress: Progress | None = None,
) -> Clusters:
    """Per prompt the nats of all its answers under the model, and how many tokens they have."""
    rendered = [under.render(p) for p, row in zip(prompts, answers, strict=True) for _ in row]
    texts = [answer.text for row in answers for answer in row]
    sums, counts = answer_logprobs(under, rendered, texts, progress=progress)
    shape = (len(prompts), -1)
    return Clusters(-sums.reshape(shape).sum(1), counts.reshape(shape).sum(1).astype(np.float64))


def compared(before: Clusters, after: Clusters, seed: int = 0) -> Paired:
    """The paired comparison of two sides' surprise about the same prompts."""
    columns = [after.sums, after.counts, before.sums, before.counts]
    n = len(before)

    def result(columns: list[Array], statistic, metric: str = METRIC) -> EvalResult:
        value, low, high = bootstrap(columns, statistic, seed)
        return EvalResult(metric, value, low, high, n, higher_is_better=False)

    p = exchange_p(before, after, seed)
    return Paired(
        METRIC,
        before=result(columns[2:], _perplexity),
        after=result(columns[:2], _perplexity),
        difference=result(columns, lambda a, n, b, m: _perplexity(a, n) - _perplexity(b, m)),
        relative_reduction=result(columns, lambda a, n, b, m: 1 - np.exp(a / n - b / m)),
        p=p,
        p_holm=p,
        better="neither",
    )


def _perplexity(nats: Array, tokens: Array) -> Array:
    return np.exp(nats / tokens)
