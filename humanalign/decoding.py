"""The distribution a token is drawn from: temperature, top-k, top-p and a ban on EOS.

Sampler and trainer both call `warp`, so log-probabilities are always those of the distribution
that was really sampled. Letters: B rows, T positions, V vocabulary; log-probabilities in nats.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from humanalign.errors import RunError


@dataclass(frozen=True)
class Sampling:
    """How to decode. temperature 0 is greedy; top_k 0 and top_p 1 keep the whole vocabulary.

    A model's own generation_config is never consulted: what is not written here does not happen.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    max_new_tokens: int = 64
    ignore_eos: bool = False


def warp(
    logits: Tensor, sampling: Sampling, eos: tuple[int, ...], *, fresh: bool = False
) -> Tensor:
    """Logits [..., V] of the sampled distribution; greedy decoding leaves the scale alone.

    `fresh` logits come straight from a head and belong to nobody else: they may be written to.
    """
    logits = logits.float()
    if sampling.ignore_eos and eos:
        banned = torch.tensor(eos, device=logits.device)
        if fresh:
            with torch.no_grad():  # their probability is 0, and so is their gradient
                logits.index_fill_(-1, banned, -torch.inf)
        else:
            logits = logits.index_fill(-1, banned, -torch.inf)
    if sampling.temperature not in (0.0, 1.0):
        logits = logits / sampling.temperature
    if 0 < sampling.top_k < logits.shape[-1]:
        kth = logits.topk(sampling.top_k, dim=-1).values[..., -1:]
        logits = logits.masked_fill(logits < kth, -torch.inf)
    if sampling.top_p < 1.0:
        ordered, order = logits.sort(dim=-1, descending=True)
        p = ordered.softmax(-1)
        # A token stays while the mass before it is below top_p, so the first always stays.
        beyond = (p.cumsum(-1) - p) >= sampling.top_p
        logits = logits.masked_fill(beyond.scatter(-1, order, beyond), -torch.inf)
    return logits


def draw(logits: Tensor, uniform: Tensor, *, greedy: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """One token per row of logits [B, V] of the sampled distribution: (ids, logprobs, entropy) [B].

    The inverse of the cumulative distribution at `uniform` [B] in (0, 1): one random number a
    row, so a seed means the same words whatever the batch. Nats.
    """
    logprobs = logits.log_softmax(-1)
    p = logprobs.exp()
    if greedy:
        ids = logits.argmax(-1)
    else:
        # In double precision, or the tail of a large vocabulary could never be drawn.
        cumulative = p.cumsum(-1, dtype=torch.float64)
        if not torch.isfinite(cumulative[:, -1]).all():
            raise RunError(
                "the model gives no probabilities (its logits are not finite); lower lr, or load "
                "weights that are whole"
            )
        # Scaling by the last entry keeps the draw inside the vocabulary whatever the rounding.
        point = uniform.unsqueeze(-1) * cumulative[:, -1:]
        ids = torch.searchsorted(cumulative, point).squeeze(-1)
    # A banned token has p = 0 and log p = -inf; it adds nothing.
    entropy = -(p * logprobs.masked_fill(p == 0, 0.0)).sum(-1)
    return ids, logprobs.gather(-1, ids.unsqueeze(-1)).squeeze(-1), entropy


def chosen_logprobs(logits: Tensor, ids: Tensor) -> Tensor:
    """log softmax(logits)[ids]: [..., V] and [...] -> [...], without a second [..., V] tensor."""
    return _Chosen.apply(logits, ids)  # type: ignore[no-any-return]


class _Chosen(torch.autograd.Function):
    """Its gradient is one_hot(ids) - softmax(logits): made in one buffer, in three passes.

    What autograd derives from gather and logsumexp takes seven, and three buffers.
    """

    @staticmethod
    def forward(ctx, logits: Tensor, ids: Tensor) -> Tensor:
        total = logits.logsumexp(-1)
        ctx.save_for_backward(logits, ids, total)
        return logits.gather(-1, ids.unsqueeze(-1)).squeeze(-1) - total

    @staticmethod
    def backward(ctx, *grads: Tensor) -> tuple[Tensor, None]:
        logits, ids, total = ctx.saved_tensors
        grad = grads[0].unsqueeze(-1)
        back = (logits - total.unsqueeze(-1)).exp_().mul_(-grad)
        return back.scatter_add_(-1, ids.unsqueeze(-1), grad.to(back.dtype)), None
