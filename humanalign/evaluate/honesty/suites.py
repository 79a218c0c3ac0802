"""The honesty suites of one evaluation: TruthfulQA and helpful-honest-harmless, in one call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from humanalign.errors import ConfigError
from humanalign.evaluate.honesty.hhh import item_rows, items_of, preferences, right, tell_hhh
from humanalign.evaluate.honesty.truthful import answered, question_rows, tell_honesty
from humanalign.evaluate.honesty.truthfulqa import read_questions
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
    if truthfulqa:
        questions = read_questions(truthfulqa)
        sides = [
            answered(model, questions, few_shot, max_new_tokens, progress=parts.next)
            for model in models
        ]
        found.results["honesty"] = tell_honesty(questions, sides, seed)
        found.samples.extend(question_rows(questions, sides))
    if hhh:
        items = items_of(hhh)
        scores = [preferences(model, items, progress=parts.next()) for model in models]
        marks = [right(items, own) for own in scores]
        found.results["hhh"] = tell_hhh(items, *marks, seed=seed)
        found.samples.extend(item_rows(items, marks))
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
