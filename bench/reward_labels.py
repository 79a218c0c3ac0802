"""A toxicity reward learned from votes on tweets, tried on two corpora that it has never seen.

    python -m bench.reward_labels --data DATA --model MINILM

Davidson et al.'s tweets (votes for hate, offensive, neither; the first two become "toxic") are
learned by five fits of other seeds and other tweets. Each reads a fifth of the tweets that it was
not shown, Surge AI's 1,000 comments and ConvAbuse's chats; the label is chosen by name. Beside it a
logistic regression on TF-IDF, learned from the same tweets, and a list of profanities.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from humanalign.prefer.files.labelled_rows import read_labelled
from humanalign.reward.labels.fit import fit_classifier
from humanalign.reward.labels.measures import auroc, auroc_interval, counted_auroc, majority
from humanalign.reward.recipe import Recipe
from humanalign.reward.trust.logistic import fit_differences
from humanalign.reward.trust.tfidf import Vocabulary, terms_of
from humanalign.rows import read_rows
from humanalign.types import LabelledText

SEEDS = 5
RESAMPLES = 2_000
TOXIC = "toxic"
VOTES = {"hate": "hate_speech", "offensive": "offensive_language", "neither": "neither"}
MERGED = {TOXIC: ["hate", "offensive"]}
ABUSE = {TOXIC: [-1, -2, -3], "neither": [0, 1]}
COMMENTS = {TOXIC: ["Toxic"], "neither": ["Not Toxic"]}
OURS, WORDS, LISTED = "reward for the label toxic", "tf-idf + logistic regression", "profanities"
RECIPE = Recipe(
    lr=1e-4, epochs=1, batch=32, max_tokens=128, dropout=0.1, layer_decay=0.9, warmup=0.1
)


def main() -> None:
    args = _arguments()
    torch.set_num_threads(args.threads)
    data = Path(args.data)
    tweets = read_labelled(
        data / "davidson/labeled_data.csv", text="tweet", votes=VOTES, merge=MERGED
    )
    surge = data / "surge_toxicity"
    others = {
        "surge_toxicity": read_labelled(
            surge / "toxicity_en.csv", label="is_toxic", merge=COMMENTS
        ),
        "convabuse": read_labelled(
            data / "convabuse/valid.csv", text="user", label="is_abuse", merge=ABUSE, empty="skip"
        ),
    }
    listed = {str(row["text"]).lower() for row in read_rows(surge / "profanity_en.csv")}
    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    done = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    for seed in range(len(done), SEEDS):
        done.append(measured(args.model, tweets[: args.rows], others, listed, seed=seed))
        with out.open("a") as file:
            file.write(json.dumps(done[-1]) + "\n")
        print(_told(done[-1]), flush=True)
    _print_table(done)


def measured(
    model: str,
    tweets: Sequence[LabelledText],
    others: Mapping[str, Sequence[LabelledText]],
    listed: set[str],
    *,
    seed: int,
) -> dict:
    """Scores of every text of every corpus that has a majority, and what the fit took."""
    rows = list(tweets)
    random.Random(seed).shuffle(rows)
    fifth = len(rows) // 5
    texts = {row.text for row in rows[:fifth]}
    test, train = rows[:fifth], [row for row in rows[fifth:] if row.text not in texts]
    started = time.monotonic()
    judge = fit_classifier(model, train, test, recipe=RECIPE, seed=seed).reward(TOXIC)
    spent = time.monotonic() - started
    words = _regression(train)
    found = {}
    for name, corpus in {"davidson (held out)": test, **others}.items():
        decided = [row for row in corpus if majority(row) is not None]
        said = [row.text for row in decided]
        found[name] = {
            "texts": said,
            "toxic": [majority(row) == TOXIC for row in decided],
            "scores": {
                OURS: judge.score([""] * len(said), said),
                WORDS: words(said),
                LISTED: [float(sum(term in listed for term in terms_of(text))) for text in said],
            },
        }
    return {"seed": seed, "train": len(train), "seconds": spent, "corpora": found}


def _regression(train: Sequence[LabelledText]):
    """Texts -> log-odds of toxic, by a logistic regression on the majority labels."""
    decided = [row for row in train if majority(row) is not None]
    words = Vocabulary.of([row.text for row in decided])
    sign = np.array([1.0 if majority(row) == TOXIC else -1.0 for row in decided])
    rows = words.rows([row.text for row in decided]).multiply(sign[:, None]).tocsr()
    w = fit_differences(rows, np.ones(len(decided)), strength=1.0)
    return lambda texts: (words.rows(texts) @ w).tolist()


def _told(fit: Mapping) -> str:
    parts = []
    for name, corpus in fit["corpora"].items():
        value = auroc(np.array(corpus["scores"][OURS]), np.array(corpus["toxic"]))
        parts.append(f"{name} {value:.3f}")
    return f"seed {fit['seed']}: {', '.join(parts)} ({fit['train']} tweets, {fit['seconds']:.0f} s)"


def _print_table(done: Sequence[Mapping]) -> None:
    print("\n| AUROC | " + " | ".join(done[0]["corpora"]) + " |\n|-|" + "-|" * 3)
    for row in (OURS, WORDS, LISTED):
        cells = []
        for name in done[0]["corpora"]:
            value, low, high, seeds = _figure([fit["corpora"][name] for fit in done], row)
            cells.append(f"{value:.3f} [{low:.3f}, {high:.3f}] ({seeds})")
        print(f"| {row} | {' | '.join(cells)} |")


def _figure(fits: Sequence[Mapping], row: str) -> tuple[float, float, float, str]:
    """The mean AUROC over the fits, with an interval over texts, and each fit's own.

    Where all fits read the same texts these are resampled together; the held-out tweets are
    others for each fit, and the mean of their intervals is given.
    """
    own = [auroc(np.array(f["scores"][row]), np.array(f["toxic"])) for f in fits]
    seeds = " ".join(f"{value:.3f}" for value in own)
    if all(fit["texts"] == fits[0]["texts"] for fit in fits):
        toxic = np.array(fits[0]["toxic"])
        n = len(toxic)
        counts = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
        drawn = [counted_auroc(np.array(fit["scores"][row]), toxic, counts) for fit in fits]
        low, high = np.nanquantile(np.mean(drawn, axis=0), [0.025, 0.975])
    else:
        found = [auroc_interval(f["scores"][row], f["toxic"], f["texts"]) for f in fits]
        low, high = np.mean([[each.ci_low, each.ci_high] for each in found], axis=0)
    return float(np.mean(own)), float(low), float(high), seeds


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="a toxicity reward across corpora")
    parser.add_argument("--data", required=True, help="the folder of the public sets")
    parser.add_argument("--model", required=True, help="the backbone")
    parser.add_argument("--rows", type=int, help="only the first N tweets")
    parser.add_argument("--out", default="runs/rewards/labels.jsonl")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
