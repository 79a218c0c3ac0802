"""log p(answer | prompt): how likely a model finds an answer that somebody else wrote.

What multiple choice by likelihood, perplexity and the like stand on. Answers are read in batches
of like length; padding changes nothing. Letters: N pairs, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from humanalign.encoding import Encoding
from humanalign.errors import ConfigError, DataError
from humanalign.evaluate.progress import Progress
from humanalign.evaluate.statistics import Array
from humanalign.models import Policy
from humanalign.objectives.batch import Tokens, pad_rows

Pair = tuple[list[int], list[int]]
# Tokens of one batch, and its logits: 2^25 numbers are 128 MB.
TOKENS, LOGITS = 8192, 2**25


@torch.no_grad()
def answer_logprobs(
    policy: Policy,
    prompts: Sequence[str],
    answers: Sequence[str],
    *,
    joined: bool = False,
    progress: Progress | None = None,
) -> tuple[Array, NDArray[np.int64]]:
    """Sum over each answer's tokens of log p(token | prompt, tokens before), nats [N]; tokens [N].

    The end token is left out: benchmarks ask for the words. An empty answer has 0 tokens and
    log-probability 0. `joined`: a causal model's answer has the tokens that it has in the text
    prompt + answer (as public benchmarks do, where the answer starts with a space); otherwise, and
    where a token spans the border, prompt and answer are read apart, as training here does. An
    encoder-decoder's answer always stands alone, without the space in front.

    DataError: a prompt without tokens, a pair longer than the context. ConfigError: a model that
    decodes through a hook, whose own logits are not what it says.
    """
    if policy.logits_hook is not None:
        raise ConfigError(
            f"{policy.name} decodes through a hook, so its own log-probabilities are not what it "
            "says; leave out what reads them (truthfulqa, hhh, perplexity)"
        )
    pairs = _pairs(policy, prompts, answers, joined)
    sums, counts = np.zeros(len(pairs)), np.array([len(a) for _, a in pairs], dtype=np.int64)
    done = 0
    for rows in _batches(pairs, policy.hf.config.vocab_size):
        logprobs = policy.logprobs(_padded(policy, [pairs[i] for i in rows]))
        sums[rows] = logprobs.double().sum(1).cpu().numpy()
        done += len(rows)
        if progress:
            progress(done, len(pairs))
    return sums, counts


def _pairs(
    policy: Policy, prompts: Sequence[str], answers: Sequence[str], joined: bool
) -> list[Pair]:
    """Ids of every prompt and of its answer; each prompt is read once."""
    causal = not policy.is_encoder_decoder
    encoding = Encoding(policy.tokenizer, policy.name, policy.context_length, shared=causal)
    heads = {text: encoding.prompt_ids(text) for text in dict.fromkeys(prompts)}
    pairs = []
    for prompt, answer in zip(prompts, answers, strict=True):
        head = heads[prompt]
        tail = _continuation(encoding, prompt, head, answer) if joined and causal else None
        if tail is None:
            tail = encoding.answer_ids(answer.lstrip() if joined else answer)[:-1]
        _check(policy, head, tail, prompt)
        pairs.append((head, tail))
    return pairs


def _continuation(
    encoding: Encoding, prompt: str, head: list[int], answer: str
) -> list[int] | None:
    """What follows the prompt's tokens in the whole text; None where a token spans the border."""
    whole = encoding.prompt_ids(prompt + answer)
    return whole[len(head) :] if whole[: len(head)] == head else None


def _check(policy: Policy, head: list[int], tail: list[int], prompt: str) -> None:
    if not head:
        raise DataError(f"the prompt {prompt!r} has no tokens, so nothing predicts its answer")
    limit = policy.context_length
    longest = len(head) + len(tail) if not policy.is_encoder_decoder else max(len(head), len(tail))
    if limit is not None and longest > limit:
        raise DataError(
            f"a prompt of {len(head)} tokens ({prompt[:40]!r} ...) and its answer of {len(tail)} "
            f"are longer than the {limit} that {policy.name} reads; leave the item out"
        )


def _batches(pairs: Sequence[Pair], vocabulary: int) -> Iterator[list[int]]:
    """Rows of like length together; the longest first, so that memory runs out at once or never."""
    order = [i for i in range(len(pairs)) if pairs[i][1]]
    order.sort(key=lambda i: (len(pairs[i][0]) + len(pairs[i][1]), i), reverse=True)
    batch: list[int] = []
    wide = tall = 0
    for i in order:
        head, tail = (len(part) for part in pairs[i])
        wide, tall = max(wide, head), max(tall, tail)
        rows = len(batch) + 1
        if batch and (rows * (wide + tall) > TOKENS or rows * tall * vocabulary > LOGITS):
            yield batch
            batch, wide, tall = [], head, tail
        batch.append(i)
    if batch:
        yield batch


def _padded(policy: Policy, pairs: Sequence[Pair]) -> Tokens:
    heads, tails = [head for head, _ in pairs], [tail for _, tail in pairs]
    left = not policy.is_encoder_decoder
    pad = policy.pad_id
    tokens = Tokens(*pad_rows(heads, pad, left=left), *pad_rows(tails, pad, left=False))
    return tokens.to(policy.device)
