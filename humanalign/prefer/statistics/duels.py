"""Scores of items that met two at a time, ties included: from counting to Bradley-Terry.

Every function takes duels (first, second, outcome) with the outcome 1 where the first won, 0 where
the second did and 0.5 for a tie, and gives item -> score, higher is better except in `eigen`. The
conventions are those of the evalica library (Ustalov 2025), whose golden scores the tests hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Duel = tuple[str, str, float]
ROUNDS, CLOSE_ENOUGH = 10_000, 1e-12


@dataclass(frozen=True)
class Table:
    """`wins` [N, N] of row over column, a tie 1/2 each way; `ties` [N, N] of them symmetric."""

    names: tuple[str, ...]
    wins: np.ndarray
    ties: np.ndarray


def table_of(duels: Sequence[Duel]) -> Table:
    """The wins and ties of every two items."""
    names = tuple(sorted({name for first, second, _ in duels for name in (first, second)}))
    number = {name: place for place, name in enumerate(names)}
    wins, ties = np.zeros((2, len(names), len(names)))
    for first, second, outcome in duels:
        a, b = number[first], number[second]
        wins[a, b] += outcome
        wins[b, a] += 1 - outcome
        ties[[a, b], [b, a]] += outcome == 0.5
    return Table(names, wins, ties)


def counting(duels: Sequence[Duel]) -> dict[str, float]:
    """The number of wins, a tie counting 1/2."""
    table = table_of(duels)
    return _named(table, table.wins.sum(1))


def average_win_rate(duels: Sequence[Duel]) -> dict[str, float]:
    """The mean over the opponents met of the share won against each."""
    table = table_of(duels)
    met = table.wins + table.wins.T
    share = table.wins / np.where(met > 0, met, 1.0)
    return _named(table, share.sum(1) / (met > 0).sum(1))


def bradley_terry(duels: Sequence[Duel], *, prior: float = 0.0) -> dict[str, float]:
    """Weights w of P(i beats j) = w_i/(w_i + w_j) at maximum likelihood, with a sum of 1.

    By Zermelo's iteration (1929; Hunter 2004), a tie half a win each way. `prior` adds that many
    ties between every two items, so that nobody is infinitely strong.
    """
    table = table_of(duels)
    return _named(table, bradley_terry_of(table.wins, prior=prior))


def bradley_terry_of(wins: np.ndarray, *, prior: float = 0.0) -> np.ndarray:
    """[N] `bradley_terry` of a table of wins [N, N]."""
    size = len(wins)
    wins = wins + prior / 2 * (1 - np.eye(size))
    met, won, w = wins + wins.T, wins.sum(1), np.full(size, 1 / max(size, 1))
    for _ in range(ROUNDS):
        updated = won / (met / (w[:, None] + w)).sum(1)
        updated /= updated.sum()
        if np.abs(updated - w).max(initial=0.0) < CLOSE_ENOUGH:
            break
        w = updated
    return w


def newman(duels: Sequence[Duel]) -> dict[str, float]:
    """Bradley-Terry weights with ties as outcomes of their own (Newman 2023, JMLR 24, 22-1086).

    Davidson's model: P(tie) = 2 v sqrt(w_i w_j) / (w_i + w_j + 2 v sqrt(w_i w_j)), v fitted. Only
    the ratios of the weights have a meaning; they start from 1 each.
    """
    table = table_of(duels)
    halves, won = table.wins, table.wins - table.ties / 2
    w, v = np.ones(len(table.names)), 0.5
    for _ in range(ROUNDS):
        root = np.sqrt(np.outer(w, w))
        both = w[:, None] + w
        scale = both + 2 * v * root
        above = (halves * (w + v * root) / scale).sum(1)
        below = (halves.T * (1 + v * np.sqrt(w / w[:, None])) / scale).sum(1)
        v = (table.ties * both / scale).sum() / 2 / (won * 2 * root / scale).sum()
        moved = np.abs(above / below - w).max(initial=0.0)
        w = above / below
        if moved < CLOSE_ENOUGH:
            break
    return _named(table, w)


def elo(
    duels: Sequence[Duel], *, start: float = 1000.0, k: float = 4.0, scale: float = 400.0
) -> dict[str, float]:
    """Elo's ratings (1978) after the duels in their order, which they depend on."""
    rating: dict[str, float] = {}
    for first, second, outcome in duels:
        a, b = rating.setdefault(first, start), rating.setdefault(second, start)
        gain = k * (outcome - 1 / (1 + 10 ** ((b - a) / scale)))
        rating[first], rating[second] = a + gain, b - gain
    return dict(sorted(rating.items()))


def eigen(duels: Sequence[Duel]) -> dict[str, float]:
    """The leading eigenvector of losses, of length 1: here LOWER is better (Bonacich 1987).

    Who loses to those who lose much scores high.
    """
    table = table_of(duels)
    values, vectors = np.linalg.eig(table.wins.T)
    return _named(table, np.abs(np.real(vectors[:, np.real(values).argmax()])))


def pagerank(duels: Sequence[Duel], *, damping: float = 0.85) -> dict[str, float]:
    """PageRank (Brin & Page 1998) of the graph in which losers point to winners."""
    table = table_of(duels)
    size, lost = len(table.names), table.wins.sum(0)
    # Who never lost points to everybody.
    step = np.where(lost > 0, table.wins / np.where(lost > 0, lost, 1.0), 1 / max(size, 1))
    system = np.eye(size) - damping * step
    rank = np.linalg.solve(system, np.full(size, (1 - damping) / max(size, 1)))
    return _named(table, rank / rank.sum())


def _named(table: Table, scores: np.ndarray) -> dict[str, float]:
    return dict(zip(table.names, scores.tolist(), strict=True))
