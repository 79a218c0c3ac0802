"""What a batch of experience teaches: `epochs` passes of `minibatches` optimizer steps.

L = L_policy + c1 L_value - c2 H (+ beta KL where the penalty is in the loss), summed over response
tokens and divided once by the tokens of the whole minibatch. Letters: B rows, T response
positions, N real tokens of a piece, D hidden size, V vocabulary.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from humanalign.align.algorithms import Algorithm
from humanalign.align.chunks import backward_through_head, reference_logits
from humanalign.align.critic import Critic
from humanalign.align.pieces import piece_of, pieces, put_tokens
from humanalign.align.rollout import budget, policy_sampling
from humanalign.decoding import chosen_logprobs
from humanalign.errors import RunError
from humanalign.models import Policy
from humanalign.objectives import kl as kl_estimators
from humanalign.objectives import policy as policy_objectives
from humanalign.objectives.batch import RolloutBatch
from humanalign.objectives.registry import lookup
from humanalign.settings import AlignConfig
from humanalign.train import Loss, Trainer

log = logging.getLogger("humanalign")
# A mean ratio beyond this is no longer an update of the policy that sampled (as in trl 0.11).
EXPLODED = 10.0

# (tokens that the policy's loss is divided by, optimizer step, rows at once) -> losses beside it
Beside = Callable[[int, int, int], Iterator[Loss]]


@dataclass(frozen=True)
class Moment:
    """When a minibatch is learned from. `fresh`: no weight has moved since it was sampled."""

    step: int
    epoch: int
    kl_coef: float
    fresh: bool


@dataclass
class Update:
    """Learns from one batch at a time; `halvings` counts how often memory ran out."""

    policy: Policy
    critic: Critic | None
    trainer: Trainer
    config: AlignConfig
    algorithm: Algorithm
    beside: Beside | None = None
    halvings: int = 0

    def learn(self, batch: RolloutBatch, *, step: int, kl_coef: float) -> dict[str, float]:
        """All passes over `batch`; metrics are means over the optimizer steps that were made.

        RunError when the loss, its gradient or the ratio to the sampling policy is out of hand.
        """
        made: list[dict[str, float]] = []
        old = batch.logprobs.clone()
        for epoch, rows in self._minibatches(len(batch), step):
            moment = Moment(step, epoch, kl_coef, fresh=not made)
            before = self.trainer.steps
            metrics = self._optimizer_step(batch, rows, old, moment)
            if self.trainer.steps == before:
                break  # refused: the policy is too far from the one that sampled
            made.append(metrics)
        self._count(len(made), int(batch.mask.sum()))
        means = {n: sum(m[n] for m in made) / len(made) for n in made[0]} if made else {}
        return means | {"updates": float(len(made))}

    def _minibatches(self, count: int, step: int) -> Iterator[tuple[int, Tensor]]:
        for epoch in range(self.config.epochs):
            order = list(range(count))
            random.Random(f"{self.config.seed}/{step}/{epoch}").shuffle(order)
            # tensor_split, because chunk(4) of 5 rows makes only 3 pieces.
            for rows in torch.tensor(order).tensor_split(self.config.minibatches):
                yield epoch, rows

    def _count(self, made: int, tokens: int) -> None:
        wanted = self.config.epochs * self.config.minibatches
        if made != wanted and self.config.policy_kl is None and tokens:
            raise RunError(
                f"{made} optimizer steps were made where epochs={self.config.epochs} x minibatches"
                f"={self.config.minibatches} were asked for; is anything in the policy trainable?"
            )

    def _optimizer_step(
        self, batch: RolloutBatch, rows: Tensor, old: Tensor, moment: Moment
    ) -> dict[str, float]:
        """One step; where memory runs out, the same step again in pieces half as large."""
        while True:
            try:
                losses = self._losses(batch, rows, old, moment)
                return self.trainer.step(losses, accept=lambda m: self._acceptable(m, moment))
            except RuntimeError as error:
                if not _out_of_memory(error):
                    raise
                self._halve(len(rows))

    def _acceptable(self, metrics: Mapping[str, float], moment: Moment) -> bool:
        if not math.isfinite(metrics["loss"]):
            raise RunError(
                f"the loss is {metrics['loss']} in epoch {moment.epoch + 1} of step "
                f"{moment.step + 1}; lower lr, or look at the data of this step"
            )
        if metrics["ratio"] > EXPLODED:
            raise RunError(
                f"the ratio of the policy to the one that sampled is {metrics['ratio']:.3g} on "
                f"average in epoch {moment.epoch + 1} of step {moment.step + 1}; lower lr or epochs"
            )
        limit = self.config.policy_kl
        return limit is None or metrics["policy_kl"] <= 1.5 * limit

    def _halve(self, count: int) -> None:
        """Half of what a piece of the minibatch of `count` rows had, from now on."""
        if self._piece_size(count)[0] == 1:
            raise RunError(
                "out of memory with one row at a time; lower max_new_tokens, take a smaller model, "
                "or set gradient_checkpointing=true"
            )
        self.halvings += 1
        rows, tokens = self._piece_size(count)
        log.warning(
            "out of memory: going on with %d rows and %d tokens at a time; "
            "the gradient stays the same",
            rows,
            tokens,
        )

    def _piece_size(self, count: int) -> tuple[int, int]:
        """Rows and padded tokens of a piece of `count` rows, after all halvings."""
        rows = max(1, min(self.config.micro_batch, count) >> self.halvings)
        return rows, max(1, budget(self.policy, self.config) >> self.halvings)

    def _losses(
        self, batch: RolloutBatch, rows: Tensor, old: Tensor, moment: Moment
    ) -> Iterator[Loss]:
        minibatch = batch.select(rows)
        size, tokens = self._piece_size(len(minibatch))
        for chosen in pieces(minibatch.tokens, rows=size, budget=tokens):
            yield self._loss(piece_of(minibatch, chosen), old, rows[chosen], moment)
        if self.beside is not None and not self._warming(moment):
            yield from self.beside(int(minibatch.mask.sum()), self.trainer.steps, size)

    def _loss(self, b: RolloutBatch, old: Tensor, rows: Tensor, moment: Moment) -> Loss:
        """The loss of a piece, already backward: its chunks go as they come (chunks.py)."""
        hidden = self.policy.hidden(b.tokens, b.encoded)[b.mask]
        piece = _Piece.of(b, old[rows][:, : b.mask.shape[1]])
        warming = self._warming(moment)

        def chunk(logits: Tensor, states: Tensor, part: slice) -> Tensor:
            total = self._value_loss(piece, self._own_values(states), part)
            if not warming:
                total = total + self._policy_loss(piece, logits, part, moment)
            return total

        total = backward_through_head(
            self.policy, hidden, policy_sampling(self.config), chunk, into_trunk=not warming
        )
        if self.critic is not None and self.critic.trunk is not None:
            with self.critic.applied():
                values = self.critic.values(b.tokens, hidden)[b.mask]
                apart = self._value_loss(piece, values, slice(None))
                apart.backward()
            total += float(apart.detach())
        if moment.fresh and piece.new is not None:
            # Nothing has moved since sampling, so these ARE the sampler's log-probabilities, in
            # the trainer's own arithmetic: the first ratio is 1 to the last bit.
            put_tokens(old, rows, b.mask, piece.new)
        return Loss(torch.tensor(total), len(hidden), piece.sums, rows=len(hidden))

    def _warming(self, moment: Moment) -> bool:
        """True in the first steps, in which only the value learns."""
        return self.critic is not None and moment.step < self.config.value.warmup

    def _own_values(self, states: Tensor) -> Tensor | None:
        if self.critic is None or self.critic.trunk is not None:
            return None
        return self.critic.head(states)

    def _policy_loss(self, p: _Piece, logits: Tensor, part: slice, moment: Moment) -> Tensor:
        """L_policy - c2 H (+ beta KL) over the tokens of a chunk, summed."""
        c = self.config
        new = chosen_logprobs(logits, p.ids[part])
        if moment.fresh:
            p.remember(new.detach())
        old = new.detach() if moment.fresh else p.old[part]
        advantages = p.advantages[part]
        clip = {"clip_range": c.clip, "dual_clip": c.dual_clip} if self.algorithm.clips else {}
        loss = self.algorithm.policy_loss(new, old, advantages, **clip).sum()
        p.add("policy_loss", loss)
        if c.entropy_coef:
            loss = loss - c.entropy_coef * p.add("entropy", policy_objectives.entropy(logits).sum())
        if c.kl.place != "reward":
            loss = loss + moment.kl_coef * p.add("kl_loss", self._kl(p, logits, new, part))
        with torch.no_grad():
            bound = policy_objectives.clipped(new, old, advantages, clip_range=c.clip)
            p.add("clip_fraction", bound.sum())
            p.add("policy_kl", policy_objectives.approx_kl(new, old).sum())
            p.add("ratio", policy_objectives.ratio(new, old).sum())
        return loss

    def _kl(self, p: _Piece, logits: Tensor, new: Tensor, part: slice) -> Tensor:
        if self.config.kl.loss_estimator != "full":
            estimate = lookup("kl", self.config.kl.loss_estimator)
            return estimate(new, p.reference[part]).sum()
        assert p.ref_hidden is not None
        sampling = policy_sampling(self.config)
        theirs = reference_logits(self.policy, p.ref_hidden[part], sampling)
        return kl_estimators.full(logits, theirs).sum()

    def _value_loss(self, p: _Piece, values: Tensor | None, part: slice) -> Tensor:
        """c1 L_value over the tokens of a chunk, summed; 0 without a critic's values."""
        if values is None or p.values is None or p.returns is None:
            return p.advantages.new_zeros(())
        per_token = policy_objectives.clipped_value_loss(
            values, p.values[part], p.returns[part], clip_range=self.config.value_clip
        )
        return self.config.value_coef * p.add("value_loss", per_token.sum())


@dataclass
class _Piece:
    """The real tokens of a piece, one after the other: [N] each, ref_hidden [N, D]."""

    ids: Tensor
    old: Tensor
    reference: Tensor
    advantages: Tensor
    values: Tensor | None
    returns: Tensor | None
    ref_hidden: Tensor | None
    new: Tensor | None = None
    sums: dict[str, float] = field(default_factory=lambda: {"ratio": 0.0, "policy_kl": 0.0})

    @classmethod
    def of(cls, b: RolloutBatch, old: Tensor) -> _Piece:
        def flat(t: Tensor | None) -> Tensor | None:
            return None if t is None else t[b.mask]

        assert b.advantages is not None  # filled in before a batch is learned from
        return cls(
            b.tokens.response_ids[b.mask],
            old[b.mask],
            b.ref_logprobs[b.mask],
            b.advantages[b.mask],
            flat(b.values),
            flat(b.returns),
            flat(b.ref_hidden),
        )

    def add(self, name: str, value: Tensor) -> Tensor:
        """Count a part of the loss among the metrics, and hand it on."""
        self.sums[name] = self.sums.get(name, 0.0) + float(value.detach())
        return value

    def remember(self, new: Tensor) -> None:
        self.new = new if self.new is None else torch.cat([self.new, new])


def _out_of_memory(error: RuntimeError) -> bool:
    """A GPU has a class of its own for it; on a CPU only the message tells, in two wordings."""
    said = ("not enough memory", "can't allocate memory")
    return isinstance(error, torch.OutOfMemoryError) or any(s in str(error) for s in said)
