"""How often `gold_falls` rings, over all looks of a run, where gold stands still.

    python -m bench.overoptimisation_null --repeats 600

Golds of 200 prompts are drawn afresh at each look around a mean of their own that never moves; the
noise of an answer follows that of the look before by phi, as it does where the policy hardly
changes. The highest look is then no better than the others, and every alert is a false one. Printed
beside it: how often the 95 % interval of the chosen look, which was picked for being high, holds
the true gold.
"""

from __future__ import annotations

import argparse

import numpy as np

from humanalign.evaluate.monitor.looks import Look, choose, fallen
from humanalign.intervals import wilson

PROMPTS = 200


def golds(looks: int, phi: float, seed: int) -> np.ndarray:
    """[looks, prompts] around a mean of 0."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(looks, PROMPTS))
    for i in range(1, looks):
        noise[i] = phi * noise[i - 1] + (1 - phi * phi) ** 0.5 * noise[i]
    return rng.normal(size=PROMPTS) + noise


def one(looks: int, phi: float, seed: int) -> tuple[bool, bool]:
    """Whether the run rings at any look, and whether its chosen look's interval holds 0."""
    nothing = {"value": 0.0}
    drawn = golds(looks, phi, seed)
    known = [Look(i, nothing, nothing, {"value": r.mean()}, tuple(r)) for i, r in enumerate(drawn)]
    rang = any(fallen(known[:n]) for n in range(3, looks + 1))
    best = drawn[choose(known) or 0]
    return rang, abs(best.mean()) < 1.96 * best.std(ddof=1) / PROMPTS**0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=600)
    repeats = parser.parse_args().repeats
    print("| looks | phi | rang | 95 % | interval of the chosen look holds |\n|-|-|-|-|-|")
    for looks in (12, 50, 100):
        for phi in (0.0, 0.5, 0.9):
            found = np.mean([one(looks, phi, seed) for seed in range(repeats)], axis=0)
            low, high = wilson(float(found[0]), repeats)
            print(
                f"| {looks} | {phi} | {found[0]:.1%} | {low:.1%} to {high:.1%} | {found[1]:.0%} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
