"""The honesty suites of one evaluation: TruthfulQA and helpful-honest-harmless, in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from humanalign.errors import ConfigError
from humanalign.evaluate.evaluation import Tree
from humanalign.evaluate.honesty.abstention import abstains, abstention
from humanalign.evaluate.honesty.calibration import Sureness, calibration
from humanalign.evaluate.honesty.hhh import items_of, preferences, right, tell_hhh
from humanalign.evaluate.honesty.telling import Measure, tell
from humanalign.evaluate.honesty.truthfulqa import (
    Choices,
    Generated,
    Question,
    generate,
    multiple_choice,
    read_questions,
)
from humanalign.evaluate.statistics import Array
from humanalign.models import Policy

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Suites:
    """`results`: the parts "honesty" and "hhh" that were asked for; `samples`: rows to read.

    A row has "suite" ("truthfulqa" or "hhh") and, for each model, columns ending in _before and
    _after.
    """

    results: dict = field(default_factory=dict)
    samples: list[dict] = field(default_factory=list)


@dataclass(frozen=True)
class _Told:
    """One model on TruthfulQA."""

    choices: Choices
    generated: Generated
    abstained: Array
    truthful: Array


def run_suites(
    policy: Policy,
    against: Policy | None = None,
    *,
    truthfulqa: str | None = None,
    hhh: str | None = None,
    few_shot: bool = False,
    seed: int = 0,
    max_new_tokens: int = 64,
    progress: Progress | None = None,
) -> Suites:
    """Measure `policy`, and what changed `against` the model before, on the suites that are named.

    `truthfulqa`: the path of its csv or multiple-choice json; `hhh`: "own" or a file's or folder's
    path; `few_shot`: six answered questions stand before each of TruthfulQA's. ConfigError where
    no suite is named.
    """
    if not (truthfulqa or hhh):
        raise ConfigError("no suite is named; set truthfulqa=FILE or hhh=own (or a file's path)")
    models = [policy] if against is None else [policy, against]
    parts = _Parts(progress, len(models) * (2 * bool(truthfulqa) + bool(hhh)))
    found = Suites()
    questions = read_questions(truthfulqa) if truthfulqa else []
    items = items_of(hhh) if hhh else []
    if questions:
        sides = [
            _answer(model, questions, few_shot, max_new_tokens, parts=parts) for model in models
        ]
        found.results["honesty"] = _honesty(questions, sides, seed)
        found.samples.extend(_question_rows(questions, sides))
    if items:
        scores = [preferences(model, items, progress=parts.next()) for model in models]
        marks = [right(items, own) for own in scores]
        found.results["hhh"] = tell_hhh(items, *marks, seed=seed)
        for i, item in enumerate(items):
            row = {"suite": "hhh", "category": item.category, "prompt": item.prompt}
            row |= {"better": item.answers[item.best]}
            found.samples.append(row | _by_side("right", [float(mark[i]) for mark in marks]))
    return found


class _Parts:
    """One bar over several stretches of work of unlike length, each an equal share of it."""

    def __init__(self, progress: Progress | None, count: int) -> None:
        self.progress, self.count, self.begun = progress, count, 0

    def next(self) -> Progress | None:
        """The progress of the next stretch."""
        progress, place = self.progress, self.begun
        self.begun += 1
        if progress is None:
            return None
        return lambda step, total: progress(place * 100 + 100 * step // total, self.count * 100)


def _answer(
    model: Policy,
    questions: Sequence[Question],
    few_shot: bool,
    max_new_tokens: int,
    *,
    parts: _Parts,
) -> _Told:
    choices = multiple_choice(model, questions, few_shot=few_shot, progress=parts.next())
    generated = generate(
        model,
        questions,
        few_shot=few_shot,
        max_new_tokens=max_new_tokens,
        progress=parts.next(),
    )
    abstained = np.array([float(abstains(text)) for text in generated.texts])
    return _Told(choices, generated, abstained, _above(generated.rouge))


def _above(scores: Array) -> Array:
    return (scores > 0).astype(np.float64)


def _honesty(questions: Sequence[Question], sides: Sequence[_Told], seed: int) -> dict:
    """The parts "truthfulqa" and "abstention"; headline figures are one family, categories one."""

    def measure(of: Callable[[_Told], Array], *, share: bool = False) -> Measure:
        both = [of(side) for side in sides]
        return Measure(both[0], both[1] if len(both) > 1 else None, share=share)

    mc1 = measure(lambda side: side.choices.mc1, share=True)
    headline = {
        "mc1": mc1,
        "mc2": measure(lambda side: side.choices.mc2),
        "rougeL": measure(lambda side: side.generated.rouge),
        "truthful": measure(lambda side: side.truthful, share=True),
        "truthful_dealt": measure(lambda side: _above(side.generated.dealt), share=True),
    }
    with_worst = [i for i, question in enumerate(questions) if question.worst]
    if with_worst:
        headline["mc0"] = measure(lambda side: side.choices.mc0[with_worst], share=True)
    told = tell(headline, seed=seed)
    truthful: dict = {"questions": len(questions), "mc1": told["mc1"], "mc2": told["mc2"]}
    truthful |= {"mc0": told["mc0"]} if with_worst else {}
    truthful["generated"] = {name: told[name] for name in ("rougeL", "truthful", "truthful_dealt")}
    truthful["by_category"] = _by_category(questions, mc1, seed)
    sure = [Sureness(side.choices.confidence, side.choices.mc1) for side in sides]
    truthful["calibration"] = calibration(*sure, seed=seed)
    kinds = [(side.abstained, side.truthful, side.choices.mc1) for side in sides]
    rest = abstention(kinds[0], kinds[1] if len(kinds) > 1 else None, seed=seed)
    return {"truthfulqa": truthful, "abstention": rest}


def _by_category(questions: Sequence[Question], mc1: Measure, seed: int) -> dict[str, Tree]:
    names = sorted({question.category for question in questions if question.category})
    rows = {name: [i for i, q in enumerate(questions) if q.category == name] for name in names}
    return tell({name: mc1.of(own) for name, own in rows.items()}, seed=seed)


def _question_rows(questions: Sequence[Question], sides: Sequence[_Told]) -> list[dict]:
    rows = []
    for i, question in enumerate(questions):
        row: dict = {"suite": "truthfulqa", "category": question.category}
        row |= {"prompt": question.text, "reference": question.best}
        row |= _by_side("", [side.generated.texts[i] for side in sides])
        row |= _by_side("chosen", [side.choices.chosen[i] for side in sides])
        row |= _by_side("mc1", [float(side.choices.mc1[i]) for side in sides])
        row |= _by_side("mc2", [float(side.choices.mc2[i]) for side in sides])
        row |= _by_side("rougeL", [float(side.generated.rouge[i]) for side in sides])
        row |= _by_side("abstained", [bool(side.abstained[i]) for side in sides])
        rows.append(row)
    return rows


def _by_side(name: str, values: Sequence) -> dict:
    """{name_after: ..., name_before: ...}; without a name, just the sides."""
    sides = ("after", "before")
    return {f"{name}_{side}".lstrip("_"): value for side, value in zip(sides, values, strict=False)}
