"""The honesty suites of one evaluation: TruthfulQA and helpful-honest-harmless, in one call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from humanalign.models import Policy

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Suites:
    """`results`: the parts "honesty" and "hhh" that were asked for; `samples`: rows to read."""

    results: dict = field(default_factory=dict)
    samples: list[dict] = field(default_factory=list)


def run_suites(
    policy: Policy,
    against: Policy | None = None,
    *,
    truthfulqa: str | None = None,
    hhh: str | None = None,
    seed: int = 0,
    max_new_tokens: int = 64,
    progress: Progress | None = None,
) -> Suites:
    """Measure `policy`, and what changed `against` the model before, on the suites that are named.

    `truthfulqa`: the path of its csv or multiple-choice json; `hhh`: "own" or a file's path.
    """
    return Suites()
