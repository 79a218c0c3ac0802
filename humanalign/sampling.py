"""Prompts -> completions, with the sampler's own log-probabilities. One decoding loop for all.

Every row draws from its own row of one random stream, so the same seed and the same batch give
the same words. Letters: B rows, T response positions, V vocabulary, D hidden size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from humanalign.decoding import Sampling, chosen_logprobs, warp
from humanalign.models import Policy
from humanalign.objectives.batch import Tokens

__all__ = ["Answer", "Sampled", "Sampling", "complete", "sample"]


@dataclass(frozen=True)
class Sampled:
    """One batch of samples. logprobs [B, T] in nats under the sampled distribution, 0 if masked;
    finished: True where the answer ended with EOS rather than at the length limit."""

    tokens: Tokens
    texts: list[str]
    logprobs: Tensor
    finished: list[bool]


@dataclass(frozen=True)
class Answer:
    """One completion as text."""

    text: str
    finished: bool


@torch.no_grad()
def sample(
    policy: Policy, prompts: Sequence[str], sampling: Sampling, *, generator: torch.Generator
) -> Sampled:
    """Answer each prompt once. The generator lives on the CPU, so seeds mean the same anywhere."""
    tokens = policy.encode(prompts, max_new_tokens=sampling.max_new_tokens)
    step = _encoder_decoder_step if policy.is_encoder_decoder else _causal_step
    next_logits = step(policy, tokens)
    eos = torch.tensor(policy.eos_ids, device=policy.device)
    alive = torch.ones(len(tokens), dtype=torch.bool, device=policy.device)
    token = None
    columns: list[tuple[Tensor, Tensor, Tensor]] = []  # (token, its log-prob, was the row alive)
    for _ in range(sampling.max_new_tokens):
        logits, hidden = next_logits(token)
        if policy.logits_hook is not None:
            logits = policy.logits_hook(logits, hidden)
        logits = warp(logits, sampling, policy.eos_ids)
        drawn = _draw(logits, sampling, generator)
        token = torch.where(alive, drawn, policy.pad_id)
        columns.append((token, chosen_logprobs(logits, token), alive))
        alive = alive & ~torch.isin(token, eos)
        if not alive.any():
            break
    return _gather(policy, tokens, columns, alive)


def complete(
    policy: Policy,
    prompts: Sequence[str],
    sampling: Sampling,
    *,
    seed: int = 0,
    samples: int = 1,
    batch_size: int = 64,
    progress: Callable[[int, int], None] | None = None,
) -> list[list[Answer]]:
    """`samples` answers for each prompt, in the order of the prompts; batched by length."""
    order = sorted(range(len(prompts)), key=lambda i: (len(prompts[i]), i))
    jobs = [i for i in order for _ in range(samples)]
    answers: list[list[Answer]] = [[] for _ in prompts]
    generator = torch.Generator().manual_seed(seed)
    for start in range(0, len(jobs), batch_size):
        rows = jobs[start : start + batch_size]
        batch = sample(policy, [prompts[i] for i in rows], sampling, generator=generator)
        for i, text, finished in zip(rows, batch.texts, batch.finished, strict=True):
            answers[i].append(Answer(text, finished))
        if progress:
            progress(min(start + batch_size, len(jobs)), len(jobs))
    return answers


def _draw(logits: Tensor, sampling: Sampling, generator: torch.Generator) -> Tensor:
    """One token per row: argmax, or the inverse of the cumulative distribution at a uniform."""
    if sampling.temperature == 0.0:
        return logits.argmax(-1)
    uniform = torch.rand(len(logits), 1, generator=generator, dtype=torch.float64)
    cumulative = logits.double().softmax(-1).cumsum(-1)
    # Scaling by the last entry keeps the draw inside the vocabulary whatever the rounding; the
    # next representable number above 0 keeps it off tokens of probability 0 at the front.
    point = uniform.clamp(min=1e-300).to(logits.device) * cumulative[:, -1:]
    return torch.searchsorted(cumulative, point).squeeze(-1)


def _encoder_decoder_step(policy: Policy, tokens: Tokens) -> Callable:
    hf, mask = policy.hf, tokens.prompt_mask.long()
    encoded = hf.get_encoder()(input_ids=tokens.prompt_ids, attention_mask=mask)
    states = BaseModelOutput(last_hidden_state=encoded.last_hidden_state)
    cache = EncoderDecoderCache(DynamicCache(), DynamicCache())

    def next_logits(token: Tensor | None) -> tuple[Tensor, Tensor]:
        ids = (
            torch.full_like(tokens.prompt_ids[:, 0], policy.decoder_start_id)
            if token is None
            else token
        )
        out = hf(
            encoder_outputs=states,
            attention_mask=mask,
            decoder_input_ids=ids[:, None],
            past_key_values=cache,
            output_hidden_states=policy.logits_hook is not None,
            use_cache=True,
        )
        hidden = out.decoder_hidden_states[-1][:, -1] if out.decoder_hidden_states else out.logits
        return out.logits[:, -1], hidden

    return next_logits


def _causal_step(policy: Policy, tokens: Tokens) -> Callable:
    hf, cache = policy.hf, DynamicCache()
    mask = tokens.prompt_mask.long()
    position = mask.sum(1, keepdim=True) - 1

    def next_logits(token: Tensor | None) -> tuple[Tensor, Tensor]:
        nonlocal mask, position
        if token is None:
            ids, positions = tokens.prompt_ids, (mask.cumsum(1) - 1).clamp(min=0)
        else:
            mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
            position = position + 1
            ids, positions = token[:, None], position
        out = hf(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            output_hidden_states=policy.logits_hook is not None,
            logits_to_keep=1,
            use_cache=True,
        )
        hidden = out.hidden_states[-1][:, -1] if out.hidden_states else out.logits
        return out.logits[:, -1], hidden

    return next_logits


def _gather(policy: Policy, tokens: Tokens, columns: list, alive: Tensor) -> Sampled:
    ids, logprobs, mask = (torch.stack(column, dim=1) for column in zip(*columns, strict=True))
    lengths = mask.sum(1).tolist()
    finished = [not a for a in alive.tolist()]
    texts = [
        str(policy.tokenizer.decode(row[:n], skip_special_tokens=True)).strip()
        for row, n in zip(ids.tolist(), lengths, strict=True)
    ]
    full = Tokens(tokens.prompt_ids, tokens.prompt_mask, ids, mask)
    return Sampled(full, texts, logprobs.masked_fill(~mask, 0.0), finished)
