"""How often the reward is right on pairs it has not seen: overall, by group, against another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import binomtest

from humanalign.reward.trust.scored import Array, Figure, Scored, figure

# A group of fewer pairs says nothing by itself: such groups are counted together.
FEWEST = 5
# The figures that a reader quotes are resampled more often than the others.
QUOTED = 10_000


def accuracy(scored: Scored, *, seed: int = 0) -> Figure | None:
    """The share of pairs whose chosen answer scores higher, equal scores counting 1/2."""
    return figure(scored.right, scored.prompts, seed=seed, resamples=QUOTED)


def by_group(
    right: Array, prompts: Sequence[str], names: Sequence[str], *, seed: int = 0
) -> dict[str, Figure]:
    """name -> accuracy over the rows [N] of that name; rows called "" belong to none.

    Groups of fewer than 5 pairs, or of a single prompt, are gathered in one entry whose name
    says how many they are; it is left out where even together they are too few.
    """
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        if name:
            rows.setdefault(name, []).append(row)
    big = {name for name, own in rows.items() if _speaks(own, prompts)}
    small = [name for name in rows if name not in big]
    gathered = {name: rows[name] for name in sorted(big)}
    rest = [row for name in small for row in rows[name]]
    if _speaks(rest, prompts):
        gathered[f"{len(small)} groups under {FEWEST} pairs"] = rest
    found = {
        name: figure(right[own], [prompts[row] for row in own], seed=seed)
        for name, own in gathered.items()
    }
    return {name: value for name, value in found.items() if value is not None}


def _speaks(rows: Sequence[int], prompts: Sequence[str]) -> bool:
    return len(rows) >= FEWEST and len({prompts[row] for row in rows}) >= 2


def difference(
    right: Array, baseline: Array, prompts: Sequence[str], *, seed: int = 0
) -> Figure | None:
    """Accuracy less that of a baseline on the same pairs [N]; the interval is of the pairing."""
    return figure(right - baseline, prompts, seed=seed, resamples=QUOTED)


def sign_test(right: Array, prompts: Sequence[str]) -> dict[str, float | int]:
    """Does the reward win more prompts than it loses? Exact two-sided binomial test.

    A prompt is won where more of its pairs are right than wrong, and left out where as many: the
    pairs of a prompt are no independent trials, its majority is one.
    """
    _, member = np.unique(np.asarray(prompts), return_inverse=True)
    balance = np.bincount(member, weights=2 * right - 1)
    wins, losses = int((balance > 0).sum()), int((balance < 0).sum())
    p = float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0
    return {"wins": wins, "losses": losses, "p": p}
