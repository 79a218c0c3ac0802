"""Small worlds for the tests of the preference room: weak orders, filled stores, noisy pools."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np

from humanalign.prefer.store import FeedbackStore
from humanalign.types import Comparison, Completion, Prompt, Ranking, Rater, Sampler

MODEL = Sampler("test-model")


def weak_orders(cards: int) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Every weak order of the cards 0..cards-1, as tiers, by trying every dense assignment."""
    for ranks in product(range(cards), repeat=cards):
        if set(ranks) == set(range(max(ranks) + 1)):
            tiers = [[card for card in range(cards) if ranks[card] == r] for r in set(ranks)]
            yield tuple(tuple(tier) for tier in tiers)


def filled(path: Path, cards: int, prompts: int = 1) -> tuple[FeedbackStore, list[Comparison]]:
    """A store with `prompts` comparisons of `cards` answers, and the rater "ann"."""
    store = FeedbackStore(path)
    asked = [Prompt(f"prompt {n}") for n in range(prompts)]
    answers = [Completion(p.id, f"{p.text} answer {k}", MODEL) for p in asked for k in range(cards)]
    store.add(asked, answers)
    ids = [answer.id for answer in answers]
    comparisons = [
        Comparison(p.id, tuple(ids[n * cards : (n + 1) * cards])) for n, p in enumerate(asked)
    ]
    store.ask(comparisons)
    store.add_rater(Rater("ann"))
    return store, comparisons


def pool(
    kinds: list[str], *, prompts: int, seed: int, overlap: int = 3, noise: float = 0.8
) -> tuple[list[Ranking], dict[str, dict[str, float]]]:
    """Rankings of four answers by noisy labelers, and the true scores by comparison.

    A good labeler ranks by true score + noise, a reversed one the other way round, a random one
    by nothing. Work is dealt in turns, so that each labeler sees as many prompts as the others.
    """
    rng = np.random.default_rng(seed)
    deal = np.concatenate(
        [rng.permutation(len(kinds)) for _ in range(prompts * overlap // len(kinds) + overlap)]
    ).tolist()
    rankings, truth = [], {}
    for prompt in range(prompts):
        scores = rng.normal(size=4)
        ids = [f"{prompt}-{k}" for k in range(4)]
        truth[str(prompt)] = dict(zip(ids, scores.tolist(), strict=True))
        chosen: list[int] = []
        while len(chosen) < overlap:
            chosen.append(deal.pop(next(i for i, u in enumerate(deal) if u not in chosen)))
        for labeler in chosen:
            seen = {
                "good": scores + noise * rng.normal(size=4),
                "reversed": -scores + noise * rng.normal(size=4),
                "random": rng.normal(size=4),
            }[kinds[labeler]]
            tiers = tuple((ids[k],) for k in np.argsort(-seen))
            rankings.append(Ranking(str(prompt), f"{kinds[labeler]}-{labeler}", tiers))
    return rankings, truth
