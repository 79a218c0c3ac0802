"""Models against models: win rates of blind comparisons with intervals, and a league table.

Only pairs of completions by different models count; a tie is half a win. The strengths are
Bradley-Terry over all pairs, so that models are comparable which met different opponents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from humanalign.prefer.statistics.bootstrap import Sums, intervals, ratio
from humanalign.prefer.statistics.duels import bradley_terry_of
from humanalign.prefer.statistics.explain import Figure, Meaning, figure
from humanalign.prefer.statistics.votes import Votes, numbered

# Half a tie between every two models: nobody is infinitely strong for never having lost.
PRIOR = 0.5


@dataclass(frozen=True)
class Standing:
    """A model's win `rate` over `n` pairs with others, and its strength (log, mean 0)."""

    model: str
    rate: Figure
    strength: float
    n: int


@dataclass(frozen=True)
class Match:
    """How often `first` beats `second`, a tie counting 1/2."""

    first: str
    second: str
    rate: Figure


@dataclass(frozen=True)
class _Meetings:
    """Votes on two models: numbers `one`, `other` [D], `won` [D] by one, `comparison` [D]."""

    names: tuple[str, ...]
    one: np.ndarray
    other: np.ndarray
    won: np.ndarray
    comparison: np.ndarray
    size: int

    def rate(self, chosen: np.ndarray, won: np.ndarray) -> Sums:
        where = self.comparison[chosen]
        rows = np.column_stack(
            [np.bincount(where, won[chosen], self.size), np.bincount(where, minlength=self.size)]
        )
        return Sums(rows, ratio, int((rows[:, 1] > 0).sum()))


def league(
    votes: Votes, models: Mapping[str, str]
) -> tuple[tuple[Standing, ...], tuple[Match, ...]]:
    """(the models, the strongest first; every two that met), from votes on their completions.

    `models` names the author of each completion id; a completion without one is left out.
    """
    met = _meetings(votes, models)
    if not len(met.won):
        return (), ()
    names = met.names
    strength = _strengths(met)
    own = [(met.one == m) | (met.other == m) for m in range(len(names))]
    gained = [np.where(met.one == m, met.won, 1 - met.won) for m in range(len(names))]
    ends = np.sort(np.column_stack([met.one, met.other]), axis=1)
    couples = [(int(a), int(b)) for a, b in np.unique(ends, axis=0)]
    each = [
        ((met.one == a) & (met.other == b)) | ((met.one == b) & (met.other == a))
        for a, b in couples
    ]
    sums = [met.rate(mine, won) for mine, won in zip(own, gained, strict=True)]
    duels = [met.rate(mine, gained[a]) for mine, (a, _) in zip(each, couples, strict=True)]
    found = intervals([*sums, *duels])
    standings = [
        Standing(
            names[m], figure(_rate(names[m]), sums[m], found[m]), strength[m], int(own[m].sum())
        )
        for m in range(len(names))
    ]
    matches = [
        Match(names[a], names[b], figure(_rate(names[a], names[b]), duel, interval))
        for (a, b), duel, interval in zip(couples, duels, found[len(sums) :], strict=True)
    ]
    standings.sort(key=lambda standing: (-standing.strength, standing.model))
    return tuple(standings), tuple(matches)


def _meetings(votes: Votes, models: Mapping[str, str]) -> _Meetings:
    known, author = numbered([models.get(name, "") for pair in votes.units for name in pair])
    author = author.reshape(-1, 2)
    nobody = known.index("") if "" in known else -1
    between = (author[:, 0] != author[:, 1]) & (author != nobody).all(1)
    chosen = between[votes.unit]
    unit = votes.unit[chosen]
    # Only models that met another, numbered anew.
    present, ends = np.unique(author[unit].ravel(), return_inverse=True)
    ends = ends.reshape(-1, 2)
    return _Meetings(
        names=tuple(known[each] for each in present),
        one=ends[:, 0],
        other=ends[:, 1],
        won=(votes.sign[chosen] + 1) / 2,
        comparison=votes.unit_comparison[unit],
        size=len(votes.comparisons),
    )


def _strengths(met: _Meetings) -> list[float]:
    size = len(met.names)
    cell = np.concatenate([met.one * size + met.other, met.other * size + met.one])
    won = np.bincount(cell, np.concatenate([met.won, 1 - met.won]), size * size)
    weights = np.log(bradley_terry_of(won.reshape(size, size), prior=PRIOR))
    return (weights - weights.mean()).tolist()


def _rate(first: str, second: str = "") -> Meaning:
    against = second or "the others"
    return Meaning(
        name="win_rate",
        title=f"{first} against {against}",
        says=lambda v: (
            f"Labelers who did not see the names prefer {first} to {against} {100 * v:.0f} % of "
            "the time, a tie counting half."
        ),
        percent=True,
    )
