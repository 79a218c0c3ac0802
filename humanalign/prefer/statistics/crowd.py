"""Crowd Bradley-Terry: scores of answers and the reliability of raters, estimated together.

P(i > j | rater u) = eta_u s(si - sj) + (1 - eta_u)(1 - s(si - sj)), s the logistic function
(Chen, Bennett, Collins-Thompson & Horvitz 2013, "Pairwise ranking aggregation in a crowdsourced
setting"). Departures: scores have a standard normal prior instead of a virtual node, eta_u is a
logistic of a free number with the prior Beta(7, 3), and a tie is half a vote each way.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from humanalign.prefer.statistics.votes import Votes, votes_of
from humanalign.types import Ranking

PRIOR = (7.0, 3.0)
PRECISE = {"maxiter": 1000, "ftol": 1e-13, "gtol": 1e-6}


def crowd_scores(rankings: Sequence[Ranking]) -> dict[tuple[str, str], float]:
    """(comparison id, completion id) -> its score s, rounded to 6 digits."""
    # A fifth of what the labelling server imports, which each of its processes would pay for.
    from scipy.optimize import minimize

    votes = votes_of(rankings)
    nodes, first, second = _nodes(votes)

    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        return negative_log_posterior(x, votes, first, second)

    start = np.zeros(len(nodes) + len(votes.raters))
    start[len(nodes) :] = np.log(PRIOR[0] / PRIOR[1])
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options=PRECISE)
    return {node: round(float(s), 6) for node, s in zip(nodes, found.x, strict=False)}


def negative_log_posterior(
    x: np.ndarray, votes: Votes, first: np.ndarray, second: np.ndarray
) -> tuple[float, np.ndarray]:
    """(value, gradient) at x = [scores of the nodes, logits of the raters' reliability].

    `first`, `second` [V]: the nodes of each vote's pair.
    """
    split = len(x) - len(votes.raters)
    scores, logits = x[:split], x[split:]
    s = expit(scores[first] - scores[second])
    eta = expit(logits[votes.rater])
    p = eta * s + (1 - eta) * (1 - s)
    for_first = (votes.sign + 1) / 2
    value = -(for_first * np.log(p) + (1 - for_first) * np.log1p(-p)).sum()
    slope = -(for_first / p - (1 - for_first) / (1 - p))
    by_score = slope * (2 * eta - 1) * s * (1 - s)
    by_logit = slope * (2 * s - 1) * eta * (1 - eta)
    # Priors: scores N(0, 1); eta Beta(7, 3), as a density over its logit.
    value += 0.5 * (scores**2).sum()
    value -= (PRIOR[0] * _log_expit(logits) + PRIOR[1] * _log_expit(-logits)).sum()
    gradient = np.zeros_like(x)
    gradient[:split] = np.bincount(first, by_score, split) - np.bincount(second, by_score, split)
    gradient[:split] += scores
    gradient[split:] = np.bincount(votes.rater, by_logit, len(votes.raters))
    gradient[split:] += sum(PRIOR) * expit(logits) - PRIOR[0]
    return float(value), gradient


def _nodes(votes: Votes) -> tuple[list[tuple[str, str]], np.ndarray, np.ndarray]:
    """The (comparison, completion) nodes, and each vote's two of them."""
    number: dict[tuple[str, str], int] = {}
    ends = []
    for comparison, pair in zip(votes.unit_comparison.tolist(), votes.units, strict=True):
        name = votes.comparisons[comparison]
        ends.append([number.setdefault((name, each), len(number)) for each in pair])
    table = np.array(ends, dtype=np.int64).reshape(-1, 2)
    return list(number), table[votes.unit, 0], table[votes.unit, 1]


def _log_expit(x: np.ndarray) -> np.ndarray:
    return -np.logaddexp(0, -x)
