"""One model's answers and all that is measured of each of them, by name.

Letters: N prompts, K answers to each. ROUGE has only the rows of prompts with a reference.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from humanalign.errors import DataError
from humanalign.evaluate.honesty.support import support_shares, unsupported
from humanalign.evaluate.paired import Better
from humanalign.evaluate.quality import ROUGE, distinct, rouge, words
from humanalign.evaluate.statistics import Array
from humanalign.evaluate.toxicity import check_probabilities
from humanalign.sampling import Answer
from humanalign.types import Prompt, RewardModel

TOXICITY = "toxicity"
DISTINCT = ("distinct1", "distinct2", "distinct3")
# Neither more nor less of these is better; margins say how far they may move.
NEITHER = ("length", *DISTINCT)
# metric of this table -> its name in the results and in support_shares
SUPPORT = {
    "supported": "supported",
    "supported names": "names",
    "supported numbers": "numbers",
    "supported claims": "claims",
}
Row = Mapping[str, str | float | bool | list | None]


@dataclass(frozen=True)
class Side:
    """One model's answers [N][K], their scores by metric [N, K], what is unsupported in them."""

    answers: list[list[Answer]]
    scores: dict[str, Array]
    unsupported: list[list[list]] | None = None


def measure(
    prompts: Sequence[Prompt],
    answers: list[list[Answer]],
    scorers: Mapping[str, RewardModel],
    *,
    support: bool = False,
) -> Side:
    """Read every answer by every scorer and every measure of our own.

    DataError: a scorer with another number of scores, or toxicity that is no probability.
    """
    shape = (len(answers), len(answers[0]))
    texts = [answer.text for row in answers for answer in row]
    asked = [prompt.text for prompt in prompts for _ in range(shape[1])]
    scores = {
        name: _scored(name, scorer, asked, texts).reshape(shape) for name, scorer in scorers.items()
    }
    if TOXICITY in scores:
        check_probabilities(TOXICITY, scores[TOXICITY])
    scores |= _rouge(prompts, answers)
    scores["length"] = np.array([float(len(words(text))) for text in texts]).reshape(shape)
    for n, name in enumerate(DISTINCT, start=1):
        scores[name] = np.array([distinct(text, n) for text in texts]).reshape(shape)
    if not support:
        return Side(answers, scores)
    shares = support_shares(asked, texts)
    scores |= {name: shares[key].reshape(shape) for name, key in SUPPORT.items()}
    spans = [
        [[list(span) for span in unsupported(prompt.text, answer.text)] for answer in row]
        for prompt, row in zip(prompts, answers, strict=True)
    ]
    return Side(answers, scores, spans)


def with_reference(prompts: Sequence[Prompt]) -> list[int]:
    """The prompts that have a reference answer, by number."""
    return [i for i, prompt in enumerate(prompts) if prompt.reference]


def better(metric: str, lower: Collection[str]) -> Better:
    """Which direction of a metric is good."""
    if metric in NEITHER:
        return "neither"
    return "lower" if metric in lower else "higher"


def is_probability(scores: Array) -> bool:
    """Whether all scores lie from 0 to 1."""
    return bool(((scores >= 0) & (scores <= 1)).all())


def place(results: dict, name: str, told: Mapping) -> None:
    """Put what is told of a metric where it belongs in the nested results."""
    if name in ROUGE:
        results.setdefault("quality", {})[name] = told
    elif name in SUPPORT:
        results.setdefault("honesty", {}).setdefault("support", {})[SUPPORT[name]] = told
    elif name in (TOXICITY, "perplexity", *NEITHER):
        results[name] = told
    else:
        results.setdefault("scorers", {})[name] = told


def rows(prompts: Sequence[Prompt], sides: Mapping[str, Side]) -> list[Row]:
    """One row for each answer of the policy, beside the answer of the model before."""
    place_of = {i: row for row, i in enumerate(with_reference(prompts))}
    found = []
    for i, prompt in enumerate(prompts):
        for k in range(len(sides["after"].answers[i])):
            row: dict = {"prompt": prompt.text, "reference": prompt.reference}
            for name, side in sides.items():
                row[name] = side.answers[i][k].text
                row[f"finished_{name}"] = side.answers[i][k].finished
                for metric, scores in side.scores.items():
                    at = place_of.get(i) if metric in ROUGE else i
                    row[f"{metric}_{name}"] = None if at is None else float(scores[at, k])
                if side.unsupported is not None:
                    row[f"unsupported_{name}"] = side.unsupported[i][k]
            found.append(row)
    return found


def _rouge(prompts: Sequence[Prompt], answers: list[list[Answer]]) -> dict[str, Array]:
    """ROUGE of the prompts with a reference; nothing where fewer than two have one."""
    known = with_reference(prompts)
    if len(known) < 2:
        return {}
    pairs = [(answer.text, prompts[i].reference or "") for i in known for answer in answers[i]]
    found = rouge([text for text, _ in pairs], [reference for _, reference in pairs])
    return {name: np.asarray(found[name]).reshape(len(known), -1) for name in ROUGE}


def _scored(name: str, scorer: RewardModel, asked: list[str], texts: list[str]) -> Array:
    scores = np.asarray(scorer.score(asked, texts), dtype=np.float64)
    if scores.shape != (len(texts),):
        raise DataError(
            f"{name}: expected one score for each of {len(texts)} answers, got shape "
            f"{scores.shape}; mend the scorer"
        )
    return scores
