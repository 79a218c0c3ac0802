"""What every reward source shares: checked inputs, checked scores, batches of similar length."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from humanalign.errors import ConfigError, DataError


@runtime_checkable
class Identified(Protocol):
    """A reward that can say which one it is: what else gives the same scores has the same id."""

    def identity(self) -> str:
        """An id made of everything that a score depends on: weights, settings, code."""
        ...


def identity_of(reward: object) -> str:
    """The id of a reward. ConfigError: it has none, so that its scores cannot be told apart."""
    if not isinstance(reward, Identified):
        raise ConfigError(
            f"reward: {type(reward).__name__} has no method identity(), so its scores cannot be "
            "cached; give it one that returns an id of its weights and settings"
        )
    return reward.identity()


def check_rows(prompts: Sequence[str], completions: Sequence[str]) -> None:
    """Raise DataError unless there is one completion for each prompt, and all of them are text."""
    if len(prompts) != len(completions):
        raise DataError(
            f"{len(prompts)} prompts but {len(completions)} completions; give one of each per row"
        )
    for row, texts in enumerate(zip(prompts, completions, strict=True)):
        for text in texts:
            check_text(text, f"row {row}")


def check_text(text: str, where: str) -> None:
    """Raise DataError for half a character: JSON can spell one, and no tokenizer can read it."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{where}: {text[error.start]!r} is half a character (a lone surrogate), not text; "
            "mend it where it was written"
        ) from None


def check_scores(scores: object, rows: int, name: str) -> list[float]:
    """Return `scores` as floats; DataError unless it holds `rows` finite numbers."""
    if isinstance(scores, str) or not isinstance(scores, Sequence):
        raise DataError(
            f"{name}: must return a list of numbers, one per completion; "
            f"it returned {type(scores).__name__}"
        )
    if len(scores) != rows:
        raise DataError(
            f"{name}: returned {len(scores)} scores for {rows} completions; return one for each"
        )
    for row, score in enumerate(scores):
        if isinstance(score, bool) or not isinstance(score, int | float):
            raise DataError(f"{name}: score {row} is {score!r}; return a number for each row")
        if not math.isfinite(score):
            raise DataError(f"{name}: score {row} is {score}; return finite numbers only")
    return [float(score) for score in scores]


def alike(lengths: Sequence[int], batch_size: int) -> Iterator[list[int]]:
    """Row numbers in batches of similar length, the shortest first: it wastes the least padding."""
    if batch_size < 1:
        raise ConfigError(f"batch_size: must be at least 1, got {batch_size}")
    order = sorted(range(len(lengths)), key=lambda row: (lengths[row], row))
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]
