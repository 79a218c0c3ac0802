"""One batch of experience: sample, score, compare with the reference, lay rewards on tokens.

This is where the KL comes from. Letters: B rows, T response positions, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from humanalign.decoding import Sampling, chosen_logprobs, warp
from humanalign.errors import RunError
from humanalign.heads import ScalarHead
from humanalign.models import Policy
from humanalign.objectives import kl as kl_estimators
from humanalign.objectives import policy as policy_objectives
from humanalign.objectives.batch import RolloutBatch, Tokens
from humanalign.objectives.masked import Moments
from humanalign.objectives.reward import eos_penalty, standardise
from humanalign.sampling import sample
from humanalign.settings import AlignConfig
from humanalign.types import Prompt, RewardModel


@dataclass(frozen=True)
class Rollout:
    """A RolloutBatch with what people read of it.

    raw [B]: the reward model's own numbers; kl [B, T]: the estimator that the penalty uses;
    entropy [B, T] in nats; sampler_gap: largest |log-prob of sampler - log-prob of trainer|.
    """

    batch: RolloutBatch
    prompts: list[Prompt]
    texts: list[str]
    raw: Tensor
    kl: Tensor
    entropy: Tensor
    sampler_gap: float

    def metrics(self) -> dict[str, float]:
        """Means over samples; KL is the mean over samples of the sum over tokens, in nats."""
        mask, b = self.batch.mask, self.batch
        tokens = mask.sum()
        k3 = kl_estimators.k3(b.logprobs, b.ref_logprobs).masked_fill(~mask, 0)
        k1 = kl_estimators.k1(b.logprobs, b.ref_logprobs).masked_fill(~mask, 0)
        return {
            "reward": float(self.raw.mean()),
            "reward_std": float(self.raw.std()) if len(self.raw) > 1 else 0.0,
            "score": float(b.scores.mean()),
            "kl": float(k3.sum(1).mean()),
            "kl_k1": float(k1.sum(1).mean()),
            "entropy": float((self.entropy * mask).sum() / tokens),
            "length": float(mask.sum(1).float().mean()),
        }


def policy_sampling(config: AlignConfig) -> Sampling:
    """The whole distribution at its temperature: what is learned from must be what was drawn."""
    return Sampling(
        temperature=config.temperature,
        max_new_tokens=config.max_new_tokens,
        ignore_eos=config.ignore_eos,
    )


@torch.no_grad()
def roll_out(
    policy: Policy,
    value_head: ScalarHead | None,
    prompts: Sequence[Prompt],
    reward: RewardModel,
    config: AlignConfig,
    *,
    seed: int,
    moments: Moments | None = None,
) -> Rollout:
    """Answer `prompts`, score the answers, and measure policy and reference on them.

    `moments` standardise the reward; None leaves it as it is. RunError: an empty answer batch or
    a reward that is not one finite number per answer.
    """
    sampling = policy_sampling(config)
    texts = [policy.render(p) for p in prompts]
    drawn = sample(policy, texts, sampling, generator=torch.Generator().manual_seed(seed))
    raw = _scores(reward, [p.text for p in prompts], drawn.texts, policy.device)
    measured = _measure(policy, value_head, drawn.tokens, config, sampling)
    scores = raw if moments is None else standardise(raw, moments)
    finished = torch.tensor(drawn.finished, device=policy.device)
    if not config.ignore_eos:
        scores = eos_penalty(scores, finished, penalty=config.eos_penalty)
    batch = RolloutBatch(
        tokens=drawn.tokens,
        logprobs=measured["logprobs"],
        ref_logprobs=measured["ref_logprobs"],
        scores=scores,
        values=measured.get("values"),
    )
    gap = float((drawn.logprobs - measured["logprobs"]).abs().max())
    return Rollout(batch, list(prompts), drawn.texts, raw, measured["kl"], measured["entropy"], gap)


def with_advantages(
    rollout: Rollout, rewards: Tensor, advantages: Tensor, returns: Tensor | None = None
) -> Rollout:
    """The same rollout with rewards, advantages and returns [B, T] filled in."""
    batch = replace(rollout.batch, rewards=rewards, advantages=advantages, returns=returns)
    return replace(rollout, batch=batch)


def _scores(
    reward: RewardModel, prompts: Sequence[str], texts: Sequence[str], device: torch.device
) -> Tensor:
    given = reward.score(prompts, texts)
    try:
        scores = torch.tensor(given, dtype=torch.float32, device=device)
    except (TypeError, ValueError) as error:
        raise RunError(
            f"the reward gave {type(given).__name__} that is no list of numbers ({error}); "
            "return one number per answer"
        ) from None
    if scores.shape != (len(texts),) or not torch.isfinite(scores).all():
        raise RunError(
            f"the reward gave {list(scores.shape)} numbers for {len(texts)} answers, "
            f"{int((~torch.isfinite(scores)).sum())} of them not finite; mend the reward"
        )
    return scores


def _measure(
    policy: Policy,
    value_head: ScalarHead | None,
    tokens: Tokens,
    config: AlignConfig,
    sampling: Sampling,
) -> Mapping[str, Tensor]:
    """Log-probs, values and entropy of the policy, log-probs of the reference, the KL per token."""
    pieces = []
    for start in range(0, len(tokens), config.micro_batch):
        rows = tokens.select(slice(start, start + config.micro_batch))
        logits, hidden = policy.forward(rows)
        logits = warp(logits, sampling, policy.eos_ids)
        with policy.reference():
            ref_logits = warp(policy.forward(rows)[0], sampling, policy.eos_ids)
        piece = {
            "logprobs": chosen_logprobs(logits, rows.response_ids),
            "ref_logprobs": chosen_logprobs(ref_logits, rows.response_ids),
            "entropy": policy_objectives.entropy(logits),
        }
        if config.kl.estimator == "full":
            piece["kl"] = kl_estimators.full(logits, ref_logits)
        else:
            estimate = getattr(kl_estimators, config.kl.estimator)
            piece["kl"] = estimate(piece["logprobs"], piece["ref_logprobs"])
        if value_head is not None:
            piece["values"] = value_head(hidden)
        mask = rows.response_mask
        pieces.append({name: t.masked_fill(~mask, 0.0) for name, t in piece.items()})
    return {name: torch.cat([p[name] for p in pieces]) for name in pieces[0]}
