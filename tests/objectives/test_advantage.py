"""Advantages against naive sums and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from golden import EXACT
from hypothesis import given
from hypothesis import strategies as st

from humanalign.objectives import advantage

unit = st.floats(0, 1)
shapes = st.tuples(st.integers(1, 5), st.integers(1, 9), st.integers(0, 2**31 - 1))


def naive_gae(rewards, values, gamma, lam):
    """The double sum of the paper for one unpadded row, O(T^2)."""
    following = np.append(values[1:], 0.0)
    delta = rewards + gamma * following - values
    steps = len(rewards)
    return [sum((gamma * lam) ** (k - t) * delta[k] for k in range(t, steps)) for t in range(steps)]


@given(shapes, unit, unit)
def test_gae_is_the_discounted_sum_of_temporal_differences(shape, gamma, lam):
    rows, steps, seed = shape
    generator = np.random.default_rng(seed)
    rewards, values = generator.normal(size=(2, rows, steps))
    counts = generator.integers(0, steps + 1, size=rows)
    mask = np.arange(steps) < counts[:, None]
    advantages, returns = advantage.gae(
        *map(torch.tensor, (rewards, values, mask)), gamma=gamma, lam=lam
    )
    expected = np.zeros((rows, steps))
    for row, count in enumerate(counts):
        expected[row, :count] = naive_gae(rewards[row, :count], values[row, :count], gamma, lam)
    np.testing.assert_allclose(advantages.numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(returns.numpy(), np.where(mask, expected + values, 0), atol=1e-12)


def test_gae_with_lambda_1_telescopes_to_the_return_minus_the_value():
    rewards = torch.tensor([[1.0, -2.0, 5.0]]).double()
    values = torch.tensor([[0.3, 0.7, -0.2]]).double()
    advantages, returns = advantage.gae(rewards, values, torch.ones(1, 3).bool(), lam=1.0)
    torch.testing.assert_close(returns, torch.tensor([[4.0, 3.0, 5.0]]).double(), **EXACT)
    torch.testing.assert_close(advantages, returns - values, **EXACT)


def test_a_hole_in_the_mask_is_stepped_over():
    mask = torch.tensor([[True, False, True]])
    rewards = torch.tensor([[1.0, 99.0, 2.0]]).double()
    values = torch.tensor([[0.5, 99.0, 1.5]]).double()
    advantages, _ = advantage.gae(rewards, values, mask, gamma=0.5, lam=0.5)
    a, c = naive_gae(np.array([1.0, 2.0]), np.array([0.5, 1.5]), 0.5, 0.5)
    torch.testing.assert_close(advantages, torch.tensor([[a, 0.0, c]]).double(), **EXACT)


def test_a_batch_of_empty_answers_has_no_advantages_and_no_crash():
    empty = torch.zeros(3, 0)
    advantages, returns = advantage.gae(empty, empty, empty.bool())
    assert advantages.shape == returns.shape == (3, 0)


def test_the_inputs_of_gae_are_left_as_they_were():
    rewards, values = torch.ones(2, 3), torch.full((2, 3), 2.0)
    advantage.gae(rewards, values, torch.ones(2, 3).bool())
    assert rewards.tolist() == [[1.0] * 3] * 2
    assert values.tolist() == [[2.0] * 3] * 2


@pytest.mark.parametrize("function", [advantage.rloo, advantage.grpo])
@given(st.integers(1, 5), st.integers(2, 6), st.integers(0, 2**31 - 1))
def test_advantages_of_a_group_sum_to_zero(function, groups, size, seed):
    scores = torch.tensor(np.random.default_rng(seed).normal(size=groups * size))
    sums = function(scores, size).reshape(groups, size).sum(1)
    np.testing.assert_allclose(sums.numpy(), np.zeros(groups), atol=1e-10)


@given(st.integers(2, 8), st.integers(0, 2**31 - 1))
def test_rloo_is_the_centred_score_stretched_by_n_over_n_minus_1(size, seed):
    scores = np.random.default_rng(seed).normal(size=size)
    expected = (scores - scores.mean()) * size / (size - 1)
    actual = advantage.rloo(torch.tensor(scores), size).numpy()
    np.testing.assert_allclose(actual, expected, atol=1e-12)


@pytest.mark.parametrize(("rows", "size"), [(6, 1), (6, 4), (6, 0)])
def test_scores_that_do_not_split_into_groups_are_an_error(rows, size):
    with pytest.raises(ValueError, match=f"divisor of the {rows} scores, got {size}"):
        advantage.rloo(torch.zeros(rows), size)
