"""Prompts -> completions, with the sampler's own log-probabilities. One decoding loop for all.

What makes it fast: the cache is allocated once (cache.py); rows that have ended leave the batch;
adapters are folded into the weights meanwhile (adapters.merged); and all that training needs of
the policy that sampled (log-probabilities, entropy, hidden states) is kept, so that nothing has
to be computed a second time. Every row draws from its own column of one random stream, so the
same seed and batch give the same words. Letters: B rows, T response positions, V vocabulary,
D hidden size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from humanalign.adapters import merged
from humanalign.attention import plain_attention
from humanalign.cache import causal_cache, encoder_decoder_cache, keep_rows
from humanalign.decoding import Sampling, draw, warp
from humanalign.models import Policy
from humanalign.objectives.batch import Tokens

__all__ = ["Answer", "Sampled", "Sampling", "complete", "sample"]

# Rows that have ended are dropped when a quarter of the batch has: each time costs a copy.
COMPACT_AT = 0.75


@dataclass(frozen=True)
class Sampled:
    """One batch of samples; tensors are [B, T], 0 where masked.

    logprobs and entropy in nats under the sampled distribution; finished: True where the answer
    ended with EOS rather than at the length limit. hidden [B, T, D]: the trunk's states that
    predicted each token; encoded [B, P, D]: the encoder's states, where there is an encoder. Both
    only where they were asked for.
    """

    tokens: Tokens
    texts: list[str]
    logprobs: Tensor
    entropy: Tensor
    finished: list[bool]
    hidden: Tensor | None = None
    encoded: Tensor | None = None

    @classmethod
    def of_texts(cls, tokens: Tokens, texts: Sequence[str], finished: Sequence[bool]) -> Sampled:
        """Answers of which nothing is known but their tokens."""
        unknown = torch.zeros(tokens.response_ids.shape, device=tokens.response_ids.device)
        return cls(tokens, list(texts), unknown, unknown, list(finished))

    def select(self, rows: Tensor) -> Sampled:
        """These rows, in this order."""
        chosen = rows.tolist()
        return Sampled(
            self.tokens.select(rows),
            [self.texts[i] for i in chosen],
            self.logprobs[rows],
            self.entropy[rows],
            [self.finished[i] for i in chosen],
            None if self.hidden is None else self.hidden[rows],
            None if self.encoded is None else self.encoded[rows],
        )


@dataclass(frozen=True)
class Answer:
    """One completion as text."""

    text: str
    finished: bool


@torch.no_grad()
def sample(
    policy: Policy,
    prompts: Sequence[str],
    sampling: Sampling,
    *,
    generator: torch.Generator,
    keep_hidden: bool = False,
) -> Sampled:
    """Answer each prompt once. The generator lives on the CPU, so seeds mean the same anywhere."""
    tokens = policy.encode(prompts, max_new_tokens=sampling.max_new_tokens)
    with merged(policy.model), plain_attention(policy.hf):
        make = _EncoderDecoder if policy.is_encoder_decoder else _Causal
        trunk = make(policy, tokens, sampling.max_new_tokens)
        columns = _Columns(policy, len(tokens), sampling.max_new_tokens, keep_hidden)
        _decode(policy, trunk, columns, sampling, generator)
    return columns.sampled(policy, tokens, trunk.encoded if keep_hidden else None)


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


def _decode(
    policy: Policy,
    trunk: _Causal | _EncoderDecoder,
    columns: _Columns,
    sampling: Sampling,
    generator: torch.Generator,
) -> None:
    eos = torch.tensor(policy.eos_ids, device=policy.device)
    rows = torch.arange(columns.count, device=policy.device)  # those that are still in the batch
    alive = torch.ones_like(rows, dtype=torch.bool)
    token = None
    for t in range(sampling.max_new_tokens):
        hidden = trunk.step(token)
        logits = policy.logits(hidden)
        if policy.logits_hook is not None:
            logits = policy.logits_hook(logits, hidden)
        # Every row's number is drawn, so that rows that left do not move the others' numbers.
        uniform = torch.rand(columns.count, generator=generator, dtype=torch.float64)
        # The next number above 0 keeps the draw off tokens of probability 0 at the front.
        mine = uniform.clamp(min=1e-300).to(policy.device)[rows]
        logits = warp(logits, sampling, policy.eos_ids, fresh=True)
        drawn = draw(logits, mine, greedy=sampling.temperature == 0.0)
        columns.put(t, rows[alive], [x[alive] for x in drawn], hidden[alive])
        token = torch.where(alive, drawn[0], policy.pad_id)
        alive = alive & ~torch.isin(token, eos)
        left = int(alive.sum())
        if not left:
            break
        if left <= COMPACT_AT * len(rows):
            stay = alive.nonzero()[:, 0]
            trunk.keep(stay)
            rows, token, alive = rows[stay], token[stay], alive[stay]


class _Columns:
    """What has been sampled so far, one column a token, each row in its own place."""

    def __init__(self, policy: Policy, count: int, width: int, keep_hidden: bool) -> None:
        self.count, self.used = count, 0
        device = policy.device
        self.ids = torch.full((count, width), policy.pad_id, device=device)
        self.mask = torch.zeros((count, width), dtype=torch.bool, device=device)
        self.logprobs = torch.zeros((count, width), device=device)
        self.entropy = torch.zeros((count, width), device=device)
        self.hidden: Tensor | None = None
        if keep_hidden:
            size = (count, width, policy.hidden_size)
            self.hidden = torch.zeros(size, device=device, dtype=policy.hf.dtype)

    def put(self, t: int, rows: Tensor, drawn: Sequence[Tensor], hidden: Tensor) -> None:
        self.ids[rows, t], self.logprobs[rows, t], self.entropy[rows, t] = drawn
        self.mask[rows, t] = True
        if self.hidden is not None:
            self.hidden[rows, t] = hidden.to(self.hidden.dtype)
        self.used = t + 1

    def sampled(self, policy: Policy, tokens: Tokens, encoded: Tensor | None) -> Sampled:
        ids, mask = self.ids[:, : self.used], self.mask[:, : self.used]
        lengths = mask.sum(1)
        last = ids.gather(1, (lengths - 1).clamp(min=0).unsqueeze(1))[:, 0]
        finished = torch.isin(last, torch.tensor(policy.eos_ids, device=ids.device))
        texts = [
            str(policy.tokenizer.decode(row[:n], skip_special_tokens=True)).strip()
            for row, n in zip(ids.tolist(), lengths.tolist(), strict=True)
        ]
        full = Tokens(tokens.prompt_ids, tokens.prompt_mask, ids, mask)
        hidden = None if self.hidden is None else self.hidden[:, : self.used]
        logprobs, entropy = self.logprobs[:, : self.used], self.entropy[:, : self.used]
        return Sampled(full, texts, logprobs, entropy, finished.tolist(), hidden, encoded)


class _Causal:
    """One token at a time behind the prompt: `step` gives the hidden states [b, D] of the rest."""

    encoded: Tensor | None = None

    def __init__(self, policy: Policy, tokens: Tokens, capacity: int) -> None:
        self.body, self.tokens = policy.hf.base_model, tokens
        self.lengths = tokens.prompt_mask.sum(1, keepdim=True)
        self.seen, width = tokens.prompt_ids.shape[1], tokens.prompt_ids.shape[1] + capacity
        self.cache = causal_cache(policy.hf.config, width)
        self.mask = tokens.prompt_mask.new_ones((len(tokens), width))
        self.mask[:, : self.seen] = tokens.prompt_mask
        # Without padding there is nothing to hide, and attention takes its faster path.
        self.padded = not bool(tokens.prompt_mask.all())

    def step(self, token: Tensor | None) -> Tensor:
        if token is None:
            ids, mask = self.tokens.prompt_ids, self.tokens.prompt_mask
            positions = (mask.long().cumsum(1) - 1).clamp(min=0)
        else:
            ids, positions = token[:, None], self.lengths
            self.lengths = self.lengths + 1
            self.seen += 1
        out = self.body(
            input_ids=ids,
            attention_mask=self.mask[:, : self.seen].long() if self.padded else None,
            position_ids=positions,
            past_key_values=self.cache,
            use_cache=True,
        )
        return out.last_hidden_state[:, -1]

    def keep(self, rows: Tensor) -> None:
        keep_rows(self.cache, rows)
        self.lengths, self.mask = self.lengths[rows], self.mask[rows]


class _EncoderDecoder:
    """The prompt is read once; then one token at a time, as `_Causal`."""

    def __init__(self, policy: Policy, tokens: Tokens, capacity: int) -> None:
        self.decoder = policy.hf.get_decoder()
        self.start = torch.full_like(tokens.prompt_ids[:, 0], policy.decoder_start_id)
        self.encoded = self.states = policy.encoder_states(tokens)
        self.mask = tokens.prompt_mask.long()
        self.cache = encoder_decoder_cache(capacity)

    def step(self, token: Tensor | None) -> Tensor:
        out = self.decoder(
            input_ids=(self.start if token is None else token)[:, None],
            encoder_hidden_states=self.states,
            encoder_attention_mask=self.mask,
            past_key_values=self.cache,
            use_cache=True,
        )
        return out.last_hidden_state[:, -1]

    def keep(self, rows: Tensor) -> None:
        keep_rows(self.cache, rows)
        self.states, self.mask = self.states[rows], self.mask[rows]
