"""Where the score stands, and how scores are shaped."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from humanalign.objectives import Moments, reward

lengths = st.lists(st.integers(0, 9), min_size=1, max_size=12)


@given(lengths)
def test_the_score_stands_exactly_on_the_last_real_token(counts):
    mask = torch.arange(9) < torch.tensor(counts).unsqueeze(1)
    expected = np.zeros((len(counts), 9))
    for row, count in enumerate(counts):
        if count:
            expected[row, count - 1] = row + 1
    scores = torch.arange(1, len(counts) + 1, dtype=torch.float64)
    assert reward.at_last_token(scores, mask).tolist() == expected.tolist()


@given(lengths, st.integers(0, 5))
def test_padding_does_not_change_token_rewards(counts, padding):
    generator = torch.Generator().manual_seed(0)
    kl = torch.randn(len(counts), 9 + padding, generator=generator)
    scores = torch.randn(len(counts), generator=generator)
    mask = torch.arange(9 + padding) < torch.tensor(counts).unsqueeze(1)
    wide = reward.token_rewards(scores, kl, mask)
    assert wide[:, :9].equal(reward.token_rewards(scores, kl[:, :9], mask[:, :9]))
    assert wide[:, 9:].equal(torch.zeros(len(counts), padding))


def test_a_batch_of_empty_answers_has_no_rewards_and_no_crash():
    empty = torch.zeros(3, 0)
    assert reward.token_rewards(torch.ones(3), empty, empty.bool()).shape == (3, 0)


def test_scores_of_unfinished_answers_keep_their_order_when_charged():
    scores = torch.tensor([0.1, 0.7, 0.4])
    charged = reward.eos_penalty(scores, torch.zeros(3, dtype=torch.bool), penalty=2.0)
    assert charged.argsort().tolist() == [0, 2, 1]


def test_an_unknown_way_to_charge_is_an_error():
    with pytest.raises(ValueError, match="expected 'subtract' or 'replace', got 'halve'"):
        reward.eos_penalty(torch.ones(1), torch.ones(1, dtype=torch.bool), mode="halve")


def test_scores_standardised_by_their_own_moments_have_mean_0_and_std_1():
    scores = torch.randn(500, generator=torch.Generator().manual_seed(3)).double() * 4 - 9
    standard = reward.standardise(scores, Moments.of(scores)).numpy()
    assert abs(standard.mean()) < 1e-12
    assert abs(standard.std() - 1) < 1e-12


def test_a_clip_limit_of_zero_is_an_error():
    with pytest.raises(ValueError, match="limit: expected a number above 0, got 0"):
        reward.clip(torch.ones(1), limit=0)
