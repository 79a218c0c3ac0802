"""Win rate of one model over another: (wins + ties / 2) / comparisons, clustered by prompt.

Whoever decides, a scorer, a judge model or people: every comparison is one duel of an answer
after with an answer before to the same prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest

from humanalign.errors import DataError
from humanalign.evaluate.power import needed_comparisons
from humanalign.evaluate.statistics import Array, by_prompt, mean, sign_flip_p, unseen, wilson
from humanalign.types import SAME, EvalResult, Prompt, Ranking

By = Literal["scorer", "judge", "people"]
# For each (prompt, answer before, answer after) the probability that the answer after is better,
# when it is shown first and when it is shown second.
Judge = Callable[[Sequence[Prompt], Sequence[str], Sequence[str]], list[tuple[float, float]]]


# Pairs that a judge sees between two words about its progress.
AT_ONCE = 64


@dataclass(frozen=True)
class Duels:
    """M duels: `outcomes` 1 where the answer after won, 0 where it lost, .5 for a tie.

    `prompts` names the cluster of each. `flipped` holds (prompt, True or False) for each duel that
    a judge was asked about: True where the order of display decided.
    """

    by: By
    outcomes: Array
    prompts: Sequence[str] | Sequence[int]
    flipped: Sequence[tuple[str, bool]] | None = None


def score_duels(before: ArrayLike, after: ArrayLike, *, higher_is_better: bool = True) -> Duels:
    """By score, [N] or [N, K]: all K * K pairs of answers to a prompt meet."""
    first, second = _rows(before), _rows(after)
    if len(first) != len(second):
        raise DataError(f"win rate: {len(first)} prompts before, {len(second)} after; pair them")
    margin = second[:, :, None] - first[:, None, :]
    wins = (1 + np.sign(margin if higher_is_better else -margin)) / 2
    met = wins[0].size
    return Duels("scorer", wins.ravel(), np.repeat(np.arange(len(first)), met).tolist())


def ranking_duels(
    rankings: Iterable[Ranking],
    *,
    before: Set[str],
    after: Set[str],
    prompt_of: Mapping[str, str],
) -> Duels:
    """By people's rankings: `before` and `after` hold the completion ids of each model.

    `prompt_of` maps a comparison to its prompt. A tier shared, and two F marks, are ties;
    everything ranked beats an F.
    """
    wins: list[float] = []
    prompts: list[str] = []
    for ranking in rankings:
        place = {c: rank for rank, tier in enumerate(ranking.tiers) for c in tier}
        place |= dict.fromkeys(ranking.rejected, len(ranking.tiers))
        for ours in place.keys() & after:
            for theirs in place.keys() & before:
                wins.append((1 + float(np.sign(place[theirs] - place[ours]))) / 2)
                prompts.append(prompt_of[ranking.comparison_id])
    return Duels("people", np.array(wins), prompts)


def judge_duels(
    judge: Judge,
    prompts: Sequence[Prompt],
    before: Sequence[str],
    after: Sequence[str],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Duels:
    """By a model that sees every pair in both orders: a win must hold in both, else it is a tie.

    So Zheng et al. 2023 (arXiv 2306.05685, section 3.4) against the preference for a place. Two
    answers of the same words are a tie without asking. Undecided (`SAME`) in one order is a tie.
    `progress` counts pairs.
    """
    asked = [i for i in range(len(prompts)) if before[i] != after[i]]
    outcomes = np.full(len(prompts), 0.5)
    flipped: list[tuple[str, bool]] = []
    for start in range(0, len(asked), AT_ONCE):
        part = asked[start : start + AT_ONCE]
        seen = judge(
            [prompts[i] for i in part], [before[i] for i in part], [after[i] for i in part]
        )
        for i, chances in zip(part, seen, strict=True):
            first, second = (_decided(chance) for chance in chances)
            flipped.append((prompts[i].id, {first, second} == {0.0, 1.0}))
            outcomes[i] = first if first == second else 0.5
        if progress:
            progress(start + len(part), len(asked))
    return Duels("judge", outcomes, [prompt.id for prompt in prompts], flipped)


def _decided(chance: float) -> float:
    """1 or 0 for the side that is likelier to be better, .5 where they are the same."""
    return 0.5 if abs(chance - (1 - chance)) < SAME else float(chance > 0.5)


def told(duels: Duels, *, seed: int = 0) -> dict:
    """The win rate of `duels` with all that belongs to it.

    p says whether wins and losses differ: by the exact sign test (binomial, ties left out) where
    no prompt has two duels, else by flipping the signs of whole prompts. `needed` is how many
    untied comparisons find a share like this one with 80 % power; `asked` how many pairs a judge
    saw, those of the same words left out.
    """
    wins, losses = int((duels.outcomes == 1).sum()), int((duels.outcomes == 0).sum())
    single = len(set(duels.prompts)) == len(duels.prompts)
    return {
        "by": duels.by,
        "win_rate": rate(duels, seed=seed),
        "wins": wins,
        "ties": len(duels.outcomes) - wins - losses,
        "losses": losses,
        "p": _sign_test(wins, losses) if single else _flip_test(duels, seed),
        "test": "exact sign test" if single else "sign flips of whole prompts",
        "needed": needed_comparisons(wins / (wins + losses)) if wins + losses else None,
        "asked": None if duels.flipped is None else len(duels.flipped),
        "flips": _flips(duels),
    }


def rate(duels: Duels, *, seed: int = 0) -> EvalResult:
    """(wins + ties / 2) / duels, with its interval over prompts.

    Among ties alone resampling sees little. The interval therefore reaches at least as far as
    `unseen` prompts that are won or lost whole would move it, and where each prompt has one duel as
    far as Clopper and Pearson's (1934) for the untied, so that it never contradicts the sign test.
    """
    found = mean("win rate", duels.outcomes, clusters=duels.prompts, seed=seed)
    net = by_prompt("win rate", duels.outcomes - 0.5, duels.prompts)
    rest = unseen(len(net), float(np.abs(2 * net.sums / net.counts).sum())) / 2
    low, high = found.value - rest, found.value + rest
    untied = duels.outcomes[duels.outcomes != 0.5]
    if len(untied) and len(net) == len(duels.outcomes):
        exact = binomtest(int(untied.sum()), len(untied)).proportion_ci()
        share = len(untied) / len(net)
        low = min(low, 0.5 + share * (exact.low - 0.5))
        high = max(high, 0.5 + share * (exact.high - 0.5))
    return replace(
        found, ci_low=max(0.0, min(found.ci_low, low)), ci_high=min(1.0, max(found.ci_high, high))
    )


def win_rate(
    before: ArrayLike, after: ArrayLike, *, higher_is_better: bool = True, seed: int = 0
) -> EvalResult:
    """How often `after` beats `before` on the same prompt by score, ties one half."""
    return rate(score_duels(before, after, higher_is_better=higher_is_better), seed=seed)


def _sign_test(wins: int, losses: int) -> float:
    return float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0


def _flip_test(duels: Duels, seed: int) -> float:
    net = by_prompt("win rate", duels.outcomes - 0.5, duels.prompts)
    return sign_flip_p(np.zeros(len(net)), net.sums / net.counts, seed=seed)


def _flips(duels: Duels) -> EvalResult | None:
    """The share of the judged pairs in which the order of display decided."""
    prompts = [prompt for prompt, _ in duels.flipped or ()]
    hits = np.array([flipped for _, flipped in duels.flipped or ()], dtype=bool)
    n = len(set(prompts))
    if n < 2:
        return None
    if n == len(prompts):
        return wilson("flips", int(hits.sum()), n, higher_is_better=False)
    return mean("flips", hits, clusters=prompts, higher_is_better=False)


def _rows(scores: ArrayLike) -> np.ndarray:
    values = np.asarray(scores, dtype=np.float64)
    return values.reshape(len(values), -1)
