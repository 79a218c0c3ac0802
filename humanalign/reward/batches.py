"""Micro-batches of rows of similar length, cut by tokens, for learning and for scoring.

A loss is a sum and a count (train.py), so how a batch is cut changes time and memory and never the
step; all rows of a group, one prompt's answers, stay together because a pair needs both scores.

    encoded = reader.encode(prompts, completions)            # once per fit
    for numbers in cut([[len(row.ids) for row in rows] for rows in groups], most=4096):
        scores = model(reader.pad([row for i in numbers for row in groups[i]]))
    scores = score_rows(reader, prompts, completions, model)  # any number of rows

Where the model packs its rows (packing.py) there is no padding left to save, and cutting bounds
memory alone; T5 and DeBERTa, which cannot, gain from rows of like length.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from humanalign.errors import ConfigError
from humanalign.reward.reading import Reader, TokenRows

# About 100 MB of activations of a 22M encoder; twice as much is no faster.
TOKENS = 4096


def cut(groups: Sequence[Sequence[int]], most: int = TOKENS) -> list[list[int]]:
    """Numbers of the groups of each micro-batch, shortest first.

    `groups` holds the lengths of each group's rows, in tokens; rows times the longest of them is at
    most `most` in a micro-batch, but a group is never divided. ConfigError: `most` below 1.
    """
    if most < 1:
        raise ConfigError(f"micro_tokens: must be at least 1, got {most}")
    order = sorted(range(len(groups)), key=lambda i: (max(groups[i], default=0), i))
    pieces: list[list[int]] = []
    rows = 0
    for number in order:
        longest = max(groups[number], default=0)
        rows += len(groups[number])
        if not pieces or rows * longest > most:
            pieces.append([])
            rows = len(groups[number])
        pieces[-1].append(number)
    return pieces


def score_rows(
    reader: Reader,
    prompts: Sequence[str | None],
    completions: Sequence[str],
    score: Callable[[TokenRows], Tensor],
    *,
    tokens: int = 2 * TOKENS,
) -> list[float]:
    """Scores [B] of any number of rows, in their order; answers to one prompt are read together."""
    encoded = reader.encode(prompts, completions)
    groups = _neighbours(prompts)
    scores = [0.0] * len(encoded)
    with torch.inference_mode():
        for numbers in cut([[len(encoded[i].ids) for i in group] for group in groups], tokens):
            rows = [i for number in numbers for i in groups[number]]
            found = score(reader.pad([encoded[i] for i in rows])).tolist()
            for row, value in zip(rows, found, strict=True):
                scores[row] = value
    return scores


def _neighbours(prompts: Sequence[str | None], most: int = 8) -> list[list[int]]:
    """Numbers of the rows of each prompt, at most `most` of them; rows without one stand alone."""
    by_prompt: dict[str, list[int]] = {}
    groups: list[list[int]] = []
    for row, prompt in enumerate(prompts):
        group = by_prompt.get(prompt, []) if prompt is not None else []
        if not group or len(group) == most:
            group = []
            groups.append(group)
        group.append(row)
        if prompt is not None:
            by_prompt[prompt] = group
    return groups
