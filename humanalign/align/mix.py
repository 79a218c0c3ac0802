"""A share of supervised text in every update, so that the policy keeps what it could do before.

PPO-ptx of Ouyang et al. 2022 (arXiv 2203.02155, equation 2), over pairs of prompt and response.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from humanalign.errors import DataError
from humanalign.models import Policy
from humanalign.train import Loss


class Mix:
    """-coef * log pi(response | prompt) per token of mixed-in text, beside the policy's loss."""

    def __init__(
        self, policy: Policy, rows: Sequence[tuple[str, str]], *, coef: float, batch: int, seed: int
    ) -> None:
        if not rows:
            raise DataError("mix.data: there are no rows in it; give texts or leave it out")
        self.policy, self.rows, self.coef, self.batch, self.seed = policy, rows, coef, batch, seed

    def losses(self, count: int, step: int, size: int) -> Iterator[Loss]:
        """The loss of `batch` rows that the seed and the optimizer step choose, `size` at a time.

        `count`: tokens that the policy's own loss is divided by. A mean per mixed-in token must
        come out of that division too, so the sum is scaled by count over its own tokens.
        """
        chosen = random.Random(f"mix/{self.seed}/{step}").choices(self.rows, k=self.batch)
        parts = [chosen[i : i + size] for i in range(0, len(chosen), size)]
        encoded = [self.policy.encode([p for p, _ in x], [r for _, r in x]) for x in parts]
        share = count / max(sum(int(tokens.response_mask.sum()) for tokens in encoded), 1)
        for tokens in encoded:
            total = -self.policy.logprobs(tokens).sum() * share
            metrics = {"mix_loss": float(total.detach())}
            yield Loss(self.coef * total, 0, metrics, rows=0)
