"""The vocabulary head, a few tokens at a time: never a tensor of B x T x V.

Three tricks, all exact. Only real response tokens go through the head, not prompts and not
padding. In training a chunk's loss goes backward as soon as it is computed, down to the hidden
states only; the trunk goes backward once, when all chunks have left their gradient there. And the
head's own gradient is added up in its place, chunk by chunk. So one chunk of logits exists at a
time, nothing is computed twice, and a large vocabulary costs time but no memory.
Letters: N tokens, D hidden size, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from humanalign.decoding import Sampling, chosen_logprobs, warp
from humanalign.models import Policy
from humanalign.objectives import kl as kl_estimators
from humanalign.objectives import policy as policy_objectives

# Numbers in one chunk of logits: 16 MB of float32 stay in a processor's cache, a GPU wants more.
ELEMENTS = {"cpu": 2**22, "cuda": 2**27}

# (logits [n, V], hidden states [n, D], which tokens) -> the sum of their losses
ChunkLoss = Callable[[Tensor, Tensor, slice], Tensor]


def chunks(policy: Policy, count: int) -> Iterator[slice]:
    """Slices of `count` tokens whose logits fit one chunk."""
    size = ELEMENTS.get(policy.device.type, 2**22) // policy.hf.config.vocab_size
    step = max(size, 64)
    return (slice(start, start + step) for start in range(0, count, step))


def backward_through_head(
    policy: Policy, hidden: Tensor, sampling: Sampling, loss: ChunkLoss, *, into_trunk: bool = True
) -> float:
    """Sum `loss` over tokens whose hidden states are [N, D], backward; returns the sum.

    `loss` sees the logits of the sampled distribution, the hidden states and the slice, chunk by
    chunk. Without `into_trunk` only what stands on the hidden states learns.
    """
    leaf = hidden.detach().requires_grad_()
    total = 0.0
    for part in chunks(policy, len(leaf)):
        states = leaf[part]
        logits = warp(policy.logits(states, _product), sampling, policy.eos_ids, fresh=True)
        value = loss(logits, states, part)
        if value.requires_grad:
            value.backward()
        total += float(value.detach())
    if into_trunk and leaf.grad is not None and hidden.requires_grad:
        hidden.backward(leaf.grad)
    return total


def _product(states: Tensor, weight: Tensor) -> Tensor:
    return _Head.apply(states, weight)  # type: ignore[no-any-return]


class _Head(torch.autograd.Function):
    """x W^T for x [n, D]. autograd would write the gradient of W for each chunk, [V, D], and add
    it to the sum afterwards: three passes over memory where the product itself can add."""

    @staticmethod
    def forward(ctx, states: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(states, weight)
        return states @ weight.T

    @staticmethod
    def backward(ctx, *grads: Tensor) -> tuple[Tensor, None]:
        states, weight = ctx.saved_tensors
        [grad] = grads
        if weight.requires_grad:
            if weight.grad is None:
                weight.grad = grad.T @ states
            else:
                weight.grad.addmm_(grad.T, states)
        return grad @ weight, None


def head_logprobs(policy: Policy, hidden: Tensor, ids: Tensor, sampling: Sampling) -> Tensor:
    """Log-probabilities [N] of `ids`, in nats, from hidden states [N, D]."""

    def read(logits: Tensor, part: slice) -> Tensor:
        return chosen_logprobs(logits, ids[part])

    return _measured(policy, hidden, sampling, read)


def head_entropy(policy: Policy, hidden: Tensor, sampling: Sampling) -> Tensor:
    """Entropy [N] of the sampled distribution at each token, in nats."""
    return _measured(policy, hidden, sampling, lambda logits, _: policy_objectives.entropy(logits))


def head_divergence(
    policy: Policy, hidden: Tensor, ref_hidden: Tensor, sampling: Sampling
) -> Tensor:
    """KL over the whole vocabulary at each token, [N] nats, from both sides' hidden states."""

    def read(logits: Tensor, part: slice) -> Tensor:
        return kl_estimators.full(logits, reference_logits(policy, ref_hidden[part], sampling))

    return _measured(policy, hidden, sampling, read)


@torch.no_grad()
def _measured(
    policy: Policy, hidden: Tensor, sampling: Sampling, read: Callable[[Tensor, slice], Tensor]
) -> Tensor:
    """One number per token, [N], that `read` takes from a chunk's logits [n, V]."""
    found = [hidden.new_zeros(0, dtype=torch.float32)]
    for part in chunks(policy, len(hidden)):
        logits = warp(policy.logits(hidden[part]), sampling, policy.eos_ids, fresh=True)
        found.append(read(logits, part))
    return torch.cat(found)


@torch.no_grad()
def reference_logits(policy: Policy, ref_hidden: Tensor, sampling: Sampling) -> Tensor:
    """The reference's logits [n, V] from its hidden states [n, D]."""
    with policy.reference():
        return warp(policy.logits(ref_hidden), sampling, policy.eos_ids, fresh=True)
