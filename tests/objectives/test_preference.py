"""Properties that the losses over pairs must have."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from golden import EXACT
from hypothesis import given
from hypothesis import strategies as st

from humanalign.objectives import PairLogps, lookup, masked, names, preference

LOSSES = names("preference")
score = st.floats(-30, 30)


def pairs(rows: int = 6, seed: int = 0) -> PairLogps:
    """Random pairs whose policy log-probabilities require gradient."""
    generator = torch.Generator().manual_seed(seed)
    logps = [-20 * torch.rand(rows, generator=generator).double() - 1 for _ in range(4)]
    chosen, rejected = logps[0].requires_grad_(), logps[1].requires_grad_()
    lengths = [torch.randint(5, 20, (rows,), generator=generator) for _ in range(2)]
    return PairLogps(chosen, rejected, logps[2], logps[3], *lengths)


# The target of ipo is a finite gap, which a pair may overshoot: its own test is below.
@pytest.mark.parametrize("name", [name for name in LOSSES if name != "ipo"])
def test_no_pair_wants_a_less_likely_chosen_answer_or_a_likelier_rejected_one(name):
    batch = pairs()
    loss = lookup("preference", name)(batch).sum()
    chosen, rejected = torch.autograd.grad(loss, (batch.chosen, batch.rejected))
    assert (chosen <= 0).all()
    assert (rejected >= 0).all()


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_reads_one_pair_at_a_time(name):
    batch = pairs(64)
    loss = lookup("preference", name)
    whole = masked.reduce(loss(batch), torch.ones(64, dtype=torch.bool), count=64)
    parts = [
        masked.reduce(
            loss(batch.select(slice(i, i + 8))), torch.ones(8, dtype=torch.bool), count=64
        )
        for i in range(0, 64, 8)
    ]
    torch.testing.assert_close(torch.stack(parts).sum(), whole, **EXACT)


@pytest.mark.parametrize("name", LOSSES)
def test_the_order_of_pairs_changes_only_the_order_of_losses(name):
    batch, order = pairs(), torch.tensor([3, 1, 5, 0, 2, 4])
    loss = lookup("preference", name)
    torch.testing.assert_close(loss(batch.select(order)), loss(batch)[order], **EXACT)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_finite_for_certain_and_for_empty_answers(name):
    zero, none = torch.zeros(2).double(), torch.zeros(2, dtype=torch.long)
    batch = PairLogps(zero.clone().requires_grad_(), zero - 500, zero, zero, none, none)
    loss = lookup("preference", name)(batch)
    (gradient,) = torch.autograd.grad(loss.sum(), batch.chosen)
    assert loss.isfinite().all()
    assert gradient.isfinite().all()


def test_the_gradient_of_dpo_is_beta_times_the_doubt():
    batch, beta = pairs(), 0.3
    loss = preference.dpo(batch, beta=beta).sum()
    (gradient,) = torch.autograd.grad(loss, batch.chosen)
    gap = (batch.chosen - batch.ref_chosen - batch.rejected + batch.ref_rejected).detach().numpy()
    np.testing.assert_allclose(gradient.numpy(), -beta / (1 + np.exp(beta * gap)), atol=1e-12)


def test_ipo_stops_at_its_target_gap():
    zero, one = torch.zeros(1).double(), torch.ones(1, dtype=torch.long)
    chosen = (zero + 2.5).requires_grad_()
    loss = preference.ipo(PairLogps(chosen, zero, zero, zero, one, one), beta=0.2)
    loss.sum().backward()
    assert loss.item() == 0.0
    assert chosen.grad.item() == 0.0


@pytest.mark.parametrize("rate", [0.05, 0.2, 0.4])
def test_robust_dpo_undoes_flipped_labels_in_expectation(rate):
    right = pairs()
    wrong = PairLogps(
        right.rejected,
        right.chosen,
        right.ref_rejected,
        right.ref_chosen,
        right.rejected_length,
        right.chosen_length,
    )
    seen = (1 - rate) * preference.robust_dpo(right, label_smoothing=rate)
    seen = seen + rate * preference.robust_dpo(wrong, label_smoothing=rate)
    torch.testing.assert_close(seen, preference.dpo(right), **EXACT)


@given(score, score)
def test_bradley_terry_is_the_logarithm_of_one_plus_exp(chosen, rejected):
    scores = torch.tensor([chosen, rejected], dtype=torch.float64)
    loss = preference.bradley_terry(scores[0], scores[1])
    expected = math.log1p(math.exp(rejected - chosen))
    np.testing.assert_allclose(loss.item(), expected, rtol=1e-9, atol=1e-15)


@given(score, score, st.floats(0, 3), st.floats(0, 1))
def test_exchanging_the_answers_and_the_label_changes_nothing(first, second, margin, target):
    a, b = torch.tensor([[first], [second]], dtype=torch.float64)
    there = preference.bradley_terry(a, b, margin, target)
    back = preference.bradley_terry(b, a, margin, 1 - target)
    torch.testing.assert_close(there, back, rtol=0, atol=1e-10)


def test_a_tie_pulls_two_scores_together():
    chosen = torch.tensor([2.0, -1.0, 0.0], requires_grad=True)
    preference.bradley_terry(chosen, torch.zeros(3), 0.0, 0.5).sum().backward()
    assert chosen.grad.sign().tolist() == [1.0, -1.0, 0.0]


def test_a_margin_is_the_gap_at_which_the_loss_is_that_of_equal_scores():
    loss = preference.bradley_terry(torch.tensor([3.0]), torch.tensor([1.0]), torch.tensor([2.0]))
    assert loss.item() == pytest.approx(math.log(2), rel=1e-6)
