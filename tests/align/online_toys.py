"""What the online tests share: small settings and rewards that read the answer's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from humanalign.config import build
from humanalign.settings import AlignConfig
from humanalign.types import Prompt

PROMPTS = [Prompt(text) for text in ("w1 w2 w3", "w4", "w5 w6 w7 w8 w9", "w2 w2")]


def settings(method: str = "ppo", **keys: object) -> AlignConfig:
    """Settings of a run that takes a moment."""
    small = {
        "model": "toy",
        "method": method,
        "steps": 2,
        "batch": 16,
        "max_new_tokens": 6,
        "lr": 1e-3,
        "checkpoint": {"every": 0},
    }
    return build(AlignConfig, small | keys)


@dataclass
class ShareOf:
    """The share of the answer's words that are `word`."""

    word: str = "w5"

    def score(self, prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
        del prompts
        return [c.split().count(self.word) / max(1, len(c.split())) for c in completions]


@dataclass
class Fixed:
    """Whatever it is told to say."""

    scores: Sequence[float]

    def score(self, prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
        del prompts, completions
        return list(self.scores)


@dataclass
class Length:
    """The number of words."""

    def score(self, prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
        del prompts
        return [float(len(c.split())) for c in completions]
