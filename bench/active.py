"""How many labels active choice saves: the same pool, start, labelers and price, five seeds.

    OMP_NUM_THREADS=1 python -m bench.active world --repeats 2 --seeds 10 100 101 102 103 [--fit]
    OMP_NUM_THREADS=1 python -m bench.active hh --repeats 1 --data DATA --model MINILM

Every way of choosing begins with the same START random comparisons and go on in batches of BATCH,
one comparison a prompt and batch. Accuracy is that of the linear head on the backbone's frozen
features, on held-out prompts (in the world: on every pair of answers whose true utilities
differ). The level to reach is what random choice reaches with FULL labels, with 300 and with 200;
curves are the mean of --repeats starts, made monotone, and read off linearly. In the world there
is a third way, "told": a chooser who is told the exact utilities, as no chooser can be, and asks
what is clear to people and least clear to the head. It bounds what choosing can save. With --fit
the real reward model is fitted as well, at FITS labels.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from scipy import stats

from bench.active_pools import MODEL, GivenLabels, Pool, Texts, WorldLabels, harmless, world
from humanalign.reward.active import Choice, Edge, choose
from humanalign.reward.fit import fit_reward
from humanalign.reward.posterior import Posterior, learn
from humanalign.reward.recipe import Recipe
from humanalign.types import PreferencePair

Way = Choice | Literal["told"]
WAYS: tuple[Choice, ...] = ("random", "information")
START, BATCH, FULL = 40, 40, 400
LEVELS = (FULL, 320, 200)
FITS = (240, 400)
# The told chooser asks about gaps in utility above CLEAR: one deviation of a careful labeler.
CLEAR = 0.15
# As in `humanalign demo`.
RECIPE = Recipe(lr=2e-3, epochs=3, batch=4)
Labels = WorldLabels | GivenLabels
Curve = dict[int, float]


def main() -> None:
    args = _arguments()
    torch.set_num_threads(1)
    results = []
    for seed in args.seeds:
        results.append(_seed(args, seed))
        _show(results)
        if args.out:
            args.out.write_text(json.dumps(_table(results) | {"seeds": results}, indent=1))


def _seed(args: argparse.Namespace, seed: int) -> dict:
    """One seed's mean curves by way of choosing, and with --fit the real fits' accuracies."""
    pool = world(seed) if args.set == "world" else harmless(args.data, args.model, seed)

    def labels(repeat: int) -> Labels:
        if args.set == "world":
            return WorldLabels(pool.texts, 1000 * seed + repeat)
        return GivenLabels()

    curves = {
        way: _mean([learned(pool, labels(r), way, r) for r in range(args.repeats)])
        for way in _ways(args.set)
    }
    row = {"seed": seed, "tested": len(pool.right), "curves": curves}
    if args.fit:
        row["fits"] = {way: fitted(pool, labels(0), way, seed) for way in WAYS}
    return row


def _ways(name: str) -> tuple[Way, ...]:
    return (*WAYS, "told") if name == "world" else WAYS


def learned(pool: Pool, labels: Labels, way: Way, repeat: int) -> Curve:
    """The linear head's accuracy after so many labels."""
    curve: Curve = {}
    for asked, posterior in _loop(pool, labels, way, repeat):
        curve[asked] = pool.accuracy(posterior.mean)
    return curve


def fitted(pool: Pool, labels: Labels, way: Way, seed: int) -> Curve:
    """The accuracy of `fit_reward` on the same labels, at FITS of them."""
    curve: Curve = {}
    held_out = _pairs(pool.tested, pool.right)
    for asked, _ in _loop(pool, labels, way, 0):
        if asked in FITS:
            chosen, rejected, _ = labels.judged(ties=False)
            train = _pairs(pool.texts, np.stack([chosen, rejected], 1))
            reward = fit_reward(MODEL, train, held_out, recipe=RECIPE, seed=seed)
            curve[asked] = reward.accuracy.value if reward.accuracy else float("nan")
    return curve


def _loop(pool: Pool, labels: Labels, way: Way, repeat: int) -> Iterator[tuple[int, Posterior]]:
    """Ask, learn, ask: yields (labels so far, what is known) after every batch."""
    known: list[Edge] = []
    posterior = learn(pool.answers, *labels.judged())
    while len(known) < FULL:
        seed = 1000 * repeat + len(known)
        if known and way == "told":
            edges = told(pool, posterior, known, seed)
        else:
            by: Choice = way if known and way != "told" else "random"
            n = BATCH if known else START
            chosen = choose(pool.answers, posterior, n, by=by, known=known, seed=seed)
            edges = [(min(each.answers), max(each.answers)) for each in chosen]
        labels.ask(edges)
        known += edges
        posterior = learn(pool.answers, *labels.judged())
        yield len(known), posterior


def told(pool: Pool, posterior: Posterior, known: Sequence[Edge], seed: int) -> list[Edge]:
    """The next batch of one who knows the utilities: clear pairs, by lot those of small gaps."""
    luck = np.random.default_rng(seed)
    scores = posterior.scores(pool.answers.features)
    utilities, asked, prompts = pool.texts.utilities(), set(known), set[int]()
    value: dict[Edge, float] = {}
    for a, b in pool.answers.edges().tolist():
        clear = abs(utilities[a] - utilities[b]) > CLEAR  # False where one of them is no use
        value[a, b] = float(abs(scores[a] - scores[b])) / (0.05 + luck.random())
        value[a, b] += 0 if clear else 1e6
    edges = []
    for edge in sorted(value, key=lambda each: value[each]):
        if len(edges) < BATCH and edge not in asked and pool.texts.group[edge[0]] not in prompts:
            edges.append(edge)
            prompts.add(pool.texts.group[edge[0]])
    return edges


def needed(curve: Mapping[int, float], level: float) -> float:
    """The labels at which a curve reaches a level for good measure: inf where it never does.

    The curve is made monotone first, since more labels do not make a learner worse but by luck.
    """
    counts = sorted(curve)
    values = np.maximum.accumulate([curve[count] for count in counts])
    if values[-1] < level:
        return float("inf")
    at = int(np.argmax(values >= level))
    if at == 0:
        return float(counts[0])
    share = (level - values[at - 1]) / (values[at] - values[at - 1])
    return float(counts[at - 1] + share * (counts[at] - counts[at - 1]))


def _table(results: Sequence[Mapping]) -> dict:
    """Per level and way: labels needed over those of random choice, with its interval."""
    rows = {}
    ways = [way for way in results[0]["curves"] if way != "random"]
    for level in LEVELS:
        for way in ways:
            ratios = []
            for each in results:
                random = {int(k): v for k, v in each["curves"]["random"].items()}
                target = max(v for k, v in random.items() if k <= level)
                mine = needed(each["curves"][way], target)
                ratios.append(min(mine, FULL) / needed(random, target))
            rows[f"{way} at {level}"] = {"ratios": ratios, **_interval(ratios)}
    return {"labels needed, as a share of random choice's": rows, **_differences(results)}


def _differences(results: Sequence[Mapping]) -> dict:
    """Of the real fits: active choice with fewer labels against random choice with all of them."""
    if "fits" not in results[0]:
        return {}
    pairs = [(count, FULL) for count in FITS] + [(count, count) for count in FITS[:-1]]
    return {
        "real fit: accuracy of information at N less random at M": {
            f"{n} less {m}": _interval(
                [each["fits"]["information"][n] - each["fits"]["random"][m] for each in results]
            )
            for n, m in pairs
        }
    }


def _interval(values: Sequence[float]) -> dict[str, float]:
    """The mean over seeds with Student's 95 % interval."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return {"value": mean}
    half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
    return {"value": mean, "ci_low": mean - half, "ci_high": mean + half, "n": len(values)}


def _mean(curves: Sequence[Curve]) -> Curve:
    return {count: float(np.mean([each[count] for each in curves])) for count in curves[0]}


def _pairs(texts: Texts, rows: np.ndarray) -> list[PreferencePair]:
    return [
        PreferencePair(texts.prompts[a].text, texts.words[a], texts.words[b])
        for a, b in rows.tolist()
    ]


def _show(results: Sequence[Mapping]) -> None:
    print(f"\nafter {len(results)} seeds; accuracy by labels")
    for way in results[0]["curves"]:
        mean = _mean([each["curves"][way] for each in results])
        shown = [f"{count}: {mean[count]:.3f}" for count in (40, 80, 120, 160, 200, 240, 320, FULL)]
        print(f"{way:<14}", "  ".join(shown))
    for name, part in _table(results).items():
        print(name)
        for label, row in part.items():
            interval = f"[{row['ci_low']:.3f}, {row['ci_high']:.3f}]" if "ci_low" in row else ""
            each = "  ".join(f"{value:.2f}" for value in row.get("ratios", ()))
            print(f"  {label:<22} {row['value']:.3f} {interval}  {each}", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("set", choices=["world", "hh"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--repeats", type=int, default=4, help="starts whose curves are averaged")
    parser.add_argument("--fit", action="store_true", help="the real reward model too (world)")
    parser.add_argument("--data", type=Path, help="the folder of public data sets (hh)")
    parser.add_argument("--model", help="the frozen backbone (hh)")
    parser.add_argument("--out", type=Path, help="write the numbers as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
