"""Reward models on public preferences: five folds by prompt, beside what a sceptic would ask for.

    python -m bench.rewards hh --data DATA --model MINILM
    python -m bench.rewards hh --data DATA --model MINILM lr=5e-5 epochs=2

The sets are hh, summarize, pandalm and llmbar; any key of `humanalign reward` may follow. Each fold
is fitted with a seed of its own and tested on prompts that no fit of it has seen; no prompt is in
two tests, so the pooled accuracy is over independent prompts. With `--first` the backbone is what a
fit to the other sets made of it (intermediate training: Phang et al. 2018, arXiv 1811.01088). One
line a fold goes to `--out` as soon as it is there, and the same command again goes on after it;
`--with FILE ...` adds the scores of other such files, fold by fold, as an ensemble does.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from bench.reward_data import FOLDS, SETS, folds, other_pairs
from humanalign.config import load
from humanalign.intervals import mean_interval
from humanalign.reward.fit import fit_reward
from humanalign.reward.model import LearnedReward
from humanalign.reward.recipe import Recipe
from humanalign.reward.trust.baselines import (
    FROZEN,
    LONGER,
    TFIDF,
    frozen_gaps,
    longer_wins,
    tfidf_gaps,
)
from humanalign.reward.trust.scored import right_of, score_texts, scored
from humanalign.settings import RewardConfig
from humanalign.types import EvalResult, PreferencePair
from humanalign.verbs.training import recipe_of

OURS = "reward model"
ROWS = (OURS, LONGER, TFIDF, FROZEN)


def main() -> None:
    args = _arguments()
    torch.set_num_threads(args.threads)
    chosen = SETS[args.set]
    given = [f"model={args.model}", "pairs=-", f"max_tokens={chosen.max_tokens}", *args.recipe]
    recipe = recipe_of(load(RewardConfig, None, given))
    pairs = chosen.read(Path(args.data) / chosen.file)
    name = f"{args.set}_after_others" if args.first else args.set
    out = Path(args.out or f"runs/rewards/{name}.jsonl")
    out.parent.mkdir(parents=True, exist_ok=True)
    start = args.model
    if args.first:
        start = str(taught_first(args, recipe, out.with_suffix("")) / "model")
    done = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    for fold, (train, test) in enumerate(folds(pairs)):
        if fold >= len(done):
            done.append(measured(start, train, test, recipe=recipe, seed=fold))
            with out.open("a") as file:
                file.write(json.dumps(done[-1]) + "\n")
            print(_told(done[-1]), flush=True)
    joined = [_joined(fold, others) for fold, others in zip(done, _beside(args), strict=True)]
    _print_table(name, joined)


def taught_first(args: argparse.Namespace, recipe: Recipe, place: Path) -> Path:
    """The run of a fit to the other sets; what it is worth there is in its summary."""
    fit_reward(args.model, other_pairs(Path(args.data), args.set), recipe=recipe, run=place)
    return place


def measured(
    model: str,
    train: Sequence[PreferencePair],
    test: Sequence[PreferencePair],
    *,
    recipe: Recipe,
    seed: int,
) -> dict:
    """Who is right on which held-out pair of one fold, and what the fit took."""
    started = time.monotonic()
    reward = fit_reward(model, train, test, recipe=recipe, seed=seed)
    spent = time.monotonic() - started
    held = scored(test, score_texts(reward, test))
    start = LearnedReward.start(model, pooling="mean", max_tokens=recipe.max_tokens)
    gaps = {
        OURS: held.gaps,
        LONGER: longer_wins(held.pairs),
        TFIDF: tfidf_gaps(train, held.pairs, seed=seed),
        FROZEN: frozen_gaps(train, held.pairs, start, seed=seed),
    }
    return {
        "seed": seed,
        "train": len(train),
        "seconds": spent,
        "prompts": held.prompts,
        "gaps": held.gaps.tolist(),
        "right": {name: right_of(np.asarray(gap)).tolist() for name, gap in gaps.items()},
    }


def _beside(args: argparse.Namespace) -> list[list[dict]]:
    """The same folds of the files that are named beside this one."""
    files = [Path(name).read_text().splitlines() for name in args.beside]
    return [[json.loads(lines[fold]) for lines in files] for fold in range(FOLDS)]


def _joined(fold: Mapping, others: Sequence[Mapping]) -> dict:
    """The fold with the mean score of several fits in place of its own."""
    gaps = np.mean([each["gaps"] for each in (fold, *others)], axis=0)
    return {**fold, "right": {**fold["right"], OURS: right_of(gaps).tolist()}}


def _told(fold: Mapping) -> str:
    shares = ", ".join(f"{name} {np.mean(fold['right'][name]):.3f}" for name in ROWS)
    pairs = f"{fold['train']} + {len(fold['prompts'])} pairs"
    return f"seed {fold['seed']}: {shares} ({pairs}, {fold['seconds']:.0f} s)"


def _print_table(name: str, done: Sequence[Mapping]) -> None:
    prompts = [prompt for fold in done for prompt in fold["prompts"]]
    rights = {row: [x for fold in done for x in fold["right"][row]] for row in ROWS}
    print(f"\n{name}: {len(done)} folds, {len(prompts)} pairs, {len(set(prompts))} prompts tested")
    print("| | accuracy | by seed | reward model minus this |\n|-|-|-|-|")
    for row in ROWS:
        seeds = " ".join(f"{np.mean(fold['right'][row]):.3f}" for fold in done)
        own = _brief(mean_interval(rights[row], prompts, metric=row))
        gain = [a - b for a, b in zip(rights[OURS], rights[row], strict=True)]
        ahead = "" if row == OURS else _brief(mean_interval(gain, prompts, metric="gain"))
        print(f"| {row} | {own} | {seeds} | {ahead} |")


def _brief(found: EvalResult) -> str:
    return f"{found.value:.3f} [{found.ci_low:.3f}, {found.ci_high:.3f}]"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="reward models on public preferences")
    parser.add_argument("set", choices=SETS)
    parser.add_argument("recipe", nargs="*", help="keys of `humanalign reward`, as key=value")
    parser.add_argument("--data", required=True, help="the folder of the public sets")
    parser.add_argument("--model", required=True, help="the backbone")
    parser.add_argument("--first", action="store_true", help="learn the other sets first")
    parser.add_argument("--with", dest="beside", nargs="*", default=[], help="files of other fits")
    parser.add_argument("--out", help="file with one line a fold")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_intermixed_args()


if __name__ == "__main__":
    main()
