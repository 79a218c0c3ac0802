"""KL(policy || against) in nats, per answer and per token: how far training moved the model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from humanalign.evaluate.progress import Parts, Progress
from humanalign.evaluate.statistics import Undefined, bootstrap
from humanalign.models import Policy
from humanalign.sampling import Answer, Sampling, complete
from humanalign.types import EvalResult, Prompt

BATCH = 16


def divergence(
    policy: Policy,
    against: Policy,
    prompts: Sequence[Prompt],
    answers: Sequence[Sequence[Answer]],
    *,
    sampling: Sampling,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, EvalResult | Undefined]:
    """`mean`: over the policy's own answers [N][K], sum over tokens of log policy - log against.
    `per_token`: the sum over all answers by the number of all their tokens.

    The mean estimates the divergence only over answers drawn from the whole distribution at
    temperature 1; where `sampling` was another, one such answer a prompt is drawn for it here.
    Departure: answers are read back as text, so a text with two tokenizations counts as the
    tokenizer writes it.
    """
    metric, n = "kl", len(prompts)
    if policy.logits_hook is not None or against.logits_hook is not None:
        return _undefined("a model decodes through a hook, not its own logits", n)
    if policy.tokenizer.get_vocab() != against.tokenizer.get_vocab():
        return _undefined("the two models have different tokens", n)
    rendered = [policy.render(prompt) for prompt in prompts]
    whole = Sampling(max_new_tokens=sampling.max_new_tokens)
    parts = Parts(progress, 1 + (sampling != whole))
    if sampling != whole:
        answers = complete(policy, rendered, whole, seed=seed, progress=parts.next())
    flat = [(text, answer) for text, row in zip(rendered, answers, strict=True) for answer in row]
    ratios, reading = [], parts.next()
    for start in range(0, len(flat), BATCH):
        ratios.append(_log_ratios(policy, against, flat[start : start + BATCH]))
        if reading:
            reading(min(start + BATCH, len(flat)), len(flat))
    nats, tokens = np.concatenate(ratios).reshape(len(answers), -1, 2).sum(axis=1).T
    answered = np.full(n, float(len(answers[0])))
    return {
        name: EvalResult(metric, *bootstrap([nats, by], np.divide, seed), n, higher_is_better=False)
        for name, by in (("mean", answered), ("per_token", tokens))
    }


def _undefined(reason: str, n: int) -> dict[str, EvalResult | Undefined]:
    return {name: Undefined("kl", reason, n) for name in ("mean", "per_token")}


@torch.no_grad()
def _log_ratios(policy: Policy, against: Policy, rows: Sequence[tuple[str, Answer]]) -> np.ndarray:
    """[B, 2]: the sum over each answer's tokens, its end token included where it was reached, and
    how many those are."""
    tokens = policy.encode([text for text, _ in rows], [answer.text for _, answer in rows])
    ours, theirs = policy.logprobs(tokens), against.logprobs(tokens.to(against.device))
    ratio = ours - theirs.to(ours.device)
    count = tokens.response_mask.sum(dim=1)
    for row, (_, answer) in enumerate(rows):
        if not answer.finished:  # encode() wrote an end token that was never sampled
            count[row] -= 1
            ratio[row, count[row]] = 0.0
    return torch.stack([ratio.sum(dim=1).double(), count.double()], dim=1).cpu().numpy()
