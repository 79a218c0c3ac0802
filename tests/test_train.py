"""The one optimisation loop: sums and counts, clipping, schedules, guards, exact resume."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from humanalign.errors import RunError
from humanalign.run import Run
from humanalign.train import Loss, Trainer, fit

CLOSE = {"rtol": 1e-5, "atol": 1e-7}


def weights(*values: float) -> nn.Parameter:
    return nn.Parameter(torch.tensor(values))


def linear(p: nn.Parameter, *gradient: float, count: float = 1.0) -> Loss:
    """A loss whose gradient is `gradient`, whatever the weights."""
    return Loss((p * torch.tensor(gradient)).sum(), count)


def adam(gradients: list[list[float]], lr: float, eps: float = 1e-5) -> np.ndarray:
    """Kingma and Ba 2015, algorithm 1, with betas .9 and .95, from zero weights."""
    w = m = v = np.zeros(len(gradients[0]))
    for t, g in enumerate(np.array(gradients), start=1):
        m, v = 0.9 * m + 0.1 * g, 0.95 * v + 0.05 * g**2
        w = w - lr * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.95**t)) + eps)
    return w


@pytest.mark.parametrize("size", [64, 8, 3])
def test_micro_batches_of_any_size_give_the_gradient_of_the_whole_batch(size):
    rows = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    tokens = torch.arange(64) % 5 + 1  # rows count differently, so means of means would differ
    p = weights(0.3, -0.2, 0.1, 0.5)
    trainer = Trainer({"p": p}, lr=0.1, max_grad_norm=1e9)
    wanted = (2 * (rows @ p.detach()) * tokens) @ rows / tokens.sum()

    def losses():
        for i in range(0, 64, size):
            x, n = rows[i : i + size], tokens[i : i + size]
            yield Loss(((x @ p) ** 2 * n).sum(), float(n.sum()))

    trainer.step(losses())
    torch.testing.assert_close(p.grad, wanted, **CLOSE)


def test_two_steps_are_those_of_adam_by_its_definition():
    p = weights(0.0, 0.0)
    trainer = Trainer({"p": p}, lr=0.1)
    for gradient in ([0.3, -0.4], [0.1, 0.6]):
        trainer.step([linear(p, *gradient)])
    np.testing.assert_allclose(p.detach(), adam([[0.3, -0.4], [0.1, 0.6]], 0.1), rtol=1e-5)


def test_a_long_gradient_is_clipped_before_adam_sees_it():
    p = weights(0.0, 0.0)
    trainer = Trainer({"p": p}, lr=0.1, max_grad_norm=1.0)
    first = trainer.step([linear(p, 30.0, 40.0)])
    trainer.step([linear(p, 0.3, 0.4)])
    assert first["grad_norm"] == pytest.approx(50.0)
    # Unclipped, the second moment of 30 and 40 would all but stop the second step.
    np.testing.assert_allclose(p.detach(), adam([[0.6, 0.8], [0.3, 0.4]], 0.1), rtol=1e-4)


def test_the_norm_that_is_clipped_is_the_global_one():
    p, q = weights(0.0), weights(0.0)
    trainer = Trainer({"p": p, "q": q}, lr=0.1, max_grad_norm=1.0)
    trainer.step([linear(p, 3.0), linear(q, 4.0, count=0.0)])
    assert (float(p.grad), float(q.grad)) == pytest.approx((0.6, 0.8), rel=1e-4)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_stops_before_anything_moves(bad):
    p = weights(1.0, 2.0)
    trainer = Trainer({"p": p}, lr=0.1)
    trainer.step([linear(p, 1.0, 1.0)])
    before = p.detach().clone()
    with pytest.raises(RunError, match="lower lr"):
        trainer.step([linear(p, 1.0, bad)])
    assert torch.equal(p, before)
    assert trainer.steps == 1


def test_a_finite_loss_with_a_gradient_that_is_not_is_caught_too():
    p = weights(0.0)
    trainer = Trainer({"p": p}, lr=0.1)
    with pytest.raises(RunError, match="gradient norm"):
        trainer.step([Loss(p.sqrt().sum(), 1.0)])
    assert torch.equal(p, torch.zeros(1))


def test_a_batch_that_counts_nothing_does_not_step_adam():
    p = weights(1.0)
    trainer = Trainer({"p": p}, lr=0.1)
    trainer.step([linear(p, 1.0)])
    before = p.detach().clone()
    metrics = trainer.step([Loss((p * 0).sum(), 0.0, {"margin": 0.0}, rows=0)])
    assert torch.equal(p, before)  # Adam on zeros would move on by its momentum
    assert (trainer.steps, metrics["loss"], metrics["margin"]) == (1, 0.0, 0.0)


def rates(steps: int, **options: object) -> list[float]:
    p = weights(0.0)
    trainer = Trainer({"p": p}, lr=8.0, **options)
    seen = []
    for _ in range(steps):
        trainer.step([linear(p, 1.0)])
        seen.append(trainer.optimizer.param_groups[0]["lr"])
    return seen


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, [8, 8, 8]),
        ({"warmup": 4}, [2, 4, 6, 8, 8]),
        ({"schedule": "linear", "total_steps": 4}, [8, 6, 4, 2]),
        ({"schedule": "linear", "total_steps": 6, "warmup": 2}, [4, 8, 8, 6, 4, 2]),
        (
            {"schedule": "cosine", "total_steps": 4},
            [8, 4 + 4 * math.cos(math.pi / 4), 4, 4 - 4 * math.cos(math.pi / 4)],
        ),
    ],
)
def test_the_rate_follows_its_schedule(options, wanted):
    assert rates(len(wanted), **options) == pytest.approx(wanted)


def test_parameters_with_a_prefix_have_their_own_rate_under_the_same_schedule():
    p, q = weights(0.0), weights(0.0)
    trainer = Trainer(
        {"body.p": p, "value_head.q": q},
        lr=0.1,
        lr_of={"value_head.": 0.4},
        schedule="linear",
        total_steps=2,
        max_grad_norm=0.0,
    )
    trainer.step([Loss((p + q).sum(), 1.0)])
    trainer.step([Loss((p + q).sum(), 1.0)])
    # Equal gradients: each step is lr / (1 + eps), and the second has half the rate.
    assert p.item() == pytest.approx(-0.15, rel=1e-4)
    assert q.item() == pytest.approx(-0.60, rel=1e-4)


def test_a_prefix_ends_where_a_name_does_and_the_longest_counts():
    parts = {name: weights(0.0) for name in ("layer.1.p", "layer.11.p", "layer.1.norm.p")}
    trainer = Trainer(parts, lr=0.1, lr_of={"layer.1": 0.2, "layer.1.norm": 0.3}, max_grad_norm=0.0)
    trainer.step([Loss(sum(p.sum() for p in parts.values()), 1.0)])
    moved = {name: -p.item() for name, p in parts.items()}
    wanted = {"layer.1.p": 0.2, "layer.11.p": 0.1, "layer.1.norm.p": 0.3}
    assert moved == pytest.approx(wanted, rel=1e-4)


def test_what_is_named_undecayed_keeps_its_size():
    p, q = weights(1.0), weights(1.0)
    trainer = Trainer({"p": p, "q": q}, lr=0.1, weight_decay=0.5, undecayed={"q"})
    trainer.step([linear(p, 0.0), Loss((q * 0).sum(), 0.0)])
    # AdamW without a gradient: w (1 - lr decay)
    assert (p.item(), q.item()) == pytest.approx((0.95, 1.0))


def test_metrics_are_means_over_rows_not_over_micro_batches():
    p = weights(0.0)
    trainer = Trainer({"p": p}, lr=0.1)
    measured = trainer.step(
        [
            Loss(p.sum() + 6.0, 3.0, {"accuracy": 3.0}, rows=3),
            Loss(p.sum() + 2.0, 1.0, {"accuracy": 0.0}, rows=1),
        ]
    )
    assert (measured["accuracy"], measured["loss"]) == (0.75, 2.0)


class Killed(Exception):
    """Stands for a process that dies."""


def train(run: Run | None, die_after: int | None = None) -> nn.Parameter:
    p = weights(1.0, -1.0)
    trainer = Trainer({"p": p}, lr=0.1, schedule="cosine", total_steps=9)

    def loss(rows: list[float]) -> Loss:
        x = torch.tensor(rows)
        return Loss(((p[0] * x + p[1] - x**2) ** 2).sum(), float(len(rows)))

    def after(step: int) -> None:
        if step == die_after:
            raise Killed

    fit(
        run,
        trainer,
        [i / 10 for i in range(11)],
        loss,
        epochs=3,
        batch=4,
        seed=3,
        stage="toy",
        checkpoint_every=2,
        after_step=after,
    )
    return p


def test_a_run_that_was_killed_ends_bit_for_bit_where_it_would_have(tmp_path):
    whole = Run.open(tmp_path / "whole", stage="toy", config={})
    wanted = train(whole)
    with pytest.raises(Killed):
        train(Run.open(tmp_path / "killed", stage="toy", config={}), die_after=6)
    killed = Run.open(tmp_path / "killed", stage="toy", config={})
    assert killed.latest_checkpoint()[0] == 4
    assert torch.equal(train(killed), wanted)
    assert killed.metrics() == whole.metrics()
    assert [row["step"] for row in whole.metrics()] == list(range(1, 10))


def test_every_row_is_seen_once_an_epoch_in_an_order_of_the_seed():
    def order(seed: int) -> list[int]:
        p, seen = weights(0.0), []

        def loss(rows: list[int]) -> Loss:
            seen.extend(rows)
            return linear(p, 1.0)

        fit(
            None,
            Trainer({"p": p}, lr=0.1),
            range(10),
            loss,
            epochs=2,
            batch=4,
            micro_batch=3,
            seed=seed,
            stage="toy",
        )
        return seen

    first = order(1)
    assert sorted(first[:10]) == sorted(first[10:]) == list(range(10))
    assert first == order(1)
    assert len({tuple(first), tuple(order(2)), tuple(range(10))}) == 3
    assert first[:10] != first[10:]
