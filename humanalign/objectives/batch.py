"""The tensor containers of the objectives: tokens, rollouts and pair log-probabilities.

Letters: B rows, P prompt positions, T response positions. Masks are boolean, True = a real token.
Prompts are padded on the left where the response follows them in one sequence (causal models) and
on the right where an encoder reads them; responses on the right. Masks come from lengths, never
from comparing tokens with the pad id (pad may equal EOS).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class _Rows:
    """A container whose tensors share their first dimension, so that rows can be selected."""

    def select(self, rows: Tensor | slice) -> Self:
        """The same container with only these rows (an index tensor or a slice)."""
        picked = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, _Rows):
                picked[f.name] = value.select(rows)
            else:
                picked[f.name] = None if value is None else value[rows]
        return type(self)(**picked)


@dataclass(frozen=True)
class Tokens(_Rows):
    """What every forward pass reads. prompt_ids, prompt_mask [B, P]; response_ids, mask [B, T]."""

    prompt_ids: Tensor
    prompt_mask: Tensor
    response_ids: Tensor
    response_mask: Tensor

    def __len__(self) -> int:
        return self.prompt_ids.shape[0]

    def lengths(self) -> Tensor:
        """Real tokens of each row, prompt and response together, [B]."""
        return self.prompt_mask.sum(1) + self.response_mask.sum(1)

    def trimmed(self) -> Tokens:
        """The same rows without the columns in which every row has padding."""
        prompt, response = self.prompt_mask.any(0), self.response_mask.any(0)
        return Tokens(
            self.prompt_ids[:, prompt],
            self.prompt_mask[:, prompt],
            self.response_ids[:, response],
            self.response_mask[:, response],
        )

    def with_response(self, row: int, other: Tokens, theirs: int, pad: int) -> Tokens:
        """The same, but `row` has the response of row `theirs` of `other`; padded with `pad`."""
        new = other.response_ids[theirs][other.response_mask[theirs]]
        width = max(self.response_ids.shape[1], len(new))
        ids = self.response_ids.new_full((len(self), width), pad)
        mask = torch.zeros_like(ids, dtype=torch.bool)
        ids[:, : self.response_ids.shape[1]] = self.response_ids
        mask[:, : self.response_ids.shape[1]] = self.response_mask
        ids[row], mask[row] = pad, False
        ids[row, : len(new)], mask[row, : len(new)] = new, True
        return Tokens(self.prompt_ids, self.prompt_mask, ids, mask)

    def to(self, device: torch.device | str) -> Tokens:
        return Tokens(*(getattr(self, f.name).to(device) for f in fields(self)))


@dataclass(frozen=True)
class RolloutBatch(_Rows):
    """Everything PPO, RLOO and GRPO need of one batch of samples.

    logprobs, ref_logprobs, values, rewards, advantages, returns: [B, T], float, nats where they
    are log-probabilities; scores [B]: the reward model's number after standardisation. encoded
    [B, P, D]: the prompts' encoder states, where the encoder is frozen; ref_hidden [B, T, D]: the
    reference's last hidden states, where the loss wants its whole distribution.
    """

    tokens: Tokens
    logprobs: Tensor
    ref_logprobs: Tensor
    scores: Tensor
    values: Tensor | None = None
    rewards: Tensor | None = None
    advantages: Tensor | None = None
    returns: Tensor | None = None
    encoded: Tensor | None = None
    ref_hidden: Tensor | None = None

    @property
    def mask(self) -> Tensor:
        """[B, T], True on response tokens."""
        return self.tokens.response_mask

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True)
class PairLogps(_Rows):
    """Summed log-probabilities (nats) of chosen and rejected answers, [B] each.

    `chosen_length` and `rejected_length` count response tokens, for the losses that average.
    """

    chosen: Tensor
    rejected: Tensor
    ref_chosen: Tensor
    ref_rejected: Tensor
    chosen_length: Tensor
    rejected_length: Tensor

    def __len__(self) -> int:
        return self.chosen.shape[0]


def pad_rows(rows: Sequence[Sequence[int]], pad: int, *, left: bool) -> tuple[Tensor, Tensor]:
    """Rows of ids -> ids [B, L] and mask [B, L]; the mask comes from the lengths."""
    width = max((len(r) for r in rows), default=0)
    ids = torch.full((len(rows), width), pad, dtype=torch.long)
    mask = torch.zeros((len(rows), width), dtype=torch.bool)
    for i, row in enumerate(rows):
        if row:
            where = slice(width - len(row), width) if left else slice(0, len(row))
            ids[i, where] = torch.tensor(row)
            mask[i, where] = True
    return ids, mask
