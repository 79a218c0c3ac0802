"""Estimators against exact expectations, and the controller."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from golden import CLOSE, EXACT
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import rel_entr, softmax

from humanalign.objectives import KlController, kl

logit_lists = st.lists(st.floats(-4, 4), min_size=5, max_size=5)
logprob = st.floats(-30, 0)


def enumerated(estimator, policy: list[float], reference: list[float]) -> float:
    """The exact expectation of an estimator over a five-token vocabulary."""
    p, q = softmax(policy), softmax(reference)
    per_token = estimator(torch.tensor(np.log(p)), torch.tensor(np.log(q)))
    return float(np.sum(p * per_token.numpy()))


@pytest.mark.parametrize("estimator", [kl.k1, kl.k3])
@given(policy=logit_lists, reference=logit_lists)
def test_the_expectation_of_k1_and_k3_is_the_full_divergence(estimator, policy, reference):
    exact = rel_entr(softmax(policy), softmax(reference)).sum()
    np.testing.assert_allclose(enumerated(estimator, policy, reference), exact, atol=1e-10)


@given(logit_lists, logit_lists)
def test_full_is_the_relative_entropy_of_scipy(policy, reference):
    exact = rel_entr(softmax(policy), softmax(reference)).sum()
    rows = torch.tensor([[policy], [reference]], dtype=torch.float64)
    full = kl.full(rows[0], rows[1])
    np.testing.assert_allclose(full.numpy(), [exact], atol=1e-10)


@given(logprob, logprob)
def test_k3_is_never_negative(new, ref):
    both = torch.tensor([new, ref], dtype=torch.float64)
    assert kl.k3(both[0], both[1]) >= 0


@pytest.mark.parametrize("chunk", [1, 4, 6, 1000])
def test_chunks_change_neither_the_divergence_nor_its_gradient(chunk):
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(2, 3, 11, generator=generator).double().requires_grad_()
    reference = torch.randn(2, 3, 11, generator=generator).double()
    p, q = logits.softmax(-1), reference.softmax(-1)
    plain = (p * (p / q).log()).sum(-1)
    (expected,) = torch.autograd.grad(plain.sum(), logits, retain_graph=True)
    chunked = kl.full(logits, reference, chunk=chunk)
    (gradient,) = torch.autograd.grad(chunked.sum(), logits)
    torch.testing.assert_close(chunked, plain, **EXACT)
    torch.testing.assert_close(gradient, expected, **EXACT)


def test_a_token_the_policy_cannot_produce_leaves_the_gradient_finite():
    logits = torch.tensor([[0.0, 1.0, -math.inf]], requires_grad=True)
    kl.full(logits, torch.zeros(1, 3)).sum().backward()
    assert logits.grad.isfinite().all()


def test_half_precision_logits_are_summed_in_float32():
    logits = torch.randn(4, 50, generator=torch.Generator().manual_seed(2)).bfloat16()
    reference = torch.zeros(4, 50).bfloat16()
    expected = rel_entr(softmax(logits.double().numpy(), -1), 1 / 50).sum(-1)
    actual = kl.full(logits, reference)
    assert actual.dtype == torch.float32
    np.testing.assert_allclose(actual.numpy(), expected, **CLOSE)


def test_the_controller_holds_its_target():
    controller = KlController(0.2, target=6.0, horizon=10_000)
    for _ in range(100):
        controller = controller.update(6.0, 64)
    assert controller.coef == 0.2


def test_the_controller_reaches_by_steps_what_compound_growth_says():
    controller = KlController(0.1, target=3.0, horizon=1_000)
    for _ in range(10):
        controller = controller.update(60.0, 50)
    assert controller.coef == pytest.approx(0.1 * 1.01**10, rel=1e-12)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_the_controller_refuses_a_divergence_that_is_not_finite(value):
    with pytest.raises(ValueError, match="finite number of nats"):
        KlController(target=6.0).update(value, 64)


@pytest.mark.parametrize("wrong", [{"coef": -0.1}, {"target": 0.0}, {"horizon": 0}])
def test_the_controller_refuses_settings_without_meaning(wrong):
    with pytest.raises(ValueError, match="expected coef >= 0"):
        KlController(**wrong)
