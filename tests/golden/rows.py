"""What every public objective must return, worked out by hand or in plain float64 Python.

A row calls one function of a package that is passed in, so that the same rows can judge a damaged
copy of the objectives. `nan` stands where a masked value must not matter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, inf, log, nan, sqrt
from types import ModuleType

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Row:
    """`function` is "module.name"; `call` returns a tensor that must equal `expected`."""

    function: str
    case: str
    call: Callable[[ModuleType], Tensor]
    expected: object

    def error(self, package: ModuleType) -> float:
        """The largest absolute difference from the expected values; inf for another shape."""
        actual = self.call(package).detach().double().numpy()
        wanted = np.asarray(self.expected, dtype=np.float64)
        if actual.shape != wanted.shape:
            return inf
        off = np.abs(actual - wanted)
        return float(np.where(np.isnan(off), inf, off).max())


def t(*values: object) -> Tensor:
    """A float64 tensor of the arguments."""
    return torch.tensor(values, dtype=torch.float64)


def b(*values: object) -> Tensor:
    """A mask of the arguments."""
    return torch.tensor(values, dtype=torch.bool)


def logs(*rows: list[float]) -> Tensor:
    """Logits whose softmax are these rows of probabilities."""
    return t(*rows).log()


MASK = b([1, 1, 0], [1, 1, 1], [0, 0, 0], [1, 0, 0])
HALVES, SKEWED, CERTAIN = [0.5, 0.25, 0.25], [0.25, 0.25, 0.5], [0.5, 0.5, 0.0]

MASKED = [
    Row("masked.total", "everything", lambda o: o.masked.total(t(1, nan, 4), b(1, 0, 1)), 5),
    Row(
        "masked.total",
        "rows",
        lambda o: o.masked.total(t([1, 2], [3, nan]), b([1, 1], [1, 0]), 1),
        [3, 3],
    ),
    Row("masked.mean", "everything", lambda o: o.masked.mean(t(1, nan, 4), b(1, 0, 1)), 2.5),
    Row(
        "masked.mean",
        "rows, one of them empty",
        lambda o: o.masked.mean(t([1, 2], [nan, nan]), b([1, 1], [0, 0]), 1),
        [1.5, 0],
    ),
    Row("masked.var", "population", lambda o: o.masked.var(t(1, 3, nan, 8), b(1, 1, 0, 1)), 26 / 3),
    Row(
        "masked.whiten",
        "two tokens",
        lambda o: o.masked.whiten(t(1, 5, nan), b(1, 1, 0)),
        [-2 / sqrt(4 + 1e-8), 2 / sqrt(4 + 1e-8), 0],
    ),
    Row("masked.whiten", "one token", lambda o: o.masked.whiten(t(7, 99), b(1, 0)), [0, 0]),
    Row(
        "masked.whiten",
        "moments of the global batch",
        lambda o: o.masked.whiten(
            t(7, 9), b(1, 1), moments=o.Moments(t(8).sum(), t(5).sum(), t(4).sum()), eps=0.0
        ),
        [1, 2],
    ),
    Row(
        "masked.reduce",
        "weights and a global count",
        lambda o: o.masked.reduce(t(1, nan, 3), t(0.5, 0, 2), count=4),
        6.5 / 4,
    ),
    Row(
        "masked.reduce",
        "a row weight over tokens",
        lambda o: o.masked.reduce(t([1, 2], [3, 4]), t([1], [2]), count=2),
        8.5,
    ),
    Row("masked.Moments", "merge of 1 2 3 and 10", lambda o: _merged(o, t(1, 2, 3)), [4, 4, 12.5]),
    Row("masked.Moments", "merge of none and 10", lambda o: _merged(o, t()), [1, 10, 0]),
]


def _merged(o: ModuleType, first: Tensor) -> Tensor:
    m = o.Moments.of(first).merge(o.Moments.of(t(10)))
    return torch.stack((m.count, m.mean, m.variance))


KL = [
    Row("kl.k1", "both signs", lambda o: o.kl.k1(t(-1, -3), t(-2.5, -1)), [1.5, -2]),
    Row("kl.k2", "both signs", lambda o: o.kl.k2(t(-1, -3), t(-2.5, -1)), [1.125, 2]),
    Row(
        "kl.k3",
        "both signs",
        lambda o: o.kl.k3(t(-1, -3), t(-2.5, -1)),
        [exp(-1.5) - 1 + 1.5, exp(2) - 1 - 2],
    ),
    Row("kl.k3", "the log-ratio stops at -20", lambda o: o.kl.k3(t(0), t(-90)), [exp(-20) + 19]),
    Row(
        "kl.full",
        "two positions, one with an impossible token",
        lambda o: o.kl.full(logs(HALVES, CERTAIN), logs(SKEWED, SKEWED), chunk=1),
        [0.25 * log(2), log(2)],
    ),
    Row(
        "kl.KlController",
        "clipped above, within, clipped below, fixed",
        lambda o: t(
            o.KlController(0.2, target=6.0, horizon=10_000).update(12.0, 500).coef,
            o.KlController(0.2, target=6.0, horizon=10_000).update(5.4, 500).coef,
            o.KlController(0.2, target=6.0, horizon=10_000).update(-1.0, 500).coef,
            o.KlController(0.2).update(12.0, 500).coef,
        ),
        [0.202, 0.199, 0.198, 0.2],
    ),
    Row(
        "vocabulary.log_softmax",
        "unnormalised logits",
        lambda o: o.vocabulary.log_softmax(t([0, log(3)])),
        [[-log(4), log(3) - log(4)]],
    ),
    Row(
        "vocabulary.token_logprobs",
        "two rows of two tokens, one token a chunk",
        lambda o: o.vocabulary.token_logprobs(
            logs([HALVES, SKEWED], [SKEWED, HALVES]), torch.tensor([[0, 0], [2, 1]]), chunk=1
        ),
        [[log(0.5), log(0.25)], [log(0.5), log(0.25)]],
    ),
    Row(
        "vocabulary.chunked",
        "a chunk that does not divide the tokens",
        lambda o: o.vocabulary.chunked(lambda x: x.sum(-1), (t([1, 2], [3, 4], [5, 6]),), chunk=2),
        [3, 7, 11],
    ),
]

REWARD = [
    Row(
        "reward.last_token",
        "short, full, empty, single",
        lambda o: o.reward.last_token(MASK),
        [[0, 1, 0], [0, 0, 1], [0, 0, 0], [1, 0, 0]],
    ),
    Row("reward.last_token", "a hole", lambda o: o.reward.last_token(b([1, 0, 1])), [[0, 0, 1]]),
    Row(
        "reward.at_last_token",
        "short, full, empty, single",
        lambda o: o.reward.at_last_token(t(2, -1, 5, 0.5), MASK),
        [[0, 2, 0], [0, 0, -1], [0, 0, 0], [0.5, 0, 0]],
    ),
    Row(
        "reward.token_rewards",
        "short, full, empty, single",
        lambda o: o.reward.token_rewards(
            t(2, -1, 5, 0.5),
            t([1, 2, nan], [-1, 0, 4], [nan, nan, nan], [3, nan, nan]),
            MASK,
            kl_coef=0.1,
        ),
        [[-0.1, 1.8, 0], [0.1, 0, -1.4], [0, 0, 0], [0.2, 0, 0]],
    ),
    Row(
        "reward.eos_penalty",
        "subtract",
        lambda o: o.reward.eos_penalty(t(2, 3), b(1, 0), penalty=1.5),
        [2, 1.5],
    ),
    Row(
        "reward.eos_penalty",
        "replace",
        lambda o: o.reward.eos_penalty(t(2, 3), b(1, 0), mode="replace"),
        [2, -1],
    ),
    Row(
        "reward.standardise",
        "mean 2, variance 4",
        lambda o: o.reward.standardise(t(1, 6), o.Moments(t(9).sum(), t(2).sum(), t(4).sum())),
        [-0.5, 2],
    ),
    Row(
        "reward.standardise",
        "a reward that never varied",
        lambda o: o.reward.standardise(t(1, 6), o.Moments(t(9).sum(), t(2).sum(), t(0).sum())),
        [-1, 4],
    ),
    Row("reward.clip", "both ends", lambda o: o.reward.clip(t(-4, 1, 9), limit=3), [-3, 1, 3]),
]

# delta = (1 + .5*2 - 4, 2 + .5*1 - 2, 3 - 1) = (-2, .5, 2); gamma lam = .25; the second row ends
# after one token, whose delta is 0 - .5.
GAE_CALL = (
    t([1, 2, 3, nan], [0, nan, nan, nan]),
    t([4, 2, 1, nan], [0.5, nan, nan, nan]),
    b([1, 1, 1, 0], [1, 0, 0, 0]),
)
ADVANTAGE = [
    Row(
        "advantage.gae",
        "advantages then returns",
        lambda o: torch.stack(o.advantage.gae(*GAE_CALL, gamma=0.5, lam=0.5)),
        [[[-1.75, 1, 2, 0], [-0.5, 0, 0, 0]], [[2.25, 3, 3, 0], [0, 0, 0, 0]]],
    ),
    Row(
        "advantage.gae",
        "our defaults, gamma 1 and lambda .95",
        lambda o: o.advantage.gae(t([0, 2]), t([1, 3]), b([1, 1]))[0],
        [[2 + 0.95 * -1, -1]],
    ),
    Row(
        "advantage.discounted_returns",
        "gamma one half",
        lambda o: o.advantage.discounted_returns(t([1, 2, 4, nan]), b([1, 1, 1, 0]), gamma=0.5),
        [[3, 4, 4, 0]],
    ),
    Row(
        "advantage.rloo",
        "two groups of three",
        lambda o: o.advantage.rloo(t(1, 2, 6, 0, 0, 3), 3),
        [-3, -1.5, 4.5, -1.5, -1.5, 3],
    ),
    Row(
        "advantage.grpo",
        "divided by the group's std, and a group of equals",
        lambda o: o.advantage.grpo(t(1, 3, 5, 5), 2),
        [-1 / (sqrt(2) + 1e-4), 1 / (sqrt(2) + 1e-4), 0, 0],
    ),
    Row(
        "advantage.grpo",
        "not divided",
        lambda o: o.advantage.grpo(t(1, 3, 5, 5), 2, std=False),
        [-1, 1, 0, 0],
    ),
]
