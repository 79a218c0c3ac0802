"""Supervised fine-tuning: from a base model to an instruct model, by demonstrations.

The loss is the negative log-likelihood of the response's tokens, its EOS among them (a model that
never sees its answers end never ends one), and of nothing else: prompts are read, not learned. It
is the mean over all response tokens of the step, whatever micro-batch they are in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

from humanalign.errors import DataError
from humanalign.models import Policy
from humanalign.run import Run
from humanalign.train import Loss, Trainer, fit


class Demonstration(NamedTuple):
    """A prompt and the answer to learn. Any (prompt, response) tuple will do."""

    prompt: str
    response: str


def sft(
    policy: Policy,
    demonstrations: Sequence[tuple[str, str]],
    *,
    run: Run | None = None,
    lr: float = 1e-4,
    epochs: int = 1,
    batch: int = 16,
    micro_batch: int | None = None,
    seed: int = 0,
    schedule: str = "linear",
    checkpoint_every: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Policy:
    """Train `policy` in place on its trainable parameters and return it.

    With a `run` it is saved in policy/ and the run finishes with the loss in nats per token before
    and after. DataError: no demonstrations, an empty response, or a prompt beyond the context.
    """
    rows = [Demonstration(*row) for row in demonstrations]
    _check(rows)
    if run:
        run.record("demonstrations", [row._asdict() for row in rows])
    before = mean_nll(policy, rows, batch_size=batch)
    steps = epochs * -(-len(rows) // batch)
    fit(
        run,
        Trainer(policy.trainable(), lr=lr, total_steps=steps, schedule=schedule),
        rows,
        lambda some: nll_loss(policy, some),
        epochs=epochs,
        batch=batch,
        micro_batch=micro_batch,
        seed=seed,
        stage="sft",
        checkpoint_every=checkpoint_every,
        progress=progress,
    )
    if run:
        policy.save(run.path / "policy")
        after = mean_nll(policy, rows, batch_size=batch)
        run.finish({"steps": steps, "rows": len(rows), "loss_before": before, "loss_after": after})
    return policy


def nll_loss(policy: Policy, rows: Sequence[Demonstration]) -> Loss:
    """-log pi(response, EOS | prompt) in nats, summed; its count is the response tokens."""
    tokens = policy.encode([row.prompt for row in rows], [row.response for row in rows])
    total = -policy.logprobs(tokens).sum()
    return Loss(total, float(tokens.response_mask.sum()))


@torch.no_grad()
def mean_nll(policy: Policy, rows: Sequence[Demonstration], *, batch_size: int = 16) -> float:
    """Nats per response token over all rows: a mean over tokens, not over batches."""
    losses = [nll_loss(policy, rows[i : i + batch_size]) for i in range(0, len(rows), batch_size)]
    return sum(float(loss.total) for loss in losses) / sum(loss.count for loss in losses)


def _check(rows: Sequence[Demonstration]) -> None:
    if not rows:
        raise DataError("demonstrations: there are none; give at least one prompt and response")
    for number, row in enumerate(rows, start=1):
        if not row.response.strip():
            raise DataError(
                f"demonstrations: row {number} has an empty response to {row.prompt[:40]!r}; "
                "write one or leave the row out"
            )
