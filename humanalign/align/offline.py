"""Learn from preference pairs without a reward model: one loop for every preference loss.

DPO, IPO, KTO and the others are functions of `objectives` that read the same four numbers of a
pair; this loop makes those numbers. The reference's are computed once, before training, and the
chosen and rejected answers of a batch go through the policy in one forward pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from humanalign.errors import ConfigError, DataError
from humanalign.models import Policy
from humanalign.objectives.batch import PairLogps
from humanalign.objectives.preference import implicit_rewards
from humanalign.objectives.registry import Value, check, lookup
from humanalign.run import Run
from humanalign.sampling import Sampling, sample
from humanalign.train import Loss, Trainer, fit
from humanalign.types import PreferencePair

# Prompts that the final divergence from the reference is measured on.
KL_PROMPTS = 64
Objective = Callable[..., Tensor]


@dataclass(frozen=True)
class ReferredPair:
    """A pair with the summed log-probabilities (nats) that the reference gives its answers."""

    pair: PreferencePair
    ref_chosen: float
    ref_rejected: float


def offline(
    policy: Policy,
    pairs: Sequence[PreferencePair],
    *,
    method: str = "dpo",
    objective: Mapping[str, Value] | None = None,
    run: Run | None = None,
    lr: float = 1e-5,
    epochs: int = 1,
    batch: int = 32,
    micro_batch: int | None = None,
    seed: int = 0,
    max_new_tokens: int = 64,
    checkpoint_every: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Policy:
    """Train `policy` in place by the preference loss `method` and return it.

    `objective` holds the loss's hyper-parameters. The reference is what the policy is now. With a
    `run`: align/loss align/accuracy align/margin and the log-ratios of both answers per step, then
    policy/ and a summary whose `kl` is measured on samples of at most `max_new_tokens` tokens.
    ConfigError: an unknown method or hyper-parameter. DataError: no pairs.
    """
    loss, params = preference_loss(method, objective or {})
    if not pairs:
        raise DataError("pairs: there are none; give at least one prompt, chosen and rejected")
    if run:
        run.record("pairs.train", [pair.as_row() for pair in pairs])
    policy.freeze_reference()
    rows = refer(policy, pairs, batch_size=batch)
    steps = fit(
        run,
        Trainer(policy.trainable(), lr=lr),
        rows,
        lambda some: pairs_loss(policy, some, loss, params),
        epochs=epochs,
        batch=batch,
        micro_batch=micro_batch,
        seed=seed,
        stage="align",
        checkpoint_every=checkpoint_every,
        progress=progress,
    )
    if run:
        policy.save(run.path / "policy")
        prompts = [pair.prompt for pair in pairs]
        kl = sampled_kl(policy, prompts, Sampling(max_new_tokens=max_new_tokens), seed=seed)
        run.finish({"steps": steps, "pairs": len(pairs), "method": method, "kl": kl})
    return policy


def preference_loss(method: str, params: Mapping[str, Value]) -> tuple[Objective, dict[str, Value]]:
    """The registered loss and all of its hyper-parameters; ConfigError for unknown ones."""
    try:
        return lookup("preference", method), check("preference", method, params)
    except ValueError as error:
        raise ConfigError(f"method: {error}") from None


def refer(
    policy: Policy, pairs: Sequence[PreferencePair], *, batch_size: int = 32
) -> list[ReferredPair]:
    """Each pair with the log-probabilities of the frozen reference, in the order given."""
    order = sorted(range(len(pairs)), key=lambda i: len(pairs[i].prompt))
    rows: dict[int, ReferredPair] = {}
    with policy.reference():
        for start in range(0, len(order), batch_size):
            chunk = order[start : start + batch_size]
            chosen, rejected, _ = summed_logps(policy, [pairs[i] for i in chunk])
            for i, w, lost in zip(chunk, chosen.tolist(), rejected.tolist(), strict=True):
                rows[i] = ReferredPair(pairs[i], w, lost)
    return [rows[i] for i in range(len(pairs))]


def pairs_loss(
    policy: Policy, rows: Sequence[ReferredPair], loss: Objective, params: Mapping[str, Value]
) -> Loss:
    """The weighted sum of the pairs' losses; its count is the sum of their weights."""
    chosen, rejected, lengths = summed_logps(policy, [row.pair for row in rows])
    logps = PairLogps(
        chosen,
        rejected,
        chosen.new_tensor([row.ref_chosen for row in rows]),
        chosen.new_tensor([row.ref_rejected for row in rows]),
        *lengths.chunk(2),
    )
    weights = chosen.new_tensor([row.pair.weight for row in rows])
    total = (weights * loss(logps, **params)).sum()
    good, bad = (ratio.detach() for ratio in implicit_rewards(logps))
    metrics = {
        "accuracy": float((good > bad).sum()),
        "margin": float((good - bad).sum()),
        "log_ratio_chosen": float(good.sum()),
        "log_ratio_rejected": float(bad.sum()),
    }
    return Loss(total, float(weights.sum()), metrics, rows=len(rows))


def summed_logps(policy: Policy, pairs: Sequence[PreferencePair]) -> tuple[Tensor, Tensor, Tensor]:
    """log pi of chosen [B] and rejected [B] answers with their EOS, and all lengths [2B]."""
    prompts = [pair.prompt for pair in pairs]
    answers = [pair.chosen for pair in pairs] + [pair.rejected for pair in pairs]
    tokens = policy.encode(prompts + prompts, answers)
    chosen, rejected = policy.logprobs(tokens).sum(1).chunk(2)
    return chosen, rejected, tokens.response_mask.sum(1)


def sampled_kl(
    policy: Policy, prompts: Sequence[str], sampling: Sampling, *, seed: int = 0
) -> float:
    """KL(policy || frozen reference) in nats: mean over samples of the SUM over their tokens.

    One sample for each of the first 64 distinct prompts that leave room for an answer, by the
    sampler's own log-probabilities, so a policy that is steered while it samples is measured as
    it is used. nan where no prompt leaves room.
    """
    fitting = (p for p in dict.fromkeys(prompts) if policy.fits(p, sampling.max_new_tokens))
    some = list(islice(fitting, KL_PROMPTS))
    if not some:
        return math.nan
    sampled = sample(policy, some, sampling, generator=torch.Generator().manual_seed(seed))
    with policy.reference():
        reference = policy.logprobs(sampled.tokens, sampling)
    return float((sampled.logprobs - reference).sum(1).mean())
