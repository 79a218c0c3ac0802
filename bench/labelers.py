"""How surely poor labelers are found, and what weights save: simulated pools with known truth.

    python -m bench.labelers [--seeds 20]

Ten labelers rank four answers, three to a prompt: seven by true score (standard normal) plus
normal noise, one by the score turned round, two at random. Honest labelers agree on 76 % of pairs
at noise 0.6 and on 71 % at noise 0.8; the consensus is of 300 prompts at noise 0.8.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from humanalign.prefer.statistics.agreement import pair_agreement
from humanalign.prefer.statistics.consensus import Consensus, consensus
from humanalign.prefer.statistics.labelers import labelers
from humanalign.prefer.statistics.votes import levels
from humanalign.types import Ranking

POOL = ("good",) * 7 + ("reversed",) + ("random",) * 2
CLEAN = ("good",) * 10
OVERLAP, ANSWERS = 3, 4
Truth = dict[str, dict[str, float]]


def simulated(
    kinds: Sequence[str], *, prompts: int, seed: int, noise: float
) -> tuple[list[Ranking], Truth]:
    """Rankings by a pool, each labeler with as many prompts, and the true scores by prompt."""
    rng = np.random.default_rng(seed)
    rankings, truth = [], {}
    waiting: list[int] = []
    for prompt in range(prompts):
        scores = rng.normal(size=ANSWERS)
        ids = [f"{prompt}-{k}" for k in range(ANSWERS)]
        truth[str(prompt)] = dict(zip(ids, scores.tolist(), strict=True))
        chosen: list[int] = []
        while len(chosen) < OVERLAP:
            if not set(waiting) - set(chosen):
                waiting += rng.permutation(len(kinds)).tolist()
            chosen.append(waiting.pop(next(i for i, u in enumerate(waiting) if u not in chosen)))
        for labeler in chosen:
            own = noise * rng.normal(size=ANSWERS)
            seen = {"good": scores + own, "reversed": own - scores}.get(
                kinds[labeler], rng.normal(size=ANSWERS)
            )
            tiers = tuple((ids[k],) for k in np.argsort(-seen))
            rankings.append(Ranking(str(prompt), f"{kinds[labeler]}-{labeler}", tiers))
    return rankings, truth


def flags(prompts: int, seeds: int, noise: float) -> tuple[Counter, Counter]:
    """(labelers seen, labelers flagged) by kind, and "named" for the reversed who are named so."""
    seen, flagged = Counter(), Counter()
    for seed in range(seeds):
        rankings, _ = simulated(
            POOL, prompts=-(-prompts * len(POOL) // OVERLAP), seed=seed, noise=noise
        )
        for report in labelers(rankings):
            kind = report.id.split("-")[0]
            seen[kind] += 1
            flagged[kind] += report.flagged
            flagged["named"] += kind == "reversed" and report.reason.startswith("reversed")
    return seen, flagged


def recovered(agreed: Sequence[Consensus], truth: Truth) -> float:
    """The share of true pairs that a consensus orders rightly, a tie counting 1/2."""
    marks = []
    for each in agreed:
        scores, mark = truth[each.ranking.comparison_id], levels(each.ranking)
        for a, b in combinations(scores, 2):
            marks.append((1 + np.sign(mark[b] - mark[a]) * np.sign(scores[a] - scores[b])) / 2)
    return float(np.mean(marks))


def recovery(kinds: Sequence[str], seeds: int, weights: dict[str, float] | None) -> float:
    """The mean share of true pairs that weighted Borda recovers; `weights` {} counts all alike."""
    shares = []
    for seed in range(seeds):
        rankings, truth = simulated(kinds, prompts=300, seed=seed, noise=0.8)
        shares.append(recovered(consensus(rankings, weights=weights), truth))
    return float(np.mean(shares))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    seeds = parser.parse_args().seeds
    for noise in (0.6, 0.8):
        rankings, _ = simulated(CLEAN, prompts=2_000, seed=0, noise=noise)
        print(f"noise {noise}: honest labelers agree on {pair_agreement(rankings)}")
        for prompts in (10, 12, 30, 50):
            seen, flagged = flags(prompts, seeds, noise)
            shares = [f"{k} {flagged[k]}/{seen[k]} = {flagged[k] / seen[k]:.1%}" for k in seen]
            print(f"  {prompts} prompts each: flagged {', '.join(sorted(shares))}", end="")
            print(f"; reversed by name {flagged['named']}/{seen['reversed']}")
    print(f"consensus of 300 prompts, {seeds} seeds, true pairs recovered:")
    for name, kinds, weights in (
        ("plain Borda", POOL, {}),
        ("weighted Borda", POOL, None),
        ("clean pool, plain", CLEAN, {}),
        ("clean pool, weighted", CLEAN, None),
    ):
        print(f"  {name}: {recovery(kinds, seeds, weights):.1%}")


if __name__ == "__main__":
    main()
