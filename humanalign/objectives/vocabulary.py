"""What needs the whole vocabulary, a chunk of tokens at a time.

Letters: N tokens, V vocabulary, `...` any leading dimensions (B, T). Half-precision logits are
raised to float32 inside a chunk only, and backward recomputes a chunk instead of keeping it, so
no float32 tensor of B x T x V ever exists. Logits are divided by the temperature beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

CHUNK = 1024


def chunked(
    function: Callable[..., Tensor], tensors: Sequence[Tensor], *, chunk: int = CHUNK
) -> Tensor:
    """Apply `function` ([n, V] ... -> [n]) to `chunk` tokens at a time; the result is [...]."""
    if chunk < 1:
        raise ValueError(f"chunk: expected at least 1 token, got {chunk}")
    leading = tensors[0].shape[:-1]
    flat = [tensor.reshape(-1, tensor.shape[-1]) for tensor in tensors]
    pieces = []
    for start in range(0, max(len(flat[0]), 1), chunk):
        rows = [tensor[start : start + chunk] for tensor in flat]
        if torch.is_grad_enabled() and any(r.requires_grad for r in rows):
            pieces.append(checkpoint(function, *rows, use_reentrant=False))
        else:
            pieces.append(function(*rows))
    return torch.cat(pieces).reshape(leading)


def log_softmax(logits: Tensor) -> Tensor:
    """Log-probabilities [..., V] in nats, in float32 at least."""
    return logits.log_softmax(-1, dtype=torch.promote_types(logits.dtype, torch.float32))


def token_logprobs(logits: Tensor, ids: Tensor, *, chunk: int = CHUNK) -> Tensor:
    """The log-probability (nats) of each token of `ids` [...] under `logits` [..., V]."""

    def gather(rows: Tensor, picked: Tensor) -> Tensor:
        return log_softmax(rows).gather(-1, picked).squeeze(-1)

    return chunked(gather, (logits, ids.unsqueeze(-1)), chunk=chunk)
