"""Seconds of the statistics, on one core: consensus, agreement, labelers, the owner's summary.

    OMP_NUM_THREADS=1 taskset -c 0 python -m bench.statistics

10,000 prompts x 5 raters x 4 completions, and 20,000 items x 5 of 60 raters with times, orders of
display and two models. Prints seconds (wall and processor) and a digest of the result, which is the
same for the same input.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

import numpy as np

from humanalign.prefer.statistics.agreement import agreement
from humanalign.prefer.statistics.consensus import consensus
from humanalign.prefer.statistics.labelers import labelers
from humanalign.prefer.statistics.overlap import further
from humanalign.prefer.statistics.summary import Timed, summarise
from humanalign.types import Ranking


def answers(items: int, raters: int, overlap: int) -> list[Ranking]:
    """Rankings of four completions with some ties and F marks, `overlap` of `raters` an item."""
    rng = np.random.default_rng(0)
    rankings = []
    for item in range(items):
        scores = rng.normal(size=4)
        for rater in rng.permutation(raters)[:overlap].tolist():
            order = np.argsort(-(scores + 0.7 * rng.normal(size=4)))
            tiers = [(f"c{item}-{k}",) for k in order.tolist()]
            if rng.random() < 0.1:
                tiers = [tiers[0] + tiers[1], *tiers[2:]]
            rejected = tiers.pop() if rng.random() < 0.05 else ()
            rankings.append(Ranking(f"i{item:05d}", f"u{rater:02d}", tuple(tiers), rejected))
    return rankings


def timed(name: str, action: Callable[[], object]) -> None:
    """Print how long `action` takes and what its result's text hashes to."""
    wall, processor = time.perf_counter(), time.process_time()
    result = action()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    digest = hashlib.sha256(repr(result).encode()).hexdigest()[:12]
    print(f"{name}: {wall:.2f} s ({processor:.2f} s of processor), {digest}")


def main() -> None:
    rankings = answers(10_000, 5, 5)
    print("10,000 prompts x 5 raters x 4 completions")
    timed("  consensus", lambda: consensus(rankings))
    timed("  agreement", lambda: agreement(rankings))
    timed("  labelers", lambda: labelers(rankings))
    many = answers(20_000, 60, 5)
    rng = np.random.default_rng(1)
    times = [Timed(r.comparison_id, r.rater_id, 60 * rng.random(), 20.0) for r in many]
    shown = {(r.comparison_id, r.rater_id): tuple(sorted(r.completion_ids())) for r in many}
    models = {c: c[-1] for r in many for c in r.completion_ids()}
    asked = {r.comparison_id: 5 for r in many}
    print("100,000 answers: 20,000 items x 5 of 60 raters")
    timed("  summary", lambda: summarise(many, answers=times, shown=shown, models=models))
    timed("  further labelers", lambda: further(many, asked=asked, base=5, most=7))


if __name__ == "__main__":
    main()
