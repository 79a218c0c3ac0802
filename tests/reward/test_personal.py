"""A person's own head: found when their taste differs, held back when it does not, deletable."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit

from humanalign.errors import DataError
from humanalign.reward.personal import FILE, PersonalReward, fit_personal, forget
from humanalign.types import PreferencePair

WIDTH = 6


class Numbers:
    """A pooled reward over answers that spell out their features; the pool likes the first."""

    def features(self, prompts, completions):
        assert len(prompts) == len(completions)
        return torch.tensor([[float(x) for x in each.split()] for each in completions])

    def score(self, prompts, completions):
        return self.features(prompts, completions)[:, 0].mul(2).tolist()


def judged(taste: np.ndarray, pairs: int, seed: int) -> list[PreferencePair]:
    """Pairs as a person of this taste would choose, by the Bradley-Terry model."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(pairs):
        a, b = rng.normal(size=(2, WIDTH)).round(3)
        if rng.random() > expit((a - b) @ taste):
            a, b = b, a
        words = [" ".join(map(str, each)) for each in (a, b)]
        rows.append(PreferencePair(f"prompt {number}", *words))
    return rows


def accuracy(reward, pairs) -> float:
    prompts = [p.prompt for p in pairs]
    high = reward.score(prompts, [p.chosen for p in pairs])
    low = reward.score(prompts, [p.rejected for p in pairs])
    return float(np.mean(np.array(high) > np.array(low)))


POOL = np.array([2.0, 0, 0, 0, 0, 0])
OWN = np.array([0.0, 3.0, 0, 0, 0, 0])


def test_a_taste_of_ones_own_is_found_and_its_gain_shown():
    reward = fit_personal(Numbers(), judged(OWN, 120, 0), "ann")
    fresh = judged(OWN, 2000, 1)
    gained = accuracy(reward, fresh) - accuracy(Numbers(), fresh)
    assert gained > 0.2
    assert reward.gain.ci_low < gained < reward.gain.ci_high
    assert reward.gain.ci_low > 0


def test_who_judges_like_everybody_keeps_the_pooled_reward():
    lost = []
    for seed in range(10):
        reward = fit_personal(Numbers(), judged(POOL, 25, seed), "bob")
        fresh = judged(POOL, 1000, 100 + seed)
        lost.append(accuracy(Numbers(), fresh) - accuracy(reward, fresh))
    assert np.mean(lost) < 0.02


def test_more_comparisons_let_the_head_move_further():
    few, many = (fit_personal(Numbers(), judged(OWN, n, 3), "ann") for n in (20, 400))
    assert np.linalg.norm(few.weights - (OWN - POOL)) > np.linalg.norm(many.weights - (OWN - POOL))


def test_the_head_is_the_least_of_its_objective():
    pairs = judged(OWN, 60, 5)
    reward = fit_personal(Numbers(), pairs, "ann")
    prompts = [p.prompt for p in pairs]
    step = (
        Numbers().features(prompts, [p.chosen for p in pairs])
        - Numbers().features(prompts, [p.rejected for p in pairs])
    ).double()
    w = torch.tensor(reward.weights, dtype=torch.float64, requires_grad=True)
    logits = 2 * step[:, 0] + step @ w
    penalty = reward.shrinkage * (step**2).sum(1).mean()
    loss = torch.nn.functional.softplus(-logits).sum() + penalty * (w @ w) / 2
    (slope,) = torch.autograd.grad(loss, w)
    assert slope.abs().max() < 1e-2


def test_what_was_saved_scores_the_same_and_can_be_forgotten(tmp_path):
    reward = fit_personal(Numbers(), judged(OWN, 40, 7), "ann / ../x")
    file = reward.save(tmp_path)
    assert file.name == FILE
    assert file.parent.parent == tmp_path
    again = PersonalReward.load(Numbers(), tmp_path, "ann / ../x")
    assert again.score(["p"], ["1 2 3 4 5 6"]) == reward.score(["p"], ["1 2 3 4 5 6"])
    assert again.gain == reward.gain
    assert forget(tmp_path, "ann / ../x") is True
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DataError, match="holds nothing of 'ann"):
        PersonalReward.load(Numbers(), tmp_path, "ann / ../x")


def test_nineteen_comparisons_are_too_few():
    with pytest.raises(DataError, match="needs 20 comparisons on 5 prompts or more, got 19 on 19"):
        fit_personal(Numbers(), judged(OWN, 19, 0), "ann")
