"""Micro-batches: rows of similar length together, cut by a budget of padded tokens.

What is cut this way gives the same gradient as one piece would: losses are sums, divided once by
the count of the whole minibatch (train.py). Short rows do not pay for long ones, and padding that
a piece does not need is trimmed away.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from humanalign.objectives.batch import RolloutBatch, Tokens


def pieces(tokens: Tokens, *, rows: int, budget: int) -> Iterator[Tensor]:
    """Indices of rows: at most `rows` of them and `budget` padded tokens a piece, all rows once.

    Pieces are about equally large, and a single row longer than the budget is one of its own.
    """
    lengths = tokens.lengths()
    whole = max(len(lengths) * int(lengths.max()), 1)
    budget = math.ceil(whole / math.ceil(whole / budget))
    # A stable order, so that the same minibatch is cut the same way in every run.
    order = torch.argsort(lengths, descending=True, stable=True).cpu()
    start = 0
    while start < len(order):
        widest = max(int(lengths[order[start]]), 1)
        size = max(1, min(rows, budget // widest))
        yield order[start : start + size]
        start += size


def piece_of(batch: RolloutBatch, rows: Tensor) -> RolloutBatch:
    """These rows of the batch, without the padding that only longer rows needed."""
    part = batch.select(rows)
    prompt, response = part.tokens.prompt_mask.any(0), part.mask.any(0)
    timed = {
        name: value[:, response]
        for name in ("logprobs", "ref_logprobs", "values", "rewards", "advantages", "returns")
        if (value := getattr(part, name)) is not None
    }
    if part.ref_hidden is not None:
        timed["ref_hidden"] = part.ref_hidden[:, response]
    if part.encoded is not None:
        timed["encoded"] = part.encoded[:, prompt]
    return replace(part, tokens=part.tokens.trimmed(), **timed)


def put_tokens(target: Tensor, rows: Tensor, mask: Tensor, flat: Tensor) -> None:
    """Write one number (or vector) per real token into `rows` of `target` [B, T, ...], 0 beside.

    `mask` [b, t] is the piece's, `flat` [N, ...] holds its real tokens one after the other.
    """
    width = mask.shape[1]
    block = target.new_zeros((len(rows), width, *target.shape[2:]))
    block[mask] = flat.to(target.dtype)
    target[rows, :width] = block
