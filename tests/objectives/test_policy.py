"""Gradients of the policy and value losses against analytic ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from golden import EXACT
from scipy.stats import entropy as scipy_entropy

from humanalign.objectives import policy


def sampled(seed: int = 0):
    """Logits [3, 4, 7] that require gradient, sampled tokens [3, 4] and advantages [3, 4]."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, 4, 7, generator=generator).double().requires_grad_()
    tokens = torch.randint(0, 7, (3, 4), generator=generator)
    return logits, tokens, torch.randn(3, 4, generator=generator).double()


@pytest.mark.parametrize("loss", [policy.clipped_surrogate, policy.reinforce])
def test_at_ratio_1_the_gradient_is_the_policy_gradient(loss):
    logits, tokens, advantages = sampled()
    new = logits.log_softmax(-1).gather(-1, tokens.unsqueeze(-1)).squeeze(-1)
    loss(new, new.detach(), advantages).sum().backward()
    # d(-A log softmax(z)_a) / dz = A (softmax(z) - onehot(a))
    probabilities = logits.detach().softmax(-1).numpy()
    onehot = np.eye(7)[tokens.numpy()]
    expected = advantages.numpy()[..., None] * (probabilities - onehot)
    np.testing.assert_allclose(logits.grad.numpy(), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("ratio", "gain", "expected"),
    [(1.5, 1.0, 0.0), (1.5, -1.0, 1.5), (0.5, 1.0, -0.5), (0.5, -1.0, 0.0), (1.1, 2.0, -2.2)],
)
def test_the_surrogate_passes_gradient_only_where_the_clip_does_not_bind(ratio, gain, expected):
    new = torch.tensor([[ratio]]).double().log().requires_grad_()
    old, gains = torch.zeros(1, 1).double(), torch.tensor([[gain]]).double()
    policy.clipped_surrogate(new, old, gains).sum().backward()
    np.testing.assert_allclose(new.grad.item(), expected, atol=1e-7)
    assert policy.clipped(new, old, gains).item() == float(expected == 0.0)


def test_the_dual_clip_stops_the_gradient_of_a_bad_token_gone_far():
    new = torch.tensor([[5.0]]).log().requires_grad_()
    policy.clipped_surrogate(
        new, torch.zeros(1, 1), torch.tensor([[-1.0]]), dual_clip=3.0
    ).sum().backward()
    assert new.grad.item() == 0.0


def test_a_huge_log_ratio_stays_finite():
    new = torch.tensor([[1e4, -1e4]], requires_grad=True)
    loss = policy.clipped_surrogate(new, torch.zeros(1, 2), -torch.ones(1, 2))
    loss.sum().backward()
    assert loss.isfinite().all()
    assert new.grad.isfinite().all()


def test_reinforce_treats_its_weight_as_a_constant():
    new = torch.tensor([[1.2]]).double().log().requires_grad_()
    policy.reinforce(new, torch.zeros(1, 1).double(), torch.tensor([[2.0]])).sum().backward()
    np.testing.assert_allclose(new.grad.item(), -2.4, atol=1e-7)


@pytest.mark.parametrize(
    ("value", "old", "target", "gradient"),
    [(2.0, 1.0, 1.0, 1.0), (2.0, 1.0, 3.0, 0.0), (1.1, 1.0, 0.0, 1.1)],
)
def test_the_value_gradient_is_the_error_or_nothing_when_the_clip_rules(
    value, old, target, gradient
):
    values = torch.tensor([[value]]).double().requires_grad_()
    policy.clipped_value_loss(
        values, torch.tensor([[old]]).double(), torch.tensor([[target]]).double()
    ).sum().backward()
    np.testing.assert_allclose(values.grad.item(), gradient, atol=1e-7)


def test_the_entropy_is_that_of_scipy_in_any_chunk():
    logits = torch.randn(3, 4, 9, generator=torch.Generator().manual_seed(5)).double()
    expected = scipy_entropy(logits.softmax(-1).numpy(), axis=-1)
    for chunk in (1, 5, 100):
        actual = policy.entropy(logits, chunk=chunk)
        torch.testing.assert_close(actual, torch.tensor(expected), **EXACT)


def test_an_impossible_token_leaves_the_gradient_of_the_entropy_finite():
    logits = torch.tensor([[0.0, 1.0, float("-inf")]], requires_grad=True)
    policy.entropy(logits).sum().backward()
    assert logits.grad.isfinite().all()


def test_a_chunk_of_no_tokens_is_an_error():
    with pytest.raises(ValueError, match="chunk: expected at least 1 token, got 0"):
        policy.entropy(torch.zeros(2, 3), chunk=0)
