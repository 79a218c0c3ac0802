"""ILQL: learn from logged answers and their scores, then steer decoding by what was learned.

Snell et al. 2022 (arXiv 2206.11871). The policy imitates the data; two Q heads and a V head on its
hidden states learn which tokens lead to a high score; decoding adds beta (min Q - V) to the
logits. Departures: the heads share the policy's trunk and their gradient flows into it; the
targets of Q are the returns of the logged answers (`LAM`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, pstdev
from typing import NamedTuple, cast

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from humanalign.align.offline import sampled_kl
from humanalign.errors import ConfigError, DataError
from humanalign.heads import IlqlHeads
from humanalign.models import Policy
from humanalign.objectives.ilql import IlqlOutputs, steer
from humanalign.objectives.ilql import ilql as ilql_loss
from humanalign.objectives.registry import Value, check
from humanalign.objectives.reward import at_last_token
from humanalign.rows import write_bytes
from humanalign.run import Run
from humanalign.sampling import Sampling
from humanalign.train import Loss, Trainer, fit

HEADS, ABOUT = "ilql.safetensors", "ilql.json"
# One-step targets carry a score at the end back by one token per move of the target heads: some
# 20 / alpha steps for 20 tokens. The logged return is there from the first step.
LAM = 1.0


class Scored(NamedTuple):
    """A logged answer and its score. Any (prompt, completion, score) tuple will do."""

    prompt: str
    completion: str
    score: float


def ilql(
    policy: Policy,
    data: Sequence[tuple[str, str, float]],
    *,
    objective: Mapping[str, Value] | None = None,
    steering: float = 1.0,
    alpha: float = 0.005,
    run: Run | None = None,
    lr: float = 1e-4,
    heads_lr: float = 1e-3,
    epochs: int = 1,
    batch: int = 32,
    micro_batch: int | None = None,
    seed: int = 0,
    max_new_tokens: int = 64,
    checkpoint_every: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Policy:
    """Train `policy` and new heads in place; return the policy, steered by them from now on.

    Scores are standardised over the data. `objective` holds tau, gamma, lam (here 1 where it is
    not given), cql, awac and beta of the loss; `alpha` moves the target heads after each step;
    `steering` is the beta of decoding. The heads start from nothing and learn at `heads_lr`, the
    policy at `lr`. With a `run` the heads are saved beside the policy, and `load_steered` reads
    both.
    """
    params = _params(objective or {})
    rows = standardised([Scored(*row) for row in data])
    if run:
        run.record("scored", [Scored(*row)._asdict() for row in data])
    policy.freeze_reference()
    torch.manual_seed(seed)
    heads = IlqlHeads(policy.hidden_size, policy.hf.config.vocab_size).to(policy.device)
    steps = fit(
        run,
        Trainer(_parameters(policy, heads), lr=lr, lr_of={"heads.": heads_lr}),
        rows,
        lambda some: scored_loss(policy, heads, some, params),
        epochs=epochs,
        batch=batch,
        micro_batch=micro_batch,
        seed=seed,
        stage="align",
        checkpoint_every=checkpoint_every,
        after_step=lambda _: heads.polyak(alpha),
        progress=progress,
    )
    policy.logits_hook = steering_hook(heads, steering)
    if run:
        policy.save(run.path / "policy")
        save_heads(heads, steering, run.path / "policy")
        sampling = Sampling(max_new_tokens=max_new_tokens)
        kl = sampled_kl(policy, [row.prompt for row in rows], sampling, seed=seed)
        run.finish({"steps": steps, "rows": len(rows), "method": "ilql", "kl": kl})
    return policy


def scored_loss(
    policy: Policy, heads: IlqlHeads, rows: Sequence[Scored], params: Mapping[str, float]
) -> Loss:
    """The ILQL loss of a micro-batch, summed over response tokens; its count is those tokens."""
    tokens = policy.encode([row.prompt for row in rows], [row.completion for row in rows])
    logits, hidden = policy.forward(tokens)
    mask, actions = tokens.response_mask, tokens.response_ids
    scores = hidden.new_tensor([row.score for row in rows])
    q1, q2, target_q1, target_q2, v = heads(hidden)
    outputs = IlqlOutputs(logits, q1, q2, target_q1, target_q2, v)
    terms = ilql_loss(outputs, actions, at_last_token(scores, mask), mask, **params)
    parts = {"q": terms.q, "v": terms.v, "cql": terms.cql, "awac": terms.awac}
    # Per token, so that long answers do not look worse than short ones.
    lengths = mask.sum(1).clamp(min=1)
    metrics = {
        f"{name}_loss": float((part.detach().sum(1) / lengths).sum())
        for name, part in parts.items()
    }
    return Loss(terms.loss.sum(), float(mask.sum()), metrics, rows=len(rows))


def standardised(rows: Sequence[Scored]) -> list[Scored]:
    """The rows with scores of mean 0 and standard deviation 1.

    DataError where there is nothing to learn: no rows, or the same score everywhere.
    """
    scores = [row.score for row in rows]
    if not rows or pstdev(scores) == 0:
        seen = f"all {len(rows)} score {scores[0]}" if rows else "there are none"
        raise DataError(f"scored answers: {seen}; ILQL needs answers with different scores")
    mean, std = fmean(scores), pstdev(scores)
    return [row._replace(score=(row.score - mean) / std) for row in rows]


def steering_hook(heads: IlqlHeads, beta: float) -> Callable[[Tensor, Tensor], Tensor]:
    """The `logits_hook` of a policy: (logits [B, V], hidden [B, D]) -> steered logits [B, V]."""

    def hook(logits: Tensor, hidden: Tensor) -> Tensor:
        q1, q2, _, _, v = heads(hidden[:, None])
        return steer(logits, q1[:, 0], q2[:, 0], v[:, 0], beta=beta)

    return hook


def save_heads(heads: IlqlHeads, beta: float, folder: Path) -> None:
    """Write the heads (safetensors) and how strongly they steer."""
    state = {name: value.contiguous().cpu() for name, value in heads.state_dict().items()}
    save_file(state, folder / HEADS)
    write_bytes(folder / ABOUT, (json.dumps({"beta": beta}) + "\n").encode())


def load_steered(
    path: str | Path, *, beta: float | None = None, device: str | None = None
) -> Policy:
    """The policy of a finished ILQL run (or its policy/), steered by its heads.

    `beta` replaces the strength that the run was made with; 0 is the imitation alone.
    """
    folder = Path(path) / "policy" if (Path(path) / "run.json").exists() else Path(path)
    if not (folder / ABOUT).is_file():
        raise DataError(f"{path}: holds no ILQL heads ({ABOUT} is missing); name an ILQL run")
    policy = Policy.load(path, device=device)
    heads = IlqlHeads(policy.hidden_size, policy.hf.config.vocab_size).to(policy.device)
    heads.load_state_dict(load_file(folder / HEADS))
    saved = json.loads((folder / ABOUT).read_text(encoding="utf-8"))["beta"]
    policy.logits_hook = steering_hook(heads, saved if beta is None else beta)
    return policy


def _params(objective: Mapping[str, Value]) -> dict[str, float]:
    try:
        checked = check("ilql", "ilql", {"lam": LAM, **objective})
    except ValueError as error:
        raise ConfigError(f"objective: {error}") from None
    return cast(dict[str, float], checked)  # the check knows each type


def _parameters(policy: Policy, heads: IlqlHeads) -> dict[str, torch.nn.Parameter]:
    """All that a checkpoint must hold: the target heads too, although no gradient moves them."""
    own = {f"policy.{name}": p for name, p in policy.trainable().items()}
    return own | {f"heads.{name}": p for name, p in heads.named_parameters()}
