"""The honesty suites of one evaluation: TruthfulQA and helpful-honest-harmless, in one call."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from humanalign.errors import ConfigError, DataError
from humanalign.evaluate.honesty.hhh import item_rows, items_of, preferences, right, tell_hhh
from humanalign.evaluate.honesty.items import Item
from humanalign.evaluate.honesty.truthful import answered, question_rows, tell_honesty
from humanalign.evaluate.honesty.truthfulqa import Question, read_questions
from humanalign.evaluate.progress import Parts, Progress
from humanalign.models import Policy
from humanalign.types import content_id


@dataclass(frozen=True)
class SuiteItems:
    """What the suites ask, as it was read; `few_shot` goes with TruthfulQA's questions."""

    questions: tuple[Question, ...] = ()
    items: tuple[Item, ...] = ()
    few_shot: bool = False

    @property
    def ids(self) -> dict[str, str]:
        """A hash of each suite's content: the same set in another file has the same."""
        found = {}
        if self.questions:
            asked = sorted(content_id(asdict(each)) for each in self.questions)
            found["truthfulqa"] = content_id("truthfulqa", asked, self.few_shot)
        if self.items:
            found["hhh"] = content_id("hhh", sorted(content_id(asdict(i)) for i in self.items))
        return found


@dataclass(frozen=True)
class Suites:
    """`results`: the parts "honesty" and "hhh" that were asked for; `samples`: rows to read.

    A row has "suite" ("truthfulqa" or "hhh") and, for each model, columns ending in _before and
    _after.
    """

    results: dict = field(default_factory=dict)
    samples: list[dict] = field(default_factory=list)


def read_suites(
    *, truthfulqa: str | None = None, hhh: str | None = None, few_shot: bool = False
) -> SuiteItems:
    """Read what the named suites ask, before a model is loaded.

    `truthfulqa`: the path of its csv or multiple-choice json; `hhh`: "own" or a file's or folder's
    path; `few_shot`: six answered questions stand before each of TruthfulQA's. ConfigError where
    no suite is named, DataError for a file that is none.
    """
    if not (truthfulqa or hhh):
        raise ConfigError("no suite is named; set truthfulqa=FILE or hhh=own (or a file's path)")
    for key, named in (("truthfulqa", truthfulqa), ("hhh", None if hhh == "own" else hhh)):
        if named and not Path(named).exists():
            raise DataError(f"{key}: {named}: no such file; check the path")
    questions = read_questions(truthfulqa) if truthfulqa else ()
    return SuiteItems(tuple(questions), tuple(items_of(hhh)) if hhh else (), few_shot)


def run_suites(
    policy: Policy,
    against: Policy | None = None,
    *,
    asked: SuiteItems,
    seed: int = 0,
    max_new_tokens: int = 64,
    progress: Progress | None = None,
) -> Suites:
    """Measure `policy`, and what changed `against` the model before, on what the suites ask."""
    models = [policy] if against is None else [policy, against]
    parts = Parts(progress, len(models) * (2 * bool(asked.questions) + bool(asked.items)))
    found = Suites()
    if asked.questions:
        sides = [
            answered(model, asked.questions, asked.few_shot, max_new_tokens, progress=parts.next)
            for model in models
        ]
        found.results["honesty"] = tell_honesty(asked.questions, sides, seed)
        found.samples.extend(question_rows(asked.questions, sides))
    if asked.items:
        scores = [preferences(model, asked.items, progress=parts.next()) for model in models]
        marks = [right(asked.items, own) for own in scores]
        found.results["hhh"] = tell_hhh(asked.items, *marks, seed=seed)
        found.samples.extend(item_rows(asked.items, marks))
    return found
