"""PPO's formulas against trl 0.11.4's own functions, on the same random padded batches.

The oracle is another implementation of the same papers (Ziegler et al. 2019, Schulman et al.
2017), so nothing expected here comes from our code. What a masked position holds is free.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from humanalign.objectives import advantage, kl, masked, policy, reward
from humanalign.objectives.vocabulary import token_logprobs

CLOSE = {"rtol": 1e-6, "atol": 1e-6}


def same(ours: Tensor, theirs: Tensor, mask: Tensor | None = None) -> None:
    """Equal to 1e-6 (at the real tokens, where there is a mask)."""
    if mask is not None:
        ours, theirs = ours[mask], theirs[mask]
    torch.testing.assert_close(ours, theirs, **CLOSE)


def divergence(ours: dict, estimator: str) -> Tensor:
    if estimator == "full":
        return kl.full(ours["logits"], ours["ref_logits"])
    return getattr(kl, estimator)(ours["logprobs"], ours["ref_logprobs"])


def gae(case) -> tuple[Tensor, Tensor]:
    o = case.ours
    penalised = case.theirs["rewards_k1"]
    return advantage.gae(penalised, o["values"], case.mask, gamma=o["gamma"], lam=o["lam"])


@pytest.mark.parametrize("estimator", ["k1", "k2", "full"])
def test_the_divergence_of_each_token_is_theirs(case, estimator):
    same(divergence(case.ours, estimator), case.theirs[f"kl_{estimator}"], case.mask)


@pytest.mark.parametrize("estimator", ["k1", "k2", "full"])
def test_the_reward_of_each_token_is_theirs(case, estimator):
    o = case.ours
    ours = reward.token_rewards(
        o["scores"], divergence(o, estimator), case.mask, kl_coef=o["kl_coef"]
    )
    same(ours, case.theirs[f"rewards_{estimator}"], case.mask)


def test_the_returns_are_theirs(case):
    same(gae(case)[1], case.theirs["returns"], case.mask)


def test_the_advantages_before_whitening_are_theirs(case):
    same(gae(case)[0], case.theirs["returns"] - case.theirs["values"], case.mask)


def test_whitened_advantages_are_theirs_but_for_the_known_factor(case):
    # They divide the variance by n - 1, we by n: ours are larger by sqrt(n / (n - 1)).
    n = int(case.mask.sum())
    ours = masked.whiten(gae(case)[0], case.mask) * ((n - 1) / n) ** 0.5
    same(ours, case.theirs["whitened_advantages"], case.mask)


def test_whitened_values_are_theirs_but_for_the_known_factor(case):
    n = int(case.mask.sum())
    ours = masked.whiten(case.ours["values"], case.mask) * ((n - 1) / n) ** 0.5
    same(ours, case.theirs["whitened_values"], case.mask)


def test_means_over_real_tokens_are_theirs(case):
    same(masked.mean(case.ours["values"], case.mask), case.theirs["mean"])
    same(masked.mean(case.ours["values"], case.mask, dim=1), case.theirs["row_means"])


def test_the_population_variance_is_theirs(case):
    same(masked.var(case.ours["values"], case.mask), case.theirs["variance"])


def per_token_losses(case, logits: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    o = case.ours
    new = token_logprobs(logits, o["ids"])
    surrogate = policy.clipped_surrogate(
        new, o["logprobs"], o["given_advantages"], clip_range=o["clip"]
    )
    squared = policy.clipped_value_loss(
        values, o["values"], o["given_returns"], clip_range=o["value_clip"]
    )
    return surrogate, squared


def global_mean(per_token: Tensor, mask: Tensor) -> Tensor:
    return masked.reduce(per_token, mask, count=float(mask.sum()))


def test_the_policy_loss_is_theirs(case):
    surrogate, _ = per_token_losses(case, case.ours["new_logits"], case.ours["new_values"])
    same(global_mean(surrogate, case.mask), case.theirs["policy_loss"])


def test_the_value_loss_is_theirs(case):
    _, squared = per_token_losses(case, case.ours["new_logits"], case.ours["new_values"])
    same(global_mean(squared, case.mask), case.theirs["value_loss"])


def test_the_gradients_of_the_loss_are_theirs(case):
    logits = case.ours["new_logits"].clone().requires_grad_()
    values = case.ours["new_values"].clone().requires_grad_()
    surrogate, squared = per_token_losses(case, logits, values)
    global_mean(surrogate + squared, case.mask).backward()
    same(logits.grad, case.theirs["logits_gradient"])
    same(values.grad, case.theirs["values_gradient"])


def test_the_entropy_of_each_token_is_theirs(case):
    same(policy.entropy(case.ours["new_logits"]), case.theirs["entropies"], case.mask)


def test_the_mean_entropy_is_theirs(case):
    ours = masked.mean(policy.entropy(case.ours["new_logits"]), case.mask)
    same(ours, case.theirs["entropy"])


def test_the_clipped_share_is_theirs(case):
    o = case.ours
    new = token_logprobs(o["new_logits"], o["ids"])
    clipped = policy.clipped(new, o["logprobs"], o["given_advantages"], clip_range=o["clip"])
    share = masked.mean(clipped, case.mask)
    assert share > 0  # otherwise the clip was never compared
    same(share.float(), case.theirs["clip_fraction"].float())


def test_the_distance_from_the_sampling_policy_is_theirs(case):
    new = token_logprobs(case.ours["new_logits"], case.ours["ids"])
    ours = masked.mean(policy.approx_kl(new, case.ours["logprobs"]), case.mask)
    same(ours, case.theirs["policy_kl"])


def test_the_adaptive_coefficient_goes_the_way_theirs_goes(case):
    controller = kl.KlController(case.ours["kl_coef"], target=6.0, horizon=10_000)
    seen = []
    for nats in case.ours["kl_history"]:
        controller = controller.update(nats, 64)
        seen.append(controller.coef)
    same(torch.tensor(seen, dtype=torch.float64), case.theirs["coefficients"])
