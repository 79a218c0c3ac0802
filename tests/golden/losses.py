"""Golden rows of the losses: policy, value, pairs and implicit language Q-learning."""

from __future__ import annotations

from math import exp, log, nan
from types import ModuleType

import torch
from torch import Tensor

from .rows import ADVANTAGE, CERTAIN, HALVES, KL, MASKED, REWARD, Row, b, logs, t

# Ratios .5, 1, 1.5 with a good token (A = 2), then with a bad one (A = -1).
OLD = t(-1, -1, -1, -1, -1, -1)
NEW = OLD + t(0.5, 1, 1.5, 0.5, 1, 1.5).log()
GAINS = t(2, 2, 2, -1, -1, -1)

POLICY = [
    Row(
        "policy.ratio",
        "plain and clamped",
        lambda o: o.policy.ratio(t(0, 9), t(-log(2), -60)),
        [2, exp(20)],
    ),
    Row("policy.ratio", "clamped below", lambda o: o.policy.ratio(t(-60), t(0)), [exp(-20)]),
    Row(
        "policy.clipped_surrogate",
        "each side of each clip",
        lambda o: o.policy.clipped_surrogate(NEW, OLD, GAINS),
        [-1, -2, -2.4, 0.8, 1, 1.5],
    ),
    Row(
        "policy.clipped_surrogate",
        "dual clip",
        lambda o: o.policy.clipped_surrogate(NEW, OLD, GAINS, dual_clip=1.25),
        [-1, -2, -2.4, 0.8, 1, 1.25],
    ),
    Row(
        "policy.clipped_surrogate",
        "a wider clip and one advantage per answer",
        lambda o: o.policy.clipped_surrogate(NEW[None], OLD[None], t([2]), clip_range=0.4),
        [[-1, -2, -2.8, -1, -2, -2.8]],
    ),
    Row(
        "policy.clipped",
        "where no gradient passes",
        lambda o: o.policy.clipped(NEW, OLD, GAINS),
        [0, 0, 1, 1, 0, 0],
    ),
    Row(
        "policy.approx_kl",
        "old minus new",
        lambda o: o.policy.approx_kl(t(-1, -3), t(-2, -2)),
        [-1, 1],
    ),
    Row(
        "policy.reinforce",
        "ratio 3 truncated to 2, ratio one half kept",
        lambda o: o.policy.reinforce(t(log(3) - 2, log(0.5) - 1), t(-2, -1), t(0.5, -1)),
        [-0.5 * 2 * (log(3) - 2), 0.5 * (log(0.5) - 1)],
    ),
    Row(
        "policy.clipped_value_loss",
        "unclipped worse, clipped worse, within the clip",
        lambda o: o.policy.clipped_value_loss(t(2, 2, 1.1), t(1, 1, 1), t(1, 3, 0)),
        [0.5, 1.62, 0.605],
    ),
    Row(
        "policy.clipped_value_loss",
        "no clip",
        lambda o: o.policy.clipped_value_loss(t(2), t(1), t(3), clip_range=None),
        [0.5],
    ),
    Row(
        "policy.entropy",
        "three tokens, two tokens",
        lambda o: o.policy.entropy(logs(HALVES, CERTAIN), chunk=1),
        [1.5 * log(2), log(2)],
    ),
]


def pairs(o: ModuleType) -> object:
    """Three pairs with log-ratios r_w = (1, -.5, 6), r_l = (-.5, 1.25, -2), h = (1.5, -1.75, 8).

    Mean log-probabilities of a token: chosen (-2, -2.5, -2), rejected (-3, -1.5, -4).
    """
    return o.PairLogps(
        chosen=t(-12, -7.5, -20), rejected=t(-15, -6, -32),
        ref_chosen=t(-13, -7, -26), ref_rejected=t(-14.5, -7.25, -30),
        chosen_length=torch.tensor([6, 3, 10]), rejected_length=torch.tensor([5, 4, 8]),
    )  # fmt: skip


def nls(x: float) -> float:
    """-log sigmoid(x), spelled out."""
    return log(1 + exp(-x))


def sig(x: float) -> float:
    """The logistic function, spelled out."""
    return 1 / (1 + exp(-x))


def odds(logp: float) -> float:
    """log(P / (1 - P)) of P = exp(logp)."""
    return log(exp(logp) / (1 - exp(logp)))


H = (1.5, -1.75, 8.0)
PAIRS = [
    Row("preference.implicit_rewards", "chosen, rejected",
        lambda o: torch.stack(o.preference.implicit_rewards(pairs(o))),
        [[1, -0.5, 6], [-0.5, 1.25, -2]]),
    Row("preference.dpo", "beta .3", lambda o: o.preference.dpo(pairs(o), beta=0.3),
        [nls(0.3 * h) for h in H]),
    Row("preference.dpo", "one label in five wrong",
        lambda o: o.preference.dpo(pairs(o), beta=0.3, label_smoothing=0.2),
        [0.8 * nls(0.3 * h) + 0.2 * nls(-0.3 * h) for h in H]),
    Row("preference.robust_dpo", "one label in five wrong",
        lambda o: o.preference.robust_dpo(pairs(o), beta=0.3, label_smoothing=0.2),
        [(0.8 * nls(0.3 * h) - 0.2 * nls(-0.3 * h)) / 0.6 for h in H]),
    Row("preference.ipo", "summed: h - 2", lambda o: o.preference.ipo(pairs(o), beta=0.25),
        [0.25, 14.0625, 36]),
    Row("preference.ipo", "per token: (1/6 + .5/5, -.5/3 - 1.25/4, 6/10 + 2/8) - 2",
        lambda o: o.preference.ipo(pairs(o), beta=0.25, per_token=True),
        [(4 / 15 - 2) ** 2, (-23 / 48 - 2) ** 2, (0.85 - 2) ** 2]),
    Row("preference.hinge", "beta .3, the last pair beyond the margin",
        lambda o: o.preference.hinge(pairs(o), beta=0.3), [0.55, 1.525, 0]),
    Row("preference.kto", "weights and a reference point",
        lambda o: o.preference.kto(
            pairs(o), beta=0.5, desirable=1.5, undesirable=2.0, reference_point=1.0),
        [1.5 * (1 - sig(0.5 * (w - 1))) + 2 * (1 - sig(0.5 * (1 - r)))
         for w, r in ((1, -0.5), (-0.5, 1.25), (6, -2))]),
    Row("preference.cpo", "likelihood per token",
        lambda o: o.preference.cpo(pairs(o), beta=0.2, nll_coef=0.5),
        [nls(0.6) + 1, nls(-0.3) + 1.25, nls(2.4) + 1]),
    Row("preference.cpo", "likelihood summed",
        lambda o: o.preference.cpo(pairs(o), beta=0.2, nll_coef=0.5, per_token=False),
        [nls(0.6) + 6, nls(-0.3) + 3.75, nls(2.4) + 10]),
    Row("preference.simpo", "beta 2, gamma .5",
        lambda o: o.preference.simpo(pairs(o), gamma=0.5), [nls(1.5), nls(-2.5), nls(3.5)]),
    Row("preference.orpo", "beta .4", lambda o: o.preference.orpo(pairs(o), beta=0.4),
        [2 + 0.4 * nls(odds(-2) - odds(-3)), 2.5 + 0.4 * nls(odds(-2.5) - odds(-1.5)),
         2 + 0.4 * nls(odds(-2) - odds(-4))]),
    Row("preference.bradley_terry", "plain, a margin, a tie, mostly the other way",
        lambda o: o.preference.bradley_terry(
            t(2, 2, 1, 0), t(1, 1, -1, 1), t(0, 0.5, 0, 0.25), t(1, 1, 0.5, 0.25)),
        [nls(1), nls(0.5), 0.5 * nls(2) + 0.5 * nls(-2), 0.25 * nls(-1.25) + 0.75 * nls(0.75)]),
]  # fmt: skip

TOOK = torch.tensor([[1, 0, 1]])
ILQL_MASK = b([1, 1, 0])


def _outputs(o: ModuleType) -> object:
    return o.IlqlOutputs(
        logits=logs([[0.75, 0.25], [0.5, 0.5], [0.9, 0.1]]),
        q1=t([[1, 2], [0, 4], [9, 9]]), q2=t([[3, 2.5], [1, 3], [9, 9]]),
        target_q1=t([[0, 2], [3, 0], [9, 9]]), target_q2=t([[5, 1], [2, 7], [9, 9]]),
        v=t([0.5, 2.5, 7]),
    )  # fmt: skip


def _terms(o: ModuleType) -> Tensor:
    call = {"gamma": 0.5, "beta": 0.4}
    terms = o.ilql.ilql(_outputs(o), TOOK, t([0, 3, 7]), ILQL_MASK, **call)
    return torch.cat((terms.q, terms.v, terms.cql, terms.awac, terms.loss))


# Targets: 0 + .5*2.5 = 1.25 and 3 + 0; taken Q: (2, 2.5) and (0, 1); lower target Q: 1 and 2.
_Q = (0.75**2 + 1.25**2, 9 + 4)
_V = (0.7 * 0.25, 0.3 * 0.25)
_CQL = (log(1 + exp(-1)) + log(1 + exp(0.5)), log(1 + exp(4)) + log(1 + exp(2)))
_AWAC = (exp(0.2) * log(4), exp(-0.2) * log(2))
_LOSS = [q + v + 0.1 * c + a for q, v, c, a in zip(_Q, _V, _CQL, _AWAC, strict=True)]
# At gamma = lambda = .5: 4, then 2 + .5 (6 + 4)/2 = 4.5, then 1 + .5 (2.5 + 4.5)/2 = 2.75.
LAMBDA_CALL = (
    t([1, 2, 4, nan], [5, nan, nan, nan]), t([9, 2.5, 6, nan], [1, nan, nan, nan]),
    b([1, 1, 1, 0], [1, 0, 0, 0]),
)  # fmt: skip


def _return(rewards: list[float], gamma: float) -> float:
    return sum(gamma**i * r for i, r in enumerate(rewards))


def _mixture(rewards: list[float], v: list[float], gamma: float, lam: float) -> list[float]:
    """Sutton and Barto 2018, section 12.1: n-step returns weighted, no recursion."""
    mixed = []
    for s in range(len(rewards)):
        left = len(rewards) - s
        steps = [_return(rewards[s : s + n], gamma) + gamma**n * v[s + n] for n in range(1, left)]
        tail = lam ** (left - 1) * _return(rewards[s:], gamma)
        mixed.append((1 - lam) * sum(lam**i * g for i, g in enumerate(steps)) + tail)
    return mixed


ILQL = [
    Row("ilql.ilql", "every term and their sum", _terms,
        [[*_Q, 0], [*_V, 0], [*_CQL, 0], [*_AWAC, 0], [*_LOSS, 0]]),
    Row("ilql.expectile", "below and above", lambda o: o.ilql.expectile(t(1, 1), t(3, 0), tau=0.9),
        [3.6, 0.1]),
    Row("ilql.td_targets", "nothing after the last token",
        lambda o: o.ilql.td_targets(t([1, 3, 7]), t([0.5, 2.5, 7]), ILQL_MASK, gamma=0.5)[:, :2],
        [[2.25, 3]]),
    Row("ilql.td_targets", "half the next value, half the return after it; an early end",
        lambda o: o.ilql.td_targets(*LAMBDA_CALL, gamma=0.5, lam=0.5),
        [[2.75, 4.5, 4, 0], [5, 0, 0, 0]]),
    Row("ilql.td_targets", "the returns of the logged answers at lambda 1",
        lambda o: o.ilql.td_targets(*LAMBDA_CALL, gamma=0.5, lam=1.0),
        [[_return([1, 2, 4], 0.5), _return([2, 4], 0.5), 4, 0], [5, 0, 0, 0]]),
    Row("ilql.td_targets", "lambda .9 as its mixture of n-step returns",
        lambda o: o.ilql.td_targets(*LAMBDA_CALL, gamma=0.8, lam=0.9)[:1, :3],
        [_mixture([1, 2, 4], [9, 2.5, 6], 0.8, 0.9)]),
    # 0 + .5 (2.5 + 3)/2 = 1.375
    Row("ilql.ilql", "lambda reaches the targets of Q, with the score only at the end",
        lambda o: o.ilql.ilql(_outputs(o), TOOK, t([0, 3, 7]), ILQL_MASK, gamma=0.5, lam=0.5).q,
        [[(2 - 1.375) ** 2 + (2.5 - 1.375) ** 2, 9 + 4, 0]]),
    Row("ilql.steer", "the smaller advantage, doubled",
        lambda o: o.ilql.steer(t([0, 1]), t([4, 1]), t([3, 2]), t(1), beta=2.0), [[4, 1]]),
]  # fmt: skip

ROWS = [*MASKED, *KL, *REWARD, *ADVANTAGE, *POLICY, *PAIRS, *ILQL]
