"""Fit a classifier to texts with labels, from hard labels or shares of votes; a label is a reward.

Recipe, loop, averaging, early stopping and resume are those of a fit to pairs; only rows and loss
differ (loss.py). What is saved is an ordinary AutoModelForSequenceClassification.

A text longer than `max_tokens` keeps its end, as answers do: what is trained on is what is scored.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from humanalign.errors import ConfigError
from humanalign.reward.labels.loss import Lesson, label_loss, label_weights, lessons_of, pieces
from humanalign.reward.labels.measures import cluster_of, majority, measures
from humanalign.reward.labels.model import Classifier, start_classifier
from humanalign.reward.labels.rows import Rows, label_shares, labels_of, part_of, split_texts
from humanalign.reward.learn import learn
from humanalign.reward.native import check_ends
from humanalign.reward.recipe import Recipe, settings_of
from humanalign.reward.trainable import choose_trainable, merged
from humanalign.reward.trust.calibration import calibration
from humanalign.run import Run
from humanalign.train import Loss

# Held-out texts that a run keeps for people to read: those it was most wrong about.
MOST_WRONG = 50
# Two answers to one prompt, or an answer at all, give these a meaning.
OF_PAIRS = ("pooling", "margin", "centring", "chat")
PLAIN = Recipe()


@dataclass(frozen=True)
class Upkeep:
    """What a fit is told beside its data and recipe: where it is kept and who watches."""

    run: Run | None = None
    seed: int = 0
    checkpoint_every: int = 0
    keep: int = 2
    progress: Callable[[int, int], None] | None = None


def fit_classifier(
    backbone: str,
    rows: Rows,
    eval_rows: Rows | None = None,
    *,
    recipe: Recipe = PLAIN,
    balance: bool = False,
    run: Run | str | Path | None = None,
    seed: int = 0,
    device: str | None = None,
    checkpoint_every: int = 0,
    keep: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Classifier:
    """Return a classifier of the rows' labels; `.reward(label)` makes it a reward.

    `recipe.batch` counts texts, and so does its default. `balance` gives all labels the same
    weight, however rare. Prompts are read where any row has one. One text in five is held out
    unless `eval_rows` are given; accuracy, macro F1, AUROC and calibration on them, with intervals,
    go to the summary of a `run`, the model to its model/ and the most wrong texts to its samples.
    The order of the rows changes nothing. ConfigError: a key of the recipe that only pairs know.
    DataError: see `split_texts`.
    """
    refuse_keys_of_pairs(recipe)
    if isinstance(run, str | Path):
        settings = {"model": backbone, "balance": balance, "seed": seed, **settings_of(recipe)}
        run = Run.open(run, stage="reward", config=settings, seed=seed)
    if run and run.finished:
        return Classifier.load(run.path / "model", device=device)
    started = time.monotonic()
    train, test = split_texts(rows, eval_rows)
    if run:
        run.record("texts.train", [asdict(row) for row in train])
        run.record("texts.test", [asdict(row) for row in test])
    classifier = start_classifier(
        backbone,
        labels_of(train),
        text="both" if any(row.prompt for row in train) else "response",
        max_tokens=recipe.max_tokens,
        device=device,
        seed=seed,
    )
    upkeep = Upkeep(run, seed, checkpoint_every, keep, progress)
    taken = _teach(classifier, train, recipe, balance, upkeep)
    if run:
        spent = {**taken, "fit_seconds": time.monotonic() - started}
        _finish(run, classifier, train, test, seed=seed, spent=spent)
    return classifier


def _teach(
    classifier: Classifier, train: Rows, recipe: Recipe, balance: bool, upkeep: Upkeep
) -> dict[str, int]:
    """Let the classifier learn from `train` by the recipe; returns the steps and batch it took."""
    reader, labels = classifier.reader, classifier.labels
    aside, learned = ([], train)
    if recipe.patience:
        aside, learned = part_of(train, recipe.validation, salt="validation")
    both = classifier.text == "both"
    weights = label_weights(train, labels) if balance else None
    model = choose_trainable(
        classifier.model,
        freeze_layers=recipe.freeze_layers,
        lora=recipe.lora,
        fresh=classifier.fresh,
        seed=upkeep.seed,
    )
    device = classifier.model.device

    def loss_of(part: Sequence[Lesson]) -> Loss:
        tokens = reader.pad([lesson.row for lesson in part])
        check_ends(model.config, tokens.ids)
        with torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "bf16"):
            logits = model(**tokens.inputs(device)).logits
        return label_loss(logits.float(), part, smoothing=recipe.smoothing)

    taken = learn(
        model,
        lessons_of(learned, labels, reader, with_prompts=both, weights=weights),
        loss_of,
        recipe=recipe,
        stage="reward",
        validation=lessons_of(aside, labels, reader, with_prompts=both, weights=weights),
        cut=lambda part: pieces(part, recipe.micro_tokens),
        heads=classifier.new_in(model),
        run=upkeep.run,
        seed=upkeep.seed,
        checkpoint_every=upkeep.checkpoint_every,
        keep=upkeep.keep,
        progress=upkeep.progress,
    )
    classifier.model = merged(model).requires_grad_(False)
    return taken


def _finish(
    run: Run, classifier: Classifier, train: Rows, test: Rows, *, seed: int, spent: Mapping
) -> None:
    """Save the model, the most wrong texts and every number."""
    labels = classifier.labels
    logprobs = classifier.logprobs(test)
    classifier.save(run.path / "model")
    run.samples(_most_wrong(logprobs, labels, test))
    shares = {"train": label_shares(train, labels), "test": label_shares(test, labels)}
    counts = {"train": len(train), "test": len(test)}
    report = _report(logprobs, labels, test, seed)
    run.finish({"labels": labels, "texts": counts, "balance": shares, **report, **spent})


def _report(logprobs: np.ndarray, labels: list[str], rows: Rows, seed: int) -> dict:
    """`measures` with, for each label, the calibration of its probability against "has it or not".

    None where no row or every row has it.
    """
    found = measures(logprobs, labels, rows, seed=seed)
    parts = {}
    for place, label in enumerate(labels):
        decided = [i for i, row in enumerate(rows) if majority(row) is not None]
        has = np.array([majority(rows[i]) == label for i in decided])
        clusters = [cluster_of(rows[i]) for i in decided]
        odds = _log_odds(logprobs[decided, place])
        gaps = np.where(has, odds, -odds)
        parts[label] = (
            None if has.all() or not has.any() else calibration(gaps, clusters, seed=seed)
        )
    return found | {"calibration": parts}


def _log_odds(logprobs: np.ndarray) -> np.ndarray:
    """log p - log(1 - p) of log p below 0."""
    return logprobs - np.log(-np.expm1(np.minimum(logprobs, -1e-12)))


def _most_wrong(logprobs: np.ndarray, labels: list[str], rows: Rows) -> list[dict]:
    """The rows whose majority label the classifier found least likely, the worst first."""
    found = []
    for row, logprob in zip(rows, logprobs, strict=True):
        label, said = majority(row), labels[int(logprob.argmax())]
        if label is not None and label != said:
            probability = float(np.exp(logprob[labels.index(label)]))
            shares = {"votes": dict(row.target), "probability": probability}
            about = {"prompt": row.prompt, "text": row.text, "label": label, "said": said}
            found.append(about | shares)
    return sorted(found, key=lambda each: each["probability"])[:MOST_WRONG]


def refuse_keys_of_pairs(recipe: Recipe) -> None:
    """ConfigError where a recipe sets what has no meaning for single texts."""
    for key in OF_PAIRS:
        if getattr(recipe, key) not in (getattr(PLAIN, key), "native", False):
            raise ConfigError(
                f"{key}: is for pairs, got {getattr(recipe, key)!r} with labelled texts; leave "
                "it out"
            )
