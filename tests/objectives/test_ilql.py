"""Implicit language Q-learning: expectiles, terminal states, masks, where gradients go."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from golden import EXACT
from scipy.stats import expectile as scipy_expectile

from humanalign.objectives import IlqlOutputs, ilql


def outputs(seed: int = 0, width: int = 5) -> IlqlOutputs:
    """Random outputs [3, width, 6]; every tensor requires gradient."""
    generator = torch.Generator().manual_seed(seed)
    heads = [torch.randn(3, width, 6, generator=generator).double() for _ in range(5)]
    value = torch.randn(3, width, generator=generator).double()
    return IlqlOutputs(*[x.requires_grad_() for x in (*heads, value)])


ACTIONS = torch.tensor([[1, 0, 5, 2, 3], [4, 4, 0, 0, 0], [2, 0, 0, 0, 0]])
MASK = torch.arange(5) < torch.tensor([[5], [2], [0]])
REWARDS = torch.linspace(-1, 2, 15).reshape(3, 5).double()


@pytest.mark.parametrize("tau", [0.1, 0.5, 0.7, 0.9])
def test_the_minimum_of_the_expectile_loss_is_the_expectile(tau):
    targets = np.random.default_rng(0).normal(size=40)
    value = torch.tensor(scipy_expectile(targets, alpha=tau)).requires_grad_()
    ilql.expectile(value.expand(40), torch.tensor(targets), tau=tau).sum().backward()
    assert abs(value.grad.item()) < 1e-6


def test_the_target_after_the_last_real_token_is_the_reward_alone():
    targets = ilql.td_targets(REWARDS, outputs().v, MASK)
    assert targets[0, 4] == REWARDS[0, 4]
    assert targets[1, 1] == REWARDS[1, 1]


def test_padding_does_not_change_a_term():
    given = outputs()
    noise = outputs(seed=9)
    keep = MASK.unsqueeze(-1)
    swapped = {
        name: torch.where(keep, getattr(given, name), getattr(noise, name))
        for name in ("logits", "q1", "q2", "target_q1", "target_q2")
    }
    other = replace(given, **swapped, v=torch.where(MASK, given.v, noise.v))
    for name in ("q", "v", "cql", "awac", "loss"):
        first = getattr(ilql.ilql(given, ACTIONS, REWARDS, MASK), name)
        second = getattr(ilql.ilql(other, ACTIONS, REWARDS, MASK), name)
        torch.testing.assert_close(first, second, **EXACT)
        assert first[2].tolist() == [0.0] * 5


def test_each_term_trains_its_own_head_and_never_the_targets():
    given = outputs()
    names = ("logits", "q1", "q2", "target_q1", "target_q2", "v")
    trained = {}
    terms = ilql.ilql(given, ACTIONS, REWARDS, MASK, beta=0.5)
    for term in ("q", "v", "cql", "awac"):
        gradients = torch.autograd.grad(
            getattr(terms, term).sum(),
            [getattr(given, n) for n in names],
            allow_unused=True,
            retain_graph=True,
        )
        moved = zip(names, gradients, strict=True)
        trained[term] = {n for n, g in moved if g is not None and g.any()}
    assert trained == {"q": {"q1", "q2"}, "v": {"v"}, "cql": {"q1", "q2"}, "awac": {"logits"}}


def test_without_beta_the_imitation_term_is_the_negative_log_likelihood():
    given = outputs()
    awac = ilql.ilql(given, ACTIONS, REWARDS, MASK).awac
    nll = torch.nn.functional.cross_entropy(given.logits.transpose(1, 2), ACTIONS, reduction="none")
    torch.testing.assert_close(awac, nll * MASK, **EXACT)


def test_a_huge_advantage_leaves_the_imitation_weight_finite():
    given = outputs()
    far = replace(given, target_q1=given.target_q1 + 1e6, target_q2=given.target_q2 + 1e6)
    assert ilql.ilql(far, ACTIONS, REWARDS, MASK, beta=10.0).awac.isfinite().all()


def test_steering_by_beta_0_leaves_the_logits_alone():
    given = outputs()
    steered = ilql.steer(given.logits, given.q1, given.q2, given.v, beta=0.0)
    torch.testing.assert_close(steered, given.logits, **EXACT)


def test_steering_moves_probability_to_the_token_of_the_higher_value():
    logits, q = torch.zeros(1, 3), torch.tensor([[0.0, 2.0, 1.0]])
    steered = ilql.steer(logits, q, q, torch.tensor([1.0]), beta=1.0).softmax(-1)
    expected = np.exp([0, 2, 1]) / np.exp([0, 2, 1]).sum()
    np.testing.assert_allclose(steered[0].numpy(), expected, rtol=1e-6)
