"""One batch of experience: sample, score, compare with the reference, lay rewards on tokens.

This is where the KL comes from. The sampler's own log-probabilities, entropies and hidden states
are taken over where they were shown to be the trainer's; then the reference is the only model
that reads the batch again. Letters: B rows, T response positions, N real tokens, D hidden size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from humanalign.align.chunks import head_divergence, head_entropy, head_logprobs
from humanalign.align.critic import Critic
from humanalign.align.pieces import piece_of, pieces, put_tokens
from humanalign.decoding import Sampling
from humanalign.errors import RunError
from humanalign.models import Policy
from humanalign.objectives import kl as kl_estimators
from humanalign.objectives import masked
from humanalign.objectives.batch import RolloutBatch
from humanalign.objectives.registry import lookup
from humanalign.sampling import Sampled
from humanalign.settings import AlignConfig
from humanalign.types import RewardModel

# Padded tokens at once where the settings do not say: activations should stay near the processor.
BUDGET = {"cpu": 4096, "cuda": 65_536}


@dataclass(frozen=True)
class Rollout:
    """A RolloutBatch with what people read of it.

    raw [B]: the reward model's own numbers; finished [B]: True where the answer ended by itself;
    kl [B, T]: the estimator that the penalty uses; entropy [B, T] in nats; sampler_gap: largest
    |log-prob of sampler - log-prob of trainer|, where both were measured.
    """

    batch: RolloutBatch
    prompts: list[str]
    texts: list[str]
    raw: Tensor
    finished: Tensor
    kl: Tensor
    entropy: Tensor
    sampler_gap: float | None = None

    def metrics(self) -> dict[str, float]:
        """Means over samples; KL is the mean over samples of the sum over tokens, in nats."""
        mask, b = self.batch.mask, self.batch
        k1 = kl_estimators.k1(b.logprobs, b.ref_logprobs)
        k3 = kl_estimators.k3(b.logprobs, b.ref_logprobs)
        found = {
            "reward": float(self.raw.mean()),
            "reward_std": float(self.raw.std()) if len(self.raw) > 1 else 0.0,
            "score": float(b.scores.mean()),
            "kl": per_sequence(k3, mask),
            "kl_k1": per_sequence(k1, mask),
            "kl_penalty": per_sequence(self.kl, mask),
            "entropy": float(masked.mean(self.entropy, mask)),
            "length": float(mask.sum(1).float().mean()),
            "finished": float(self.finished.float().mean()),
        }
        if b.values is not None and b.returns is not None:
            found["explained_variance"] = explained_variance(b.values, b.returns, mask)
        return found


def per_sequence(values: Tensor, mask: Tensor) -> float:
    """The mean over rows of the sum over their tokens."""
    return float(masked.total(values, mask, dim=1).mean())


def explained_variance(values: Tensor, returns: Tensor, mask: Tensor) -> float:
    """1 - var(R - V) / var(R) over response tokens; 0 where returns do not vary."""
    spread = float(masked.var(returns, mask))
    return 1 - float(masked.var(returns - values, mask)) / spread if spread > 1e-12 else 0.0


def policy_sampling(config: AlignConfig) -> Sampling:
    """The whole distribution at its temperature: what is learned from must be what was drawn."""
    return Sampling(
        temperature=config.temperature,
        max_new_tokens=config.max_new_tokens,
        ignore_eos=config.ignore_eos,
    )


def budget(policy: Policy, config: AlignConfig) -> int:
    """Padded tokens at once."""
    return config.micro_tokens or BUDGET.get(policy.device.type, BUDGET["cpu"])


def scores_of(
    reward: RewardModel, prompts: Sequence[str], texts: Sequence[str], device: torch.device
) -> Tensor:
    """The reward's numbers [B]. RunError unless there is one finite number per answer."""
    return checked_scores(reward.score(prompts, texts), len(texts), device)


def checked_scores(given: Sequence[float], count: int, device: torch.device) -> Tensor:
    """`given` as a tensor [count]. RunError unless there is one finite number per answer."""
    try:
        scores = torch.as_tensor(given, dtype=torch.float32).to(device)
    except (TypeError, ValueError) as error:
        raise RunError(
            f"the reward gave {type(given).__name__} that is no list of numbers ({error}); "
            "return one number per answer"
        ) from None
    if scores.shape != (count,) or not torch.isfinite(scores).all():
        raise RunError(
            f"the reward gave {list(scores.shape)} numbers for {count} answers, "
            f"{int((~torch.isfinite(scores)).sum())} of them not finite; mend the reward"
        )
    return scores


@dataclass
class Measured:
    """What is known of each token [B, T], and of the prompts; filled in piece by piece."""

    logprobs: Tensor
    entropy: Tensor
    ref_logprobs: Tensor
    kl: Tensor
    values: Tensor | None = None
    ref_hidden: Tensor | None = None


@torch.no_grad()
def measure(
    policy: Policy, critic: Critic | None, sampled: Sampled, config: AlignConfig, *, reuse: bool
) -> Measured:
    """Policy, critic and reference on the sampled tokens; masked positions hold 0.

    With `reuse` the sampler's numbers stand for the policy's, otherwise its trunk reads the batch
    again. The reference always does.
    """
    tokens = sampled.tokens
    whole = torch.zeros_like(sampled.logprobs)
    out = Measured(sampled.logprobs, sampled.entropy, whole.clone(), whole.clone())
    if not reuse:
        out.logprobs, out.entropy = whole.clone(), whole.clone()
    if critic is not None:
        out.values = whole.clone()
    if _loss_wants_whole_kl(config):
        size = (*whole.shape, policy.hidden_size)
        out.ref_hidden = torch.zeros(size, dtype=policy.hf.dtype, device=whole.device)
    shell = RolloutBatch(tokens, whole, whole, whole[:, 0], encoded=sampled.encoded)
    for rows in pieces(tokens, rows=config.micro_batch, budget=budget(policy, config)):
        piece = piece_of(shell, rows)
        width = piece.mask.shape[1]
        hidden = sampled.hidden[rows][:, :width] if reuse and sampled.hidden is not None else None
        for name, flat in _tokens_of(policy, critic, piece, hidden, config).items():
            put_tokens(getattr(out, name), rows, piece.mask, flat)
    if config.kl.estimator != "full":
        estimate = lookup("kl", config.kl.estimator)
        out.kl = estimate(out.logprobs, out.ref_logprobs).masked_fill(~tokens.response_mask, 0.0)
    return out


def _tokens_of(
    policy: Policy,
    critic: Critic | None,
    piece: RolloutBatch,
    hidden: Tensor | None,
    config: AlignConfig,
) -> dict[str, Tensor]:
    """What is measured of a piece's real tokens, [N] each; `hidden` where the sampler left it."""
    tokens, mask, sampling = piece.tokens, piece.mask, policy_sampling(config)
    ids, found = tokens.response_ids[mask], {}
    if hidden is None:
        hidden = policy.hidden(tokens, piece.encoded)
        found["logprobs"] = head_logprobs(policy, hidden[mask], ids, sampling)
        found["entropy"] = head_entropy(policy, hidden[mask], sampling)
    with policy.reference():
        ref_hidden = policy.hidden(tokens, piece.encoded)[mask]
        found["ref_logprobs"] = head_logprobs(policy, ref_hidden, ids, sampling)
    if config.kl.estimator == "full":
        found["kl"] = head_divergence(policy, hidden[mask], ref_hidden, sampling)
    if critic is not None:
        found["values"] = critic.values(tokens, hidden)[mask]
    if _loss_wants_whole_kl(config):
        found["ref_hidden"] = ref_hidden
    return found


def _loss_wants_whole_kl(config: AlignConfig) -> bool:
    return config.kl.place != "reward" and config.kl.loss_estimator == "full"


def with_advantages(
    rollout: Rollout, rewards: Tensor, advantages: Tensor, returns: Tensor | None = None
) -> Rollout:
    """The same rollout with rewards, advantages and returns [B, T] filled in."""
    batch = replace(rollout.batch, rewards=rewards, advantages=advantages, returns=returns)
    return replace(rollout, batch=batch)
