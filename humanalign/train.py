"""The ONE optimisation loop: accumulate, divide by the global count, clip, step, log, checkpoint.

A loss is handed over as a SUM and a count. Gradients of the sums are added up over micro-batches
and divided once by the global count, so 1 x 64 and 8 x 8 are the same step: never an average of
averages.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from humanalign.errors import RunError
from humanalign.interrupts import held_signals
from humanalign.run import Run

Row = TypeVar("Row")


@dataclass(frozen=True)
class Loss:
    """A micro-batch's loss: `total` is a sum, `count` what the global sum is divided by.

    `metrics` are sums too, over `rows` rows; they are reported per row.
    """

    total: Tensor
    count: float
    metrics: Mapping[str, float] = field(default_factory=dict)
    rows: int = 1


class Trainer:
    """AdamW over named parameters, a schedule, clipping by global norm and a guard against NaN.

    `lr_of` gives parameters below a dotted name (`layer.1` is not `layer.11`) a rate of their own;
    the longest name counts. `undecayed` names the parameters without weight decay.
    """

    def __init__(
        self,
        parameters: Mapping[str, nn.Parameter],
        *,
        lr: float,
        lr_of: Mapping[str, float] | None = None,
        weight_decay: float = 0.0,
        undecayed: Collection[str] = (),
        betas: tuple[float, float] = (0.9, 0.95),
        eps: float = 1e-5,
        max_grad_norm: float = 1.0,
        warmup: int = 0,
        total_steps: int | None = None,
        schedule: str = "constant",
    ) -> None:
        self.parameters = dict(parameters)
        self.max_grad_norm = max_grad_norm
        self.steps, self.last_lr = 0, lr
        self.optimizer = torch.optim.AdamW(
            _groups(self.parameters, lr, lr_of or {}, undecayed),
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            # One pass over memory instead of ten: a tenth of an update where all weights learn.
            fused=True,
        )
        self._lr, self._warmup, self._total, self._schedule = lr, warmup, total_steps, schedule

    def learning_rate(self) -> float:
        """The rate of the next step: linear warm-up, then constant, linear or cosine decay to 0."""
        if self.steps < self._warmup:
            return self._lr * (self.steps + 1) / self._warmup
        if self._schedule == "constant" or not self._total:
            return self._lr
        done = (self.steps - self._warmup) / max(1, self._total - self._warmup)
        done = min(1.0, done)
        if self._schedule == "linear":
            return self._lr * (1 - done)
        return self._lr * 0.5 * (1 + math.cos(math.pi * done))

    def step(
        self, losses: Iterable[Loss], *, accept: Callable[[Mapping[str, float]], bool] | None = None
    ) -> dict[str, float]:
        """One optimizer step over the micro-batches; returns metrics per row, `loss`, `grad_norm`.

        `accept` sees the metrics before the weights move and may refuse the step (`steps` then
        stays). RunError when the loss or the gradient is not finite: nothing is stepped then.
        """
        total, count, rows = 0.0, 0.0, 0
        sums: dict[str, float] = {}
        self.optimizer.zero_grad(set_to_none=True)
        for loss in losses:
            if loss.total.requires_grad:
                loss.total.backward()
            total += float(loss.total.detach())
            count += loss.count
            rows += loss.rows
            for name, value in loss.metrics.items():
                sums[name] = sums.get(name, 0.0) + float(value)
        means = {name: value / max(rows, 1) for name, value in sums.items()}
        means["loss"] = total / max(count, 1e-12)
        if accept is not None and not accept(means):
            return means
        return means | {"grad_norm": self._apply(total, count), "lr": self.last_lr}

    def _apply(self, total: float, count: float) -> float:
        parameters = [p for p in self.parameters.values() if p.grad is not None]
        if count <= 0 or not parameters:
            return 0.0  # nothing to learn from: Adam must not step on zeros
        for p in parameters:
            assert p.grad is not None
            p.grad.div_(count)
        norm = torch.nn.utils.clip_grad_norm_(parameters, self.max_grad_norm or math.inf)
        if not math.isfinite(total) or not torch.isfinite(norm):
            raise RunError(
                f"the loss is {total} and its gradient norm {float(norm)} at optimizer step "
                f"{self.steps}; lower lr, or look at the data of this step"
            )
        self.last_lr = self.learning_rate()
        for group in self.optimizer.param_groups:
            group["lr"] = self.last_lr * group["scale"]
        self.optimizer.step()
        self.steps += 1
        return float(norm)

    def save(self, folder: Path) -> None:
        """Write the trained parameters (safetensors) and the optimizer's state."""
        tensors = {n: p.detach().clone().contiguous() for n, p in self.parameters.items()}
        save_file(tensors, str(folder / "trained.safetensors"))
        torch.save(
            {"optimizer": self.optimizer.state_dict(), "steps": self.steps}, folder / "optimizer.pt"
        )

    def load(self, folder: Path) -> None:
        """Read back what `save` wrote, into the same parameters."""
        saved = load_file(str(folder / "trained.safetensors"))
        with torch.no_grad():
            for name, p in self.parameters.items():
                p.copy_(saved[name])
        state = torch.load(folder / "optimizer.pt", weights_only=True)
        self.optimizer.load_state_dict(state["optimizer"])
        self.steps = state["steps"]


class State(Protocol):
    """What a fit carries besides its weights; it is written into every checkpoint."""

    def save(self, folder: Path) -> None: ...

    def load(self, folder: Path) -> None: ...


def fit(
    run: Run | None,
    trainer: Trainer,
    rows: Sequence[Row],
    loss_fn: Callable[[Sequence[Row]], Loss],
    *,
    epochs: int,
    batch: int,
    seed: int,
    stage: str,
    micro_batch: int | None = None,
    cut: Callable[[Sequence[Row]], Iterable[Sequence[Row]]] | None = None,
    evaluate: Callable[[], Mapping[str, float]] | None = None,
    evaluate_every: int = 0,
    checkpoint_every: int = 0,
    keep: int = 2,
    before_step: Callable[[int], None] | None = None,
    after_step: Callable[[int], None] | None = None,
    stop: Callable[[], bool] | None = None,
    state: State | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Train on `rows` for `epochs`, or until `stop` says so; returns the number of steps.

    Rows are shuffled by (seed, epoch), so a resumed run sees the order it would have seen. With a
    `run` each step is logged as `stage`/..., and training goes on from its latest checkpoint,
    `state` included. Micro-batches are `micro_batch` rows long, or what `cut` makes of a batch.
    `before_step` gets the number of steps done (seeds), `after_step` that after the step (target
    networks); `evaluate` runs at its interval and at the end.
    """
    per_epoch = math.ceil(len(rows) / batch)
    total = per_epoch * epochs
    if run:
        run.expect(total)
    done = _resume(run, trainer, state)
    cut = cut or (lambda chosen: _pieces(chosen, micro_batch or batch))
    with held_signals() as stopping:
        for step in range(done, total):
            if stop and stop():
                return step
            if before_step:
                before_step(step)
            chosen = _rows_of_step(rows, step, per_epoch, batch, seed)
            metrics = trainer.step(loss_fn(piece) for piece in cut(chosen))
            if after_step:
                after_step(step + 1)
            last = step + 1 == total
            if evaluate and (last or (evaluate_every and (step + 1) % evaluate_every == 0)):
                metrics |= evaluate()
            due = stopping() or bool(checkpoint_every and (step + 1) % checkpoint_every == 0)
            if run:
                run.log(step + 1, {f"{stage}/{n}": v for n, v in metrics.items()})
            if run and due:
                _checkpoint(run, trainer, state, step + 1, keep)
            if stopping():
                raise KeyboardInterrupt
            if progress:
                progress(step + 1, total)
    return total


def _checkpoint(run: Run, trainer: Trainer, state: State | None, step: int, keep: int) -> None:
    with run.checkpoint(step, keep) as folder:
        trainer.save(folder)
        if state is not None:
            state.save(folder)


def _pieces(rows: Sequence[Row], size: int) -> Iterable[Sequence[Row]]:
    return (rows[i : i + size] for i in range(0, len(rows), size))


def _groups(
    parameters: Mapping[str, nn.Parameter],
    lr: float,
    lr_of: Mapping[str, float],
    undecayed: Collection[str],
) -> list[dict]:
    alike: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, p in parameters.items():
        above = [n for n in lr_of if name == n or name.startswith(f"{n.removesuffix('.')}.")]
        rate = lr_of[max(above, key=len)] if above else lr
        alike.setdefault((rate, name not in undecayed), []).append(p)
    return [
        {"params": ps, "scale": rate / lr} | ({} if decays else {"weight_decay": 0.0})
        for (rate, decays), ps in alike.items()
    ]


def _resume(run: Run | None, trainer: Trainer, state: State | None) -> int:
    latest = run.latest_checkpoint() if run else None
    if run is None:
        return 0
    step, folder = latest or (0, None)
    run.rewind(step)
    if folder:
        trainer.load(folder)
        if state is not None:
            state.load(folder)
    return step


def _rows_of_step(
    rows: Sequence[Row], step: int, per_epoch: int, batch: int, seed: int
) -> list[Row]:
    epoch, within = divmod(step, per_epoch)
    order = list(range(len(rows)))
    random.Random(f"{seed}/{epoch}").shuffle(order)
    return [rows[i] for i in order[within * batch : (within + 1) * batch]]
