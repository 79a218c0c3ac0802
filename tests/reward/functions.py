"""Rewards that the tests name by `python:tests.reward.functions:NAME`."""

from collections.abc import Sequence


def shorter(prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
    del prompts
    return [-float(len(completion)) for completion in completions]


def one(prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
    del prompts
    return [1.0 for _ in completions]


def five(prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
    del prompts
    return [5.0 for _ in completions]
