"""What to label next: the comparisons whose answers would teach the reward the most.

Expected information (reward/posterior.py) passes over what is known already and over what
labelers toss a coin about: there the gap is near 0 and known to be, and asking teaches nothing. A
batch is chosen one comparison after the other, and the covariance shrinks by what each answer is
expected to tell, whichever it is, so a batch is not the same question many times (the aim of
Kirsch et al. 2019, arXiv 1906.08158, without sampling).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from humanalign.reward.posterior import WEIGHTS, Answers, Posterior, information, probabilities

Choice = Literal["information", "random"]
Edge = tuple[int, int]


@dataclass(frozen=True)
class Chosen:
    """A comparison to ask: rows of `Answers`, and the nats that its answer is expected to tell."""

    answers: tuple[int, ...]
    information: float


def choose(
    answers: Answers,
    posterior: Posterior,
    n: int,
    *,
    size: int = 2,
    by: Choice = "information",
    known: Collection[Edge] = (),
    pending: Collection[Edge] = (),
    seed: int = 0,
) -> list[Chosen]:
    """At most `n` comparisons of up to `size` answers, the most telling first, one a prompt.

    `known` are pairs (lower row first) that were compared already, `pending` those that wait for
    their label: neither is asked, and the pending ones count as if they were answered. `by`
    random is what information is measured against. The same seed gives the same choice.
    """
    search = _Search(answers, posterior, by, seed)
    search.close([*known, *pending])
    for edge in sorted(pending):
        search.condition(search.number[edge])
    chosen = []
    while len(chosen) < n and (first := search.best()) is not None:
        chosen.append(_grow(search, first, size))
    return chosen


def _grow(search: _Search, first: int, size: int) -> Chosen:
    """A comparison grown from a pair: the answer joins whose pair with one in it tells most.

    Its information is the sum over those size - 1 pairs, each given the ones before it.
    """
    a, b = search.edges[first]
    told, members = search.condition(first), [int(a), int(b)]
    while len(members) < size and (onward := search.joining(members)) is not None:
        told += search.condition(onward)
        members += [int(row) for row in search.edges[onward] if row not in members]
    search.drop_prompt(members[0])
    return Chosen(tuple(members), told)


class _Search:
    """The pairs still open, and the variance of their gaps as the batch grows."""

    def __init__(self, answers: Answers, posterior: Posterior, by: Choice, seed: int) -> None:
        self.answers, self.by = answers, by
        self.edges = answers.edges()
        self.number = {(a, b): i for i, (a, b) in enumerate(self.edges.tolist())}
        self.cov = posterior.cov.copy()
        a, b = self.edges.T
        scores = posterior.scores(answers.features)
        self.mean = scores[a] - scores[b]
        # |L' step|^2 is the variance of the gap, where cov = L L'.
        root = answers.features @ np.linalg.cholesky(self.cov)
        self.variance = ((root[a] - root[b]) ** 2).sum(1)
        self.open = np.ones(len(self.edges), dtype=bool)
        self.free = np.ones(len(self.edges), dtype=bool)
        # Among equals a seeded one: not always the first prompts of the file.
        self.luck = np.random.default_rng(seed).random(len(self.edges))

    def _value(self, rows: np.ndarray) -> np.ndarray:
        """What the pairs with these numbers are worth asking, [N]."""
        if self.by == "random":
            return self.luck[rows]
        return information(self.mean[rows], self.variance[rows])

    def best(self) -> int | None:
        """The open pair with the greatest value; None when none is left."""
        return self._best(self.open & self.free)

    def joining(self, members: Sequence[int]) -> int | None:
        """The best pair of one answer in the comparison with another to the same prompt."""
        inside = np.isin(self.edges, members).sum(1) == 1
        return self._best(self.free & inside)

    def _best(self, among: np.ndarray) -> int | None:
        rows = np.flatnonzero(among)
        if len(rows) == 0:
            return None
        return int(rows[np.lexsort((self.luck[rows], self._value(rows)))[-1]])

    def close(self, edges: Collection[Edge]) -> None:
        """These pairs are not asked."""
        self.free[[self.number[edge] for edge in edges]] = False

    def drop_prompt(self, row: int) -> None:
        """The prompt of this answer has its comparison in the batch."""
        self.open &= self.answers.prompt[self.edges[:, 0]] != self.answers.prompt[row]

    def condition(self, edge: int) -> float:
        """Shrink the covariance as if the pair had its label; return what the label would tell.

        A label adds r step step' to the precision, r = E p(1-p), so by Sherman-Morrison
        cov -= r s s' / (1 + r variance) with s = cov step.
        """
        here = self.mean[[edge]], self.variance[[edge]]
        p = probabilities(*here)
        r = float(((p * (1 - p)) @ WEIGHTS)[0])
        rate = r / (1 + r * float(self.variance[edge]))
        a, b = self.edges[edge]
        s = self.cov @ (self.answers.features[a] - self.answers.features[b])
        self.cov -= rate * np.outer(s, s)
        along = self.answers.features @ s
        left, right = self.edges.T
        self.variance = np.maximum(self.variance - rate * (along[left] - along[right]) ** 2, 0.0)
        return float(information(*here)[0])
