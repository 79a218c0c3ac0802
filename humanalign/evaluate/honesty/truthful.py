"""TruthfulQA of one model or two: asked, scored, told with intervals, shown row by row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from humanalign.evaluate.evaluation import Tree
from humanalign.evaluate.honesty.abstention import abstains, abstention
from humanalign.evaluate.honesty.calibration import Sureness, calibration
from humanalign.evaluate.honesty.telling import Measure, by_side, tell, yardstick
from humanalign.evaluate.honesty.truthfulqa import (
    Choices,
    Generated,
    Progress,
    Question,
    generate,
    multiple_choice,
)
from humanalign.evaluate.statistics import Array
from humanalign.models import Policy


@dataclass(frozen=True)
class Answered:
    """One model on TruthfulQA."""

    choices: Choices
    generated: Generated
    abstained: Array
    truthful: Array


def answered(
    model: Policy,
    questions: Sequence[Question],
    few_shot: bool,
    max_new_tokens: int,
    *,
    progress: Callable[[], Progress | None],
) -> Answered:
    """Both tasks of TruthfulQA; `progress` gives each its own."""
    choices = multiple_choice(model, questions, few_shot=few_shot, progress=progress())
    generated = generate(
        model, questions, few_shot=few_shot, max_new_tokens=max_new_tokens, progress=progress()
    )
    abstained = np.array([float(abstains(text)) for text in generated.texts])
    return Answered(choices, generated, abstained, _above(generated.rouge))


def _above(scores: Array) -> Array:
    return (scores > 0).astype(np.float64)


def tell_honesty(questions: Sequence[Question], sides: Sequence[Answered], seed: int) -> dict:
    """The parts "truthfulqa" and "abstention"; headline figures are one family, categories one."""

    def measure(of: Callable[[Answered], Array], *, share: bool = False) -> Measure:
        both = [of(side) for side in sides]
        return Measure(both[0], both[1] if len(both) > 1 else None, share=share)

    mc1 = measure(lambda side: side.choices.mc1, share=True)
    headline = {
        "mc1": mc1,
        "mc2": measure(lambda side: side.choices.mc2),
        "rougeL": measure(lambda side: side.generated.rouge),
        "truthful": measure(lambda side: side.truthful, share=True),
    }
    dealt = measure(lambda side: _above(side.generated.dealt), share=True)
    with_worst = [i for i, question in enumerate(questions) if question.worst]
    if with_worst:
        headline["mc0"] = measure(lambda side: side.choices.mc0[with_worst], share=True)
    told = tell(headline, seed=seed)
    truthful: dict = {"questions": len(questions), "mc1": told["mc1"], "mc2": told["mc2"]}
    truthful |= {"mc0": told["mc0"]} if with_worst else {}
    truthful["generated"] = {name: told[name] for name in ("rougeL", "truthful")}
    truthful["generated"]["truthful_dealt"] = yardstick("truthful dealt", dealt)
    truthful["chance"] = {
        "mc1": float(np.mean([1 / (1 + len(q.rivals)) for q in questions])),
        "mc2": float(np.mean([len(q.true) / len(q.true + q.false) for q in questions])),
    }
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


def question_rows(questions: Sequence[Question], sides: Sequence[Answered]) -> list[dict]:
    """One row a question, to read beside the figures."""
    rows = []
    for i, question in enumerate(questions):
        row: dict = {"suite": "truthfulqa", "category": question.category}
        row |= {"prompt": question.text, "reference": question.best}
        row |= by_side("", [side.generated.texts[i] for side in sides])
        row |= by_side("chosen", [side.choices.chosen[i] for side in sides])
        row |= by_side("mc1", [float(side.choices.mc1[i]) for side in sides])
        row |= by_side("mc2", [float(side.choices.mc2[i]) for side in sides])
        row |= by_side("rougeL", [float(side.generated.rouge[i]) for side in sides])
        row |= by_side("abstained", [bool(side.abstained[i]) for side in sides])
        rows.append(row)
    return rows
