"""Strengths of items from many choices: Bradley-Terry and Plackett-Luce by maximum likelihood.

    strengths(choices_of_pairs([("a", "b"), ("b", "c")]), prior=0.1)

A choice is a winner and those it was chosen over: a pair, the best of a list, or each step of a
ranking. Luce's axiom (1959) gives P(i from S) = w_i / sum over S of w. The iteration is that of
Maystre & Grossglauser 2015, "Fast and accurate inference of Plackett-Luce models": each choice
lets weight flow from the losers to the winner, and the weights are the stationary distribution.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np
from scipy.sparse.csgraph import connected_components

from humanalign.errors import DataError

Choice = tuple[str, tuple[str, ...]]
ROUNDS, CLOSE_ENOUGH = 1_000, 1e-10


def choices_of_pairs(pairs: Iterable[tuple[str, str]]) -> list[Choice]:
    """(winner, loser) of each pair as a choice."""
    return [(winner, (loser,)) for winner, loser in pairs]


def choices_of_rankings(rankings: Iterable[Sequence[str]]) -> list[Choice]:
    """Each ranking without ties, best first, as its steps: the first of those that are left."""
    return [
        (ranking[place], tuple(ranking[place + 1 :]))
        for ranking in rankings
        for place in range(len(ranking) - 1)
    ]


def strengths(choices: Sequence[Choice], *, prior: float = 0.0) -> dict[str, float]:
    """item -> the logarithm of its weight at maximum likelihood, with a mean of 0.

    `prior` > 0 draws all together as weakly as it is small. DataError: without it, an item that
    nobody of the others beats, or that beats nobody, directly or through others.
    """
    names, rows = _numbered(choices)
    weights = np.full(len(names), 1.0)
    if not prior:
        _check_connected(names, rows)
    for _ in range(ROUNDS):
        updated = _stationary(_flows(rows, weights, prior))
        if np.abs(updated - weights).max(initial=0.0) < CLOSE_ENOUGH:
            weights = updated
            break
        weights = updated
    return _logarithms(names, weights)


def spectral_strengths(choices: Sequence[Choice], *, prior: float = 0.0) -> dict[str, float]:
    """The first step of `strengths`, Luce spectral ranking: nearly as good on many choices."""
    names, rows = _numbered(choices)
    if not prior:
        _check_connected(names, rows)
    return _logarithms(names, _stationary(_flows(rows, np.ones(len(names)), prior)))


def rank_centrality(pairs: Sequence[tuple[str, str]], *, prior: float = 0.0) -> dict[str, float]:
    """item -> log of its stationary weight where each pair's flow is the share that the other won.

    Negahban, Oh & Shah 2012, "Iterative ranking from pair-wise comparisons"; `pairs` are (winner,
    loser), and each pair of items weighs the same however often they met.
    """
    names, rows = _numbered(choices_of_pairs(pairs))
    if not prior:
        _check_connected(names, rows)
    won = _flows(rows, np.ones(len(names)), prior) * 2
    met = won + won.T
    return _logarithms(names, _stationary(won / np.where(met > 0, met, 1.0)))


def _numbered(choices: Sequence[Choice]) -> tuple[list[str], list[list[int]]]:
    """(the names sorted, for each choice the winner's number and then the losers')."""
    names = sorted({name for winner, losers in choices for name in (winner, *losers)})
    number = {name: place for place, name in enumerate(names)}
    return names, [
        [number[winner], *(number[each] for each in losers)] for winner, losers in choices
    ]


def _flows(rows: Sequence[Sequence[int]], weights: np.ndarray, prior: float) -> np.ndarray:
    """[N, N] from loser (row) to winner (column): 1 / the weight of all in the choice."""
    flows = np.full((len(weights), len(weights)), float(prior))
    for winner, *losers in rows:
        flows[losers, winner] += 1 / (weights[winner] + weights[losers].sum())
    return flows


def _stationary(flows: np.ndarray) -> np.ndarray:
    """The stationary distribution of a chain in continuous time, with a mean of 1."""
    if not len(flows):
        return np.zeros(0)
    generator = flows.copy()
    np.fill_diagonal(generator, 0.0)
    np.fill_diagonal(generator, -generator.sum(1))
    # One balance equation follows from the others; the sum of the weights takes its place.
    system = generator.T
    system[-1] = 1.0
    right = np.zeros(len(system))
    right[-1] = len(system)
    return np.linalg.solve(system, right)


def _check_connected(names: Sequence[str], rows: Sequence[Sequence[int]]) -> None:
    flows = _flows(rows, np.ones(len(names)), 0.0)
    count, part = connected_components(flows, directed=True, connection="strong")
    if count > 1:
        first, second = next(
            (a, b) for a, b in combinations(range(len(names)), 2) if part[a] != part[b]
        )
        raise DataError(
            f"scores: wins do not lead both ways between '{names[first]}' and '{names[second]}', "
            "so one would be infinitely strong; gather more comparisons or give a prior above 0"
        )


def _logarithms(names: Sequence[str], weights: np.ndarray) -> dict[str, float]:
    logs = np.log(weights)
    return dict(zip(names, (logs - logs.mean()).tolist(), strict=True)) if len(names) else {}
