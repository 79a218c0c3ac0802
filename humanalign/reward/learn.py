"""A fit by a recipe, whatever the loss: dropout by seed, the average, early stopping, resume.

`train.fit` is the loop; this file is what a reward and a classifier both add to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TypeVar

import torch
from torch import nn

from humanalign.reward.kept import Kept
from humanalign.reward.recipe import Recipe, batch_of, trainer_of
from humanalign.run import Run
from humanalign.train import Loss, fit
from humanalign.types import content_id

Row = TypeVar("Row")


def learn(
    model: nn.Module,
    rows: Sequence[Row],
    loss_of: Callable[[Sequence[Row]], Loss],
    *,
    recipe: Recipe,
    stage: str,
    validation: Sequence[Row] = (),
    cut: Callable[[Sequence[Row]], Iterable[Sequence[Row]]] | None = None,
    heads: Collection[str] = (),
    run: Run | None = None,
    seed: int = 0,
    checkpoint_every: int = 0,
    keep: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, int]:
    """Fit what `model` lets learn to `rows`, and leave it in eval mode.

    Returns the "steps" taken and the "batch", how many rows each of them read, for a summary.

    `heads` names the parameters that are new and learn at `recipe.head_lr` times the rate;
    `validation` are the rows of early stopping. All randomness comes from (seed, step).
    """
    batch = batch_of(recipe, len(rows))
    per_epoch = math.ceil(len(rows) / batch)
    trainer = trainer_of(model, recipe, steps=recipe.epochs * per_epoch, heads=heads)
    patience = recipe.patience if validation else 0
    kept = Kept(trainer.parameters, decay=recipe.average, patience=patience)
    cut = cut or _whole

    def evaluate() -> dict[str, float]:
        model.eval()
        with kept.in_place():
            loss = mean_loss(validation, loss_of, batch=batch, cut=cut)
            kept.judge(loss)
        return {"validation_loss": loss}

    with torch.random.fork_rng():
        steps = fit(
            run,
            trainer,
            rows,
            loss_of,
            epochs=recipe.epochs,
            batch=batch,
            cut=cut,
            seed=seed,
            stage=stage,
            evaluate=evaluate if patience else None,
            evaluate_every=per_epoch,
            checkpoint_every=checkpoint_every,
            keep=keep,
            before_step=lambda step: _set_dropout(model, recipe.dropout, seed=seed, step=step),
            after_step=kept.after_step,
            stop=lambda: kept.exhausted,
            state=kept,
            progress=progress,
        )
    model.eval()
    kept.settle()
    return {"steps": steps, "batch": batch}


@torch.no_grad()
def mean_loss(
    rows: Sequence[Row],
    loss_of: Callable[[Sequence[Row]], Loss],
    *,
    batch: int,
    cut: Callable[[Sequence[Row]], Iterable[Sequence[Row]]],
) -> float:
    """The loss over all of `rows`, divided by their global count."""
    batches = (rows[i : i + batch] for i in range(0, len(rows), batch))
    losses = [loss_of(piece) for chosen in batches for piece in cut(chosen)]
    return sum(float(loss.total) for loss in losses) / sum(loss.count for loss in losses)


def _whole(rows: Sequence[Row]) -> list[Sequence[Row]]:
    return [rows]


def _set_dropout(model: nn.Module, share: float, *, seed: int, step: int) -> None:
    """Let the model's own dropout zero this share, and an adapter's what it was given.

    Which places, (seed, step) say. What is new in transformers starts in training mode, with a
    dropout of its own: with a share of 0 the model is in eval mode, all but its adapters' dropout.
    """
    torch.manual_seed(int(content_id("dropout", seed, step), 16) % 2**63)
    model.train(share > 0)
    for name, module in model.named_modules():
        if not isinstance(module, nn.Dropout):
            continue
        if "lora_dropout" in name.split("."):
            module.train()
        else:
            module.p = share
