"""A share of supervised text in every update, so that the policy keeps what it could do before.

PPO-ptx of Ouyang et al. 2022 (arXiv 2203.02155, equation 2), over pairs of prompt and response.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from humanalign.align.chunks import backward_through_head
from humanalign.decoding import chosen_logprobs
from humanalign.errors import DataError
from humanalign.models import WHOLE, Policy
from humanalign.objectives.batch import Tokens
from humanalign.train import Loss


class Mix:
    """-coef * log pi(response | prompt) per token of mixed-in text, beside the policy's loss."""

    def __init__(
        self, policy: Policy, rows: Sequence[tuple[str, str]], *, coef: float, batch: int, seed: int
    ) -> None:
        if not rows:
            raise DataError("mix.data: there are no rows in it; give texts or leave it out")
        self.policy, self.rows, self.coef, self.batch, self.seed = policy, rows, coef, batch, seed
        for start in range(0, len(rows), 64):  # a row beyond the context is found now, not later
            self._encoded(rows[start : start + 64])

    def _encoded(self, rows: Sequence[tuple[str, str]]) -> Tokens:
        return self.policy.encode([p for p, _ in rows], [r for _, r in rows])

    def losses(self, count: int, step: int, size: int) -> Iterator[Loss]:
        """The loss of `batch` rows that the seed and the optimizer step choose, `size` at a time.

        `count`: tokens that the policy's own loss is divided by. A mean per mixed-in token must
        come out of that division too, so the sum is scaled by count over its own tokens.
        """
        chosen = random.Random(f"mix/{self.seed}/{step}").choices(self.rows, k=self.batch)
        parts = [chosen[i : i + size] for i in range(0, len(chosen), size)]
        encoded = [self._encoded(part) for part in parts]
        share = count / max(sum(int(tokens.response_mask.sum()) for tokens in encoded), 1)
        for tokens in encoded:
            total = self._backward(tokens, self.coef * share)
            metrics = {"mix_loss": total / self.coef if self.coef else 0.0}
            yield Loss(torch.tensor(total), 0, metrics, rows=0)

    def _backward(self, tokens: Tokens, weight: float) -> float:
        """weight x the summed nats of the responses, backward chunk by chunk."""
        mask = tokens.response_mask
        ids = tokens.response_ids[mask]

        def nats(logits: Tensor, _: Tensor, part: slice) -> Tensor:
            return -weight * chosen_logprobs(logits, ids[part]).sum()

        hidden = self.policy.hidden(tokens)[mask]
        return backward_through_head(self.policy, hidden, WHOLE, nats)
