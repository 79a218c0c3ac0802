"""Best of n: sample n answers, keep the one the reward likes most. The plainest alignment.

Nothing is trained, and the divergence from the policy is at most log n - (n - 1)/n nats (Beirami
et al. 2024, arXiv 2401.01879, prove that the well-known formula is an upper bound). The winners
are also demonstrations: fine-tuning on them moves the choice into the weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean

from humanalign.align.sft import Demonstration
from humanalign.errors import ConfigError, DataError
from humanalign.models import Policy
from humanalign.run import Run
from humanalign.sampling import Sampling, complete
from humanalign.types import RewardModel


@dataclass(frozen=True)
class Best:
    """The winner among a prompt's answers, and the scores of all of them in sampled order."""

    prompt: str
    text: str
    score: float
    finished: bool
    scores: tuple[float, ...]


def kl_bound(n: int) -> float:
    """log n - (n - 1)/n, nats: how far best-of-n can be from the policy it samples."""
    return math.log(n) - (n - 1) / n


def best_of_n(
    policy: Policy,
    prompts: Sequence[str],
    reward: RewardModel,
    *,
    n: int = 4,
    sampling: Sampling | None = None,
    seed: int = 0,
    batch_size: int = 64,
    progress: Callable[[int, int], None] | None = None,
) -> list[Best]:
    """The best of `n` answers to each prompt, in the order of the prompts; the first of equals.

    ConfigError when n is below 1 or when greedy sampling would give n equal answers.
    """
    sampling = sampling or Sampling()
    if n < 1:
        raise ConfigError(f"n: must be at least 1, got {n}")
    if n > 1 and sampling.temperature == 0:
        raise ConfigError(
            f"temperature: is 0, and {n} greedy answers are all the same; give one above 0"
        )
    answers = complete(
        policy,
        prompts,
        sampling,
        seed=seed,
        samples=n,
        batch_size=batch_size,
        progress=progress,
    )
    texts = [answer.text for group in answers for answer in group]
    scores = reward.score([prompt for prompt in prompts for _ in range(n)], texts)
    best = []
    for i, (prompt, group) in enumerate(zip(prompts, answers, strict=True)):
        own = tuple(scores[i * n : (i + 1) * n])
        winner = max(range(n), key=lambda k, own=own: (own[k], -k))
        best.append(Best(prompt, group[winner].text, own[winner], group[winner].finished, own))
    return best


def bestof(
    policy: Policy,
    prompts: Sequence[str],
    reward: RewardModel,
    *,
    run: Run | None = None,
    n: int = 4,
    sampling: Sampling | None = None,
    seed: int = 0,
    batch_size: int = 64,
    progress: Callable[[int, int], None] | None = None,
) -> list[Demonstration]:
    """The winners as demonstrations for `sft`; empty answers are left out.

    With a `run`: samples.jsonl, data/demonstrations.jsonl and a summary of the mean score of a
    first sample (before), of the winners (after), the bound on the KL and what was left out.
    """
    if not prompts:
        raise DataError("prompts: there are none; give at least one")
    best = best_of_n(
        policy,
        prompts,
        reward,
        n=n,
        sampling=sampling,
        seed=seed,
        batch_size=batch_size,
        progress=progress,
    )
    demonstrations = [Demonstration(b.prompt, b.text) for b in best if b.text.strip()]
    if run:
        run.samples(asdict(b) for b in best)
        run.record("demonstrations", [d._asdict() for d in demonstrations])
        run.finish(
            {
                "prompts": len(best),
                "n": n,
                "reward_before": fmean(b.scores[0] for b in best),
                "reward_after": fmean(b.score for b in best),
                "kl": kl_bound(n),
                "left_out": len(best) - len(demonstrations),
            }
        )
    return demonstrations
