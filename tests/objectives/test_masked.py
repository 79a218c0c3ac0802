"""Reduction and whitening by global counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from golden import EXACT
from hypothesis import given
from hypothesis import strategies as st

from humanalign.objectives import Moments, masked

numbers = st.floats(-100, 100, allow_nan=False)
token_lists = st.lists(st.lists(numbers, min_size=0, max_size=6), min_size=1, max_size=8)


def padded(rows: list[list[float]], width: int, filler: float = float("nan")):
    """The rows as one right-padded float64 tensor, and its mask."""
    values = torch.full((len(rows), width), filler, dtype=torch.float64)
    mask = torch.zeros(len(rows), width, dtype=torch.bool)
    for i, row in enumerate(rows):
        values[i, : len(row)] = torch.tensor(row, dtype=torch.float64)
        mask[i, : len(row)] = True
    return values, mask


@given(token_lists, st.integers(6, 12))
def test_padding_does_not_change_a_reduced_loss(rows, width):
    flat = [x for row in rows for x in row]
    values, mask = padded(rows, width)
    torch.testing.assert_close(
        masked.reduce(values, mask, count=7),
        torch.tensor(np.sum(flat) / 7, dtype=torch.float64),
        rtol=0,
        atol=1e-10,
    )


@given(st.integers(0, 2**31 - 1))
def test_one_batch_of_64_equals_eight_of_8_with_the_global_count(seed):
    generator = torch.Generator().manual_seed(seed)
    losses = torch.randn(64, 9, generator=generator, dtype=torch.float64)
    lengths = torch.randint(0, 10, (64, 1), generator=generator)
    mask = torch.arange(9) < lengths
    count = max(mask.sum().item(), 1)
    whole = masked.reduce(losses, mask, count=count)
    parts = [
        masked.reduce(part, kept, count=count)
        for part, kept in zip(losses.split(8), mask.split(8), strict=True)
    ]
    torch.testing.assert_close(torch.stack(parts).sum(), whole, **EXACT)


@given(st.permutations(range(6)))
def test_the_order_of_rows_does_not_change_a_reduced_loss(order):
    losses = torch.tensor([1.0, -2.0, 4.0, 0.5, 8.0, -16.0], dtype=torch.float64)
    weights = torch.tensor([1.0, 0.5, 0.0, 2.0, 1.0, 0.25], dtype=torch.float64)
    index = torch.tensor(order)
    reduced = masked.reduce(losses[index], weights[index], count=4)
    torch.testing.assert_close(
        reduced, torch.tensor((1 - 1 + 0 + 1 + 8 - 4) / 4, dtype=torch.float64), **EXACT
    )


def test_masked_losses_pass_no_gradient():
    losses = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    masked.reduce(losses, torch.tensor([True, False, True]), count=2).backward()
    assert losses.grad.tolist() == [0.5, 0.0, 0.5]


def test_a_count_of_zero_is_an_error():
    with pytest.raises(ValueError, match="count: expected"):
        masked.reduce(torch.ones(2), torch.zeros(2, dtype=torch.bool), count=0)


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=40), st.integers(0, 5))
def test_whitened_tokens_are_those_of_numpy(values, padding):
    array = np.array(values)
    row, mask = padded([values], len(values) + padding)
    expected = (array - array.mean()) / np.sqrt(array.var() + 1e-8)
    whitened = masked.whiten(row, mask)[0]
    np.testing.assert_allclose(whitened[: len(values)].numpy(), expected, atol=1e-8)
    assert whitened[len(values) :].tolist() == [0.0] * padding


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8))
def test_whitening_a_few_tokens_never_exceeds_the_root_of_their_number(values):
    row, mask = padded([values], 8)
    assert masked.whiten(row, mask).abs().max() <= np.sqrt(max(len(values) - 1, 0)) + 1e-3


def test_whitening_over_the_batch_has_mean_0_and_variance_1_over_valid_tokens_only():
    values = torch.randn(16, 10, generator=torch.Generator().manual_seed(0)).double() * 7 + 3
    mask = torch.arange(10) < torch.arange(1, 17).clamp(max=10).unsqueeze(1)
    kept = masked.whiten(values, mask)[mask].numpy()
    assert abs(kept.mean()) < 1e-12
    assert abs(kept.var() - 1) < 1e-8


@given(token_lists)
def test_moments_merged_over_parts_are_the_moments_of_all(rows):
    merged = Moments.of(torch.zeros(0, dtype=torch.float64))
    for row in rows:
        merged = merged.merge(Moments.of(torch.tensor(row, dtype=torch.float64)))
    flat = np.array([x for row in rows for x in row])
    expected = (len(flat), flat.mean(), flat.var()) if len(flat) else (0, 0, 0)
    actual = [merged.count.item(), merged.mean.item(), merged.variance.item()]
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9)
