"""One ranking out of several raters' rankings: weighted Borda, exact Kemeny, crowd Bradley-Terry.

The raw votes always stay; a consensus is derived from them, the same bytes every time. An F mark
counts as below every rank; a completion that more than half of the weight marks F is rejected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations, permutations

import numpy as np

from humanalign.errors import DataError, did_you_mean
from humanalign.prefer.statistics.crowd import crowd_scores
from humanalign.prefer.statistics.labelers import weights_of
from humanalign.prefer.statistics.votes import levels
from humanalign.types import Ranking

METHODS = ("borda", "kemeny", "bradley-terry")
MOST_KEMENY = 7
# A pair whose weighted votes lean by less than half is worth asking more labelers about.
CONTESTED_BELOW = 0.5
# Bradley-Terry scores are found by descent: nearer than this they are the same.
SAME_SCORE = 1e-3


@dataclass(frozen=True)
class Consensus:
    """The agreed ranking of one comparison (rater id "consensus") by `raters` raters.

    `margins[better, worse]` in [0, 1] is how far the weighted votes lean that way (0 where they
    do not); `contested` lists the ordered or tied pairs that lean by less than 1/2.
    """

    ranking: Ranking
    raters: tuple[str, ...]
    margins: Mapping[tuple[str, str], float] = field(hash=False)
    contested: tuple[tuple[str, str], ...] = ()


def consensus(
    rankings: Sequence[Ranking],
    *,
    method: str = "borda",
    weights: Mapping[str, float] | None = None,
) -> list[Consensus]:
    """The consensus of every comparison, in the order in which they first appear.

    `weights` by rater id; without them, `labelers.weights_of` estimates them. Where nobody who
    judged a comparison has a weight, all who did count 1. DataError: unknown method, or Kemeny
    over more than 7 completions.
    """
    if method not in METHODS:
        hint = did_you_mean(method, METHODS)
        raise DataError(f"consensus: expected {', '.join(METHODS)} or none, got '{method}'{hint}")
    weights = weights_of(rankings) if weights is None else weights
    skill = crowd_scores(rankings) if method == "bradley-terry" else {}
    groups: dict[str, list[Ranking]] = {}
    for ranking in rankings:
        groups.setdefault(ranking.comparison_id, []).append(ranking)
    return [_agree(group, method, weights, skill) for group in groups.values()]


@dataclass(frozen=True)
class _Ballots:
    """One comparison: `ids` [K] sorted, `lead` [K, K] the weight for row over column less that
    against, `total` and `lightest` weight of its raters, `rejected` [K] the share of F."""

    ids: tuple[str, ...]
    lead: np.ndarray
    total: float
    lightest: float
    rejected: np.ndarray


def _agree(
    group: Sequence[Ranking],
    method: str,
    weights: Mapping[str, float],
    skill: Mapping[tuple[str, str], float],
) -> Consensus:
    group = sorted(group, key=lambda ranking: ranking.rater_id)
    ballots = _ballots(group, [weights.get(ranking.rater_id, 1.0) for ranking in group])
    kept = [k for k in range(len(ballots.ids)) if ballots.rejected[k] <= 0.5]
    if method == "kemeny":
        tiers = _kemeny(ballots, kept)
    elif method == "borda":
        # Sum of leads: twice the Borda count, up to a constant.
        tiers = _tiers(kept, ballots.lead[:, kept].sum(1) / 2, ballots.lightest)
    else:
        scores = np.array([skill[group[0].comparison_id, each] for each in ballots.ids])
        tiers = _tiers(kept, scores, SAME_SCORE)
    names = tuple(tuple(ballots.ids[k] for k in tier) for tier in tiers)
    rejected = tuple(each for k, each in enumerate(ballots.ids) if k not in kept)
    ranking = Ranking(group[0].comparison_id, "consensus", names, rejected)
    margins, contested = _margins(ballots, ranking)
    return Consensus(ranking, tuple(each.rater_id for each in group), margins, contested)


def _ballots(group: Sequence[Ranking], weights: Sequence[float]) -> _Ballots:
    if not any(weights):
        weights = [1.0] * len(group)
    ids = tuple(sorted(group[0].completion_ids()))
    marks = np.array([[levels(ranking)[each] for each in ids] for ranking in group])
    failed = np.array([[each in ranking.rejected for each in ids] for ranking in group])
    w = np.array(weights)
    better = np.sign(marks[:, None, :] - marks[:, :, None])
    return _Ballots(
        ids=ids,
        lead=np.einsum("r,rij->ij", w, better),
        total=float(w.sum()),
        lightest=float(w[w > 0].min()),
        rejected=w @ failed / w.sum(),
    )


def _tiers(kept: Sequence[int], scores: np.ndarray, lightest: float) -> list[list[int]]:
    """Best first; a completion less than the lightest weight below a tier's first joins it."""
    tiers: list[list[int]] = []
    # Rounded, so that sums in another order do not break a tie.
    for k in sorted(kept, key=lambda k: (-round(float(scores[k]), 9), k)):
        if tiers and scores[tiers[-1][0]] - scores[k] < lightest - 1e-9:
            tiers[-1].append(k)
        else:
            tiers.append([k])
    return tiers


def _kemeny(ballots: _Ballots, kept: Sequence[int]) -> list[list[int]]:
    """The order with the least weighted disagreement (Kemeny 1959), of all K! orders.

    Among equal orders the first by Borda, then by id. Neighbours whose votes lean by less than
    the lightest weight are tied.
    """
    if len(kept) > MOST_KEMENY:
        raise DataError(
            f"consensus kemeny: {len(kept)} completions are too many, the limit is {MOST_KEMENY}; "
            "use borda"
        )
    if not kept:
        return []
    borda = ballots.lead[:, kept].sum(1)
    start = sorted(kept, key=lambda k: (-round(float(borda[k]), 9), k))
    lead = ballots.lead[np.ix_(start, start)]
    orders, before = _orders(len(start))
    agreement = np.round(before @ lead.ravel(), 9)
    best = [start[place] for place in orders[int(agreement.argmax())]]
    tiers = [[best[0]]]
    for k in best[1:]:
        if ballots.lead[tiers[-1][0], k] < ballots.lightest - 1e-9:
            tiers[-1].append(k)
        else:
            tiers.append([k])
    return tiers


@lru_cache(maxsize=MOST_KEMENY)
def _orders(size: int) -> tuple[np.ndarray, np.ndarray]:
    """All orders [size!, size] and, for each, which stands before which [size!, size^2]."""
    orders = np.array(list(permutations(range(size))))
    place = orders.argsort(1)
    before = place[:, :, None] < place[:, None, :]
    return orders, before.reshape(len(orders), -1).astype(float)


def _margins(
    ballots: _Ballots, ranking: Ranking
) -> tuple[dict[tuple[str, str], float], tuple[tuple[str, str], ...]]:
    place = {each: k for k, each in enumerate(ballots.ids)}
    mark = levels(ranking)
    margins, contested = {}, []
    for a, b in combinations(ranking.completion_ids(), 2):
        lean = float(ballots.lead[place[a], place[b]]) / ballots.total
        if mark[a] < mark[b]:
            margins[a, b] = max(0.0, lean)
        if b not in ranking.rejected and lean < CONTESTED_BELOW:
            contested.append((a, b))
    return margins, tuple(contested)
