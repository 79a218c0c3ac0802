"""Are the numbers of `evaluate` to be believed? Three simulations, one command each.

    python -m bench.honest coverage     how often each kind of interval holds the truth
    python -m bench.honest null         the same model twice: how often is something "improved"?
    python -m bench.honest power        a planted effect: found as often as power.py promises?

Every share is printed with Wilson's 95 % interval. `null` samples the bundled model on the bundled
world once (some minutes) and keeps the scores in runs/honest-pool.npz.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from humanalign.evaluate.paired import Paired, adjust, compare
from humanalign.evaluate.perplexity import compared as compared_perplexity
from humanalign.evaluate.power import chance
from humanalign.evaluate.statistics import (
    Array,
    Clusters,
    Undefined,
    bootstrap,
    difference,
    mean,
    proportion,
    relative_reduction,
)
from humanalign.evaluate.winrate import win_rate
from humanalign.intervals import wilson
from humanalign.types import EvalResult

POOL = Path("runs/honest-pool.npz")
# Seeds of resampling are the same throughout: what varies is the data.
SEED = 0
SIZES = (500, 100, 20, 10)


@dataclass(frozen=True)
class Kind:
    """A kind of interval: how to draw its data for n prompts, what to compute, what is true."""

    name: str
    draw: Callable[[np.random.Generator, int], tuple[Array, ...]]
    estimate: Callable[..., EvalResult | Undefined]
    truth: float


def kinds() -> list[Kind]:
    """Every kind of interval that `evaluate` gives, on skewed and on clustered data."""
    wins = float(_win_truth())
    return [
        Kind("mean, skewed", _skewed_before, lambda x: mean("m", x, seed=SEED), 0.2),
        Kind("mean, 4 answers a prompt", _clustered, lambda x: mean("m", x, seed=SEED), 0.0),
        Kind(
            "paired difference, skewed",
            _skewed,
            lambda b, a: difference("m", b, a, seed=SEED),
            -0.04,
        ),
        Kind(
            "paired difference, 4 answers a prompt",
            _clustered_pair,
            lambda b, a: difference("m", b, a, seed=SEED),
            0.1,
        ),
        Kind(
            "relative reduction, skewed",
            _skewed,
            lambda b, a: relative_reduction("m", b, a, seed=SEED),
            0.2,
        ),
        Kind("win rate with ties", _ordinal, lambda b, a: win_rate(b, a, seed=SEED), wins),
        Kind("share (Wilson)", _hits, lambda x: proportion("m", x, seed=SEED), 0.1),
        Kind("share, 4 answers a prompt", _hits_of_4, lambda x: proportion("m", x, seed=SEED), 0.2),
        Kind(
            "perplexity, unequal lengths",
            _words,
            _perplexity,
            float(np.exp(1.5)),
        ),
    ]


def covered(kind: Kind, n: int, repeats: int) -> tuple[int, int]:
    """(intervals that hold the truth, intervals that are defined) of `repeats` data sets."""
    rng = np.random.default_rng(n)
    held = defined = 0
    for _ in range(repeats):
        found = kind.estimate(*kind.draw(rng, n))
        if isinstance(found, EvalResult):
            defined += 1
            held += found.ci_low <= kind.truth <= found.ci_high
    return held, defined


def coverage(repeats: int) -> None:
    """Print the coverage of every kind for many prompts and for few."""
    print(f"Coverage of 95 % intervals, {repeats} data sets each")
    for kind in kinds():
        told = []
        for n in SIZES:
            held, defined = covered(kind, n, repeats)
            told.append(f"n={n}: {_share(held, defined)}")
        print(f"  {kind.name:38} {'   '.join(told)}", flush=True)


def _skewed(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """Like toxicity: most prompts near 0, some near 1; after, a fifth of each score is gone."""
    before = rng.beta(0.25, 1.0, size=n)
    return before, before * rng.beta(8, 2, size=n)


def _skewed_before(rng: np.random.Generator, n: int) -> tuple[Array]:
    return (_skewed(rng, n)[0],)


def _clustered(rng: np.random.Generator, n: int) -> tuple[Array]:
    """Four answers to a prompt share its level; levels are skewed with mean 0."""
    level = rng.exponential(size=(n, 1)) - 1
    return (level + 0.5 * rng.normal(size=(n, 4)),)


def _clustered_pair(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """Prompts differ in level and in how much they gain: .1 on average."""
    (before,) = _clustered(rng, n)
    gain = 0.4 * (rng.exponential(size=(n, 1)) - 1) + 0.1
    return before, before + gain + 0.3 * rng.normal(size=(n, 4))


def _ordinal(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """Scores of 0 to 3, so that many prompts tie."""
    return rng.binomial(3, 0.4, size=n).astype(float), rng.binomial(3, 0.5, size=n).astype(float)


def _win_truth() -> float:
    """P(after > before) + P(tie) / 2 of `_ordinal`, by summing over all outcomes."""
    before, after = (
        np.array([(1 - p) ** 3, 3 * p * (1 - p) ** 2, 3 * p**2 * (1 - p), p**3]) for p in (0.4, 0.5)
    )
    joint = np.outer(before, after)
    return np.triu(joint, 1).sum() + np.trace(joint) / 2


def _hits(rng: np.random.Generator, n: int) -> tuple[Array]:
    return (rng.random(n) < 0.1,)  # pyright: ignore[reportReturnType]


def _hits_of_4(rng: np.random.Generator, n: int) -> tuple[Array]:
    """A prompt's own chance is beta distributed around .2."""
    chance_of = rng.beta(0.5, 2.0, size=(n, 1))
    return (rng.random((n, 4)) < chance_of,)  # pyright: ignore[reportReturnType]


def _words(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """Nats and tokens of answers of unequal length: 1.5 nats a token, by prompt more or less."""
    tokens = rng.integers(1, 60, size=n).astype(float)
    return tokens * rng.gamma(4.0, 1.5 / 4.0, size=n), tokens


def _perplexity(nats: Array, tokens: Array) -> EvalResult:
    found = bootstrap([nats, tokens], lambda a, n: np.exp(a / n), SEED)
    return EvalResult("perplexity", *found, len(nats))


def null(repeats: int, prompts: int, answers: int) -> None:
    """Print how often the same model, sampled twice, is said to have changed."""
    pool = pool_of(prompts, answers)
    shown = null_findings(pool, repeats)
    names = sorted({name for found in shown for name in found})
    hits = sum(bool(found) for found in shown)
    print(
        f"The same model twice, {prompts} prompts, {len(pool) - 1} measures, {repeats} repeats: "
        f'something "improved", "worse" or "changed" in {_share(hits, repeats)}'
    )
    improved = sum(any(word == "improved" for word in found.values()) for found in shown)
    print(f'  "improved" in {_share(improved, repeats)}')
    for name in names:
        print(f"  {name:12} {sum(name in found for found in shown)}")


def null_findings(pool: Mapping[str, Array], repeats: int) -> list[dict[str, str]]:
    """The verdicts other than "no difference shown" of each repeat, by measure.

    Each repeat draws two different answers to every prompt, one for each side: they share none.
    """
    rng = np.random.default_rng(1)
    shape = pool["length"].shape
    found = []
    for _ in range(repeats):
        order = rng.random(shape).argsort(axis=1)[:, :2]
        sides = [
            {
                name: np.take_along_axis(scores, order[:, k : k + 1], 1)[:, 0]
                for name, scores in pool.items()
            }
            for k in (0, 1)
        ]
        family = adjust(family_of(*sides))
        found.append({name: each.verdict for name, each in family.items() if each.shown})
    return found


def family_of(before: Mapping[str, Array], after: Mapping[str, Array]) -> dict[str, Paired]:
    """Every measure of two sides compared, as `evaluate` does."""
    family = {
        name: compare(
            name,
            scores,
            after[name],
            better="lower" if name == "toxicity" else "higher",
            seed=SEED,
        )
        for name, scores in before.items()
        if name not in ("nats", "tokens")
    }
    first, second = (Clusters(side["nats"], side["tokens"]) for side in (before, after))
    return family | {"perplexity": compared_perplexity(first, second, SEED)}


def pool_of(prompts: int, answers: int) -> dict[str, Array]:
    """Scores [prompts, answers] of many answers to prompts of the bundled world, kept on disk."""
    if POOL.is_file():
        kept = dict(np.load(POOL))
        if kept["length"].shape == (prompts, answers):
            return kept
    pool = sampled_pool(prompts, answers)
    POOL.parent.mkdir(exist_ok=True)
    np.savez(POOL, allow_pickle=False, **pool)
    return pool


def sampled_pool(prompts: int, answers: int) -> dict[str, Array]:
    """Sample the bundled model and measure every answer."""
    from humanalign.evaluate.honesty.likelihood import answer_logprobs
    from humanalign.evaluate.measures import measure
    from humanalign.models import Policy
    from humanalign.reward.sources import resolve
    from humanalign.sampling import Sampling, complete
    from humanalign.tiny.world import prompts as world_prompts

    policy, asked = Policy.load("tiny-instruct"), world_prompts("test", prompts, 0)
    scorers = {
        "toxicity": resolve("python:humanalign.tiny.gold:toxicity_scores"),
        "utility": resolve("python:humanalign.tiny.gold:utilities"),
    }
    texts = [policy.render(prompt) for prompt in asked]
    said = complete(policy, texts, Sampling(max_new_tokens=48), samples=answers, batch_size=256)
    scores = measure(asked, said, scorers).scores
    flat = [answer.text for row in said for answer in row]
    sums, counts = answer_logprobs(policy, [t for t in texts for _ in range(answers)], flat)
    shape = (prompts, answers)
    return scores | {"nats": -sums.reshape(shape), "tokens": counts.reshape(shape).astype(float)}


def power(repeats: int) -> None:
    """Print the power that is promised and the share of data sets in which the effect is found."""
    print(f"Planted: the mean falls by 10 %, n = 500, {repeats} data sets each")
    for redrawn in (0.15, 0.3, 0.6):
        for looks in (1, 9):
            promised, found = promise_and_finds(redrawn, looks=looks, n=500, repeats=repeats)
            print(
                f"  {100 * redrawn:.0f} % of the answers are new, {looks} measures: "
                f"promised {100 * promised:.1f} %, found {_share(found, repeats)}",
                flush=True,
            )


def promise_and_finds(redrawn: float, *, looks: int, n: int, repeats: int) -> tuple[float, int]:
    """(mean power promised from the spread of each data set, times the effect was found).

    Scores like toxicity; a share `redrawn` of the prompts gets a new answer, so much better that
    the mean of all falls by 10 %. The other `looks` - 1 measures of the family did not change.
    """
    rng = np.random.default_rng(looks)
    others = dict.fromkeys((f"other {i}" for i in range(looks - 1)), NULL)
    promised, found = [], 0
    for _ in range(repeats):
        before, again = rng.beta(0.5, 2.0, size=(2, n))
        after = np.where(rng.random(n) < redrawn, (1 - 0.1 / redrawn) * again, before)
        paired = compare("toxicity", before, after, better="lower", seed=SEED)
        found += adjust({"toxicity": paired, **others})["toxicity"].verdict == "improved"
        promised.append(chance(paired.difference, -0.02, looks=looks))
    return float(np.mean(promised)), found


_NOTHING = EvalResult("other", 0.0, -1.0, 1.0, 500)
NULL = Paired(
    "other",
    before=_NOTHING,
    after=_NOTHING,
    difference=_NOTHING,
    relative_reduction=Undefined("other", "nothing changed", 500),
    p=1.0,
    p_holm=1.0,
)


def _share(hits: int, n: int) -> str:
    low, high = wilson(hits / n, n)
    return f"{100 * hits / n:.1f} % [{100 * low:.1f}, {100 * high:.1f}] of {n}"


def main(argv: Sequence[str] | None = None) -> None:
    """Run the simulation that is named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("what", choices=("coverage", "null", "power"))
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--prompts", type=int, default=500)
    parser.add_argument("--answers", type=int, default=24)
    asked = parser.parse_args(argv)
    if asked.what == "coverage":
        coverage(asked.repeats or 2000)
    elif asked.what == "null":
        null(asked.repeats or 200, asked.prompts, asked.answers)
    else:
        power(asked.repeats or 1000)


if __name__ == "__main__":
    main()
