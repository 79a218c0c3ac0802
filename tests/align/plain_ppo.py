"""PPO written a second time, the slow way: what the learner's numbers are held against.

One row at a time without padding, transformers' own forward, formulas in float64, loops over
tokens. Nothing here imports the learner, its chunks, its pieces or the objectives.
Letters: T tokens of one answer, V vocabulary, D hidden size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from peft import PeftModel
from torch import Tensor, nn

from humanalign.objectives.batch import Tokens
from humanalign.settings import AlignConfig


@dataclass(frozen=True)
class Reading:
    """What a model makes of one answer: logp [T, V] at the temperature, hidden [T, D], ids [T]."""

    logp: Tensor
    hidden: Tensor
    ids: Tensor

    @property
    def chosen(self) -> Tensor:
        return self.logp[torch.arange(len(self.ids)), self.ids]

    @property
    def entropy(self) -> Tensor:
        return -(self.logp.exp() * self.logp).sum(-1)


def read(model: nn.Module, tokens: Tokens, row: int, temperature: float) -> Reading:
    """One row through transformers' own forward."""
    hf = model.get_base_model() if isinstance(model, PeftModel) else model
    prompt = tokens.prompt_ids[row][tokens.prompt_mask[row]][None]
    answer = tokens.response_ids[row][tokens.response_mask[row]][None]
    if hf.config.is_encoder_decoder:
        start = torch.full((1, 1), hf.config.decoder_start_token_id)
        behind = torch.cat([start, answer[:, :-1]], 1)
        out = hf(input_ids=prompt, decoder_input_ids=behind, output_hidden_states=True)
        logits, hidden = out.logits[0], out.decoder_hidden_states[-1][0]
    else:
        out = hf(input_ids=torch.cat([prompt, answer], 1), output_hidden_states=True)
        here = slice(prompt.shape[1] - 1, -1)
        logits, hidden = out.logits[0, here], out.hidden_states[-1][0, here]
    return Reading((logits.double() / temperature).log_softmax(-1), hidden, answer[0])


def value_of(head: Mapping[str, Tensor], reading: Reading) -> Tensor:
    """The value head's estimates [T]."""
    return (reading.hidden @ head["weight"][0] + head["bias"]).double()


def divergence(kind: str, own: Reading, ref: Reading) -> Tensor:
    """Nats at each token [T], by the estimator's definition."""
    gap = own.chosen - ref.chosen
    if kind == "full":
        return (own.logp.exp() * (own.logp - ref.logp)).sum(-1)
    return {"k1": gap, "k2": gap**2 / 2, "k3": torch.exp(-gap) - 1 + gap}[kind]


@dataclass(frozen=True)
class Experience:
    """One answer as its sampler left it, float64 [T] each."""

    old: Tensor
    values: Tensor
    kl: Tensor
    rewards: np.ndarray
    advantages: np.ndarray
    returns: np.ndarray


@torch.no_grad()
def experience(
    model: nn.Module,
    head: Mapping[str, Tensor] | None,
    reference: nn.Module,
    tokens: Tokens,
    told: tuple[np.ndarray, float, AlignConfig],
) -> list[Experience]:
    """What each row is worth; `told` holds the scores, beta and the settings."""
    scores, beta, c = told
    rows = []
    for i in range(len(tokens)):
        own, ref = (read(m, tokens, i, c.temperature) for m in (model, reference))
        values = torch.zeros(len(own.ids), dtype=torch.float64)
        if head is not None:
            values = value_of(head, own)
        kl = divergence(c.kl.estimator, own, ref)
        rewards = -(0.0 if c.kl.place == "loss" else beta) * kl.numpy()
        rewards[-1] += scores[i]
        advantages = _gae(rewards, values.numpy(), c.gamma, c.lam)
        returns = advantages + values.numpy()
        rows.append(Experience(own.chosen, values, kl, rewards, advantages, returns))
    return _grouped(rows, c) if c.method != "ppo" else _whitened(rows) if c.whiten else rows


def _gae(rewards: np.ndarray, values: np.ndarray, gamma: float, lam: float) -> np.ndarray:
    after = np.append(values[1:], 0.0)
    delta = rewards + gamma * after - values
    steps = range(len(rewards))
    return np.array([sum((gamma * lam) ** (k - t) * delta[k] for k in steps[t:]) for t in steps])


def _whitened(rows: list[Experience]) -> list[Experience]:
    whole = np.concatenate([r.advantages for r in rows])
    return [_with(r, (r.advantages - whole.mean()) / whole.std()) for r in rows]


def _grouped(rows: list[Experience], c: AlignConfig) -> list[Experience]:
    made = []
    for i, row in enumerate(rows):
        first = i - i % c.group
        group = np.array([r.rewards.sum() for r in rows[first : first + c.group]])
        own = group[i - first]
        if c.method == "rloo":
            one = own - (group.sum() - own) / (c.group - 1)
        else:
            one = (own - group.mean()) / (group.std(ddof=1) + 1e-4)
        made.append(_with(row, np.full(len(row.rewards), one)))
    return made


def _with(row: Experience, advantages: np.ndarray) -> Experience:
    return Experience(row.old, row.values, row.kl, row.rewards, advantages, row.returns)


def loss(
    model: nn.Module,
    head: Mapping[str, Tensor] | None,
    reference: nn.Module,
    tokens: Tokens,
    told: tuple[list[Experience], float, AlignConfig],
) -> Tensor:
    """The loss of a whole minibatch: one mean over all its tokens."""
    known, beta, c = told
    total, count = torch.zeros((), dtype=torch.float64), 0
    for i, past in enumerate(known):
        own = read(model, tokens, i, c.temperature)
        rho = (own.chosen - past.old).exp()
        a = torch.tensor(past.advantages)
        if c.method == "rloo":
            total = total - (a * rho.detach().clamp(max=2.0) * own.chosen).sum()
        else:
            near = torch.clamp(rho, 1 - c.clip, 1 + c.clip)
            total = total - torch.minimum(a * rho, a * near).sum()
        total = total - c.entropy_coef * own.entropy.sum()
        if c.kl.place != "reward":
            with torch.no_grad():
                ref = read(reference, tokens, i, c.temperature)
            total = total + beta * divergence(c.kl.loss_estimator, own, ref).sum()
        if head is not None:
            v, returns = value_of(head, own), torch.tensor(past.returns)
            held = past.values + (v - past.values).clamp(-c.value_clip, c.value_clip)
            worst = torch.maximum((v - returns) ** 2, (held - returns) ** 2)
            total = total + c.value_coef * worst.sum() / 2
        count += len(own.ids)
    return total / count
