"""Fit a reward model to preference pairs: -log sigmoid(r_chosen - r_rejected), by prompt.

All pairs of one prompt stay together and each of its completions is encoded once (Ouyang et al.
2022, arXiv 2203.02155, section 3.5: separate pairs of one prompt overfit). Departure: the loss is
the mean over pairs, weighted by the pair's weight, not the mean over prompts of their means. A tie
is two rows, one each way, of weight 0.5.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import torch

from humanalign.errors import ConfigError, DataError
from humanalign.intervals import mean_interval
from humanalign.models import Lora
from humanalign.objectives.preference import bradley_terry
from humanalign.reward.backbone import Pooling
from humanalign.reward.model import LearnedReward
from humanalign.run import Run
from humanalign.train import Loss, Trainer, fit
from humanalign.types import EvalResult, PreferencePair, RewardModel

# One prompt in five is held out where no evaluation pairs are given.
HELD_OUT = 5


@dataclass(frozen=True)
class Group:
    """One prompt with its distinct completions and its pairs, which index into them."""

    prompt: str
    completions: tuple[str, ...]
    chosen: tuple[int, ...]
    rejected: tuple[int, ...]
    weights: tuple[float, ...]
    margins: tuple[float, ...]


def fit_reward(
    backbone: str,
    pairs: Sequence[PreferencePair],
    eval_pairs: Sequence[PreferencePair] | None = None,
    *,
    run: Run | str | Path | None = None,
    lr: float = 5e-5,
    epochs: int = 2,
    batch: int = 16,
    max_tokens: int | None = None,
    seed: int = 0,
    margin: float = 0.0,
    freeze_layers: int = 0,
    lora: Lora | None = None,
    pooling: Pooling | None = None,
    micro_batch: int | None = None,
    checkpoint_every: int = 0,
    device: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> LearnedReward:
    """Return a standardised reward; its `accuracy` is that on `eval_pairs`, with its interval.

    `batch` counts prompts. `margin` scales each pair's consensus margin into the loss. The order
    of the pairs changes nothing. With a `run` the model goes to its model/ and the run finishes.
    DataError: no pairs, a weight that is not positive, or a prompt on both sides of the split.
    """
    settings = {"model": backbone, "lr": lr, "epochs": epochs, "batch": batch, "seed": seed}
    settings |= {"max_tokens": max_tokens, "margin": margin, "freeze_layers": freeze_layers}
    if isinstance(run, str | Path):
        run = Run.open(run, stage="reward", config=settings, seed=seed)
    if run and run.finished:
        return LearnedReward.load(run.path / "model", device=device)
    started = time.monotonic()
    pairs, eval_pairs = split_pairs(pairs, eval_pairs)
    groups = group_by_prompt(pairs)
    _record(run, pairs, eval_pairs)
    reward = LearnedReward.start(
        backbone, pooling=pooling, max_tokens=max_tokens, device=device, seed=seed
    )
    _choose_trainable(reward, freeze_layers=freeze_layers, lora=lora, seed=seed)
    fit(
        run,
        _trainer(reward, lr=lr, steps=epochs * -(-len(groups) // batch)),
        groups,
        lambda rows: pair_loss(reward, rows, margin=margin),
        epochs=epochs,
        batch=batch,
        micro_batch=micro_batch,
        seed=seed,
        stage="reward",
        checkpoint_every=checkpoint_every,
        progress=progress,
    )
    reward.backbone.merge()
    reward.requires_grad_(False)
    reward.standardise(*_training_texts(groups))
    reward.accuracy = pair_accuracy(reward, eval_pairs, seed=seed)
    _finish(run, reward, groups, time.monotonic() - started)
    return reward


def split_pairs(
    pairs: Sequence[PreferencePair], eval_pairs: Sequence[PreferencePair] | None
) -> tuple[list[PreferencePair], list[PreferencePair]]:
    """Training and held-out pairs, sorted, with no prompt in both.

    Without `eval_pairs` one prompt in five is held out (two at least): the first by hash.
    """
    for pair in [*pairs, *(eval_pairs or ())]:
        if not pair.weight > 0:
            raise DataError(
                f"pairs: the weight of a pair must be above 0, got {pair.weight} at prompt "
                f"{pair.prompt[:40]!r}; leave the pair out instead"
            )
    if eval_pairs is None:
        prompts = sorted({p.prompt for p in pairs}, key=_hash)
        held = set(prompts[: max(2, len(prompts) // HELD_OUT)])
        eval_pairs = [p for p in pairs if p.prompt in held]
        pairs = [p for p in pairs if p.prompt not in held]
    both = {p.prompt for p in pairs} & {p.prompt for p in eval_pairs}
    if both:
        raise DataError(
            f"pairs: {len(both)} prompts are in both training and evaluation pairs, one is "
            f"{min(both)[:40]!r}; split by prompt"
        )
    if not pairs or len({p.prompt for p in eval_pairs}) < 2:
        raise DataError(
            f"pairs: {len(pairs)} training and {len(eval_pairs)} evaluation pairs; a fit needs one "
            "to learn from and two prompts to measure on"
        )
    return sorted(pairs, key=_order), sorted(eval_pairs, key=_order)


def group_by_prompt(pairs: Sequence[PreferencePair]) -> list[Group]:
    """One Group per distinct prompt, in the order of the prompts' first pairs."""
    by_prompt: dict[str, list[PreferencePair]] = {}
    for pair in pairs:
        by_prompt.setdefault(pair.prompt, []).append(pair)
    return [_group(prompt, rows) for prompt, rows in by_prompt.items()]


def pair_loss(reward: LearnedReward, groups: Sequence[Group], *, margin: float = 0.0) -> Loss:
    """The weighted Bradley-Terry loss of a micro-batch of prompts, as a sum and its count."""
    prompts = [group.prompt for group in groups for _ in group.completions]
    completions = [text for group in groups for text in group.completions]
    scores = reward(reward.reader.rows(prompts, completions))
    starts = [0]
    for group in groups:
        starts.append(starts[-1] + len(group.completions))
    chosen = [s + i for s, g in zip(starts, groups, strict=False) for i in g.chosen]
    rejected = [s + i for s, g in zip(starts, groups, strict=False) for i in g.rejected]
    weights = scores.new_tensor([w for group in groups for w in group.weights])
    margins = scores.new_tensor([m for group in groups for m in group.margins])
    losses = bradley_terry(scores[chosen], scores[rejected], margin=margin * margins)
    gap = (scores[chosen] - scores[rejected]).detach()
    right = (gap > 0).float() + 0.5 * (gap == 0).float()
    metrics = {"accuracy": float(right.sum()), "gap": float(gap.sum())}
    return Loss((weights * losses).sum(), float(weights.sum()), metrics, rows=len(gap))


def pair_accuracy(
    reward: RewardModel, pairs: Sequence[PreferencePair], *, seed: int = 0
) -> EvalResult:
    """How often the chosen answer scores higher (equal scores: 1/2), 95 % interval by prompt."""
    texts = list(dict.fromkeys((p.prompt, t) for p in pairs for t in (p.chosen, p.rejected)))
    scores = reward.score([prompt for prompt, _ in texts], [text for _, text in texts])
    by_text = dict(zip(texts, scores, strict=True))
    gaps = [by_text[p.prompt, p.chosen] - by_text[p.prompt, p.rejected] for p in pairs]
    right = [1.0 if gap > 0 else 0.5 if gap == 0 else 0.0 for gap in gaps]
    return mean_interval(right, [p.prompt for p in pairs], metric="accuracy", seed=seed)


def _choose_trainable(
    reward: LearnedReward, *, freeze_layers: int, lora: Lora | None, seed: int
) -> None:
    if lora is None or lora.rank == 0:
        reward.backbone.freeze(freeze_layers)
        return
    if freeze_layers:
        raise ConfigError(
            f"freeze_layers: LoRA freezes every layer already, got {freeze_layers}; give 0"
        )
    torch.manual_seed(seed)
    reward.backbone.adapt(lora)


def _trainer(reward: LearnedReward, *, lr: float, steps: int) -> Trainer:
    """AdamW as usual when BERT is fine-tuned: decay .01, a rate that falls linearly to 0.

    eps 1e-8: PPO's 1e-5 is of the size of the backbone's gradients here and would damp them.
    """
    trainable = {name: p for name, p in reward.named_parameters() if p.requires_grad}
    return Trainer(
        trainable,
        lr=lr,
        weight_decay=0.01,
        betas=(0.9, 0.999),
        eps=1e-8,
        total_steps=steps,
        schedule="linear",
    )


def _group(prompt: str, pairs: Sequence[PreferencePair]) -> Group:
    texts = list(dict.fromkeys(text for p in pairs for text in (p.chosen, p.rejected)))
    place = {text: i for i, text in enumerate(texts)}
    return Group(
        prompt,
        tuple(texts),
        tuple(place[p.chosen] for p in pairs),
        tuple(place[p.rejected] for p in pairs),
        tuple(p.weight for p in pairs),
        tuple(p.margin for p in pairs),
    )


def _training_texts(groups: Sequence[Group]) -> tuple[list[str], list[str]]:
    prompts = [group.prompt for group in groups for _ in group.completions]
    return prompts, [text for group in groups for text in group.completions]


def _record(
    run: Run | None, pairs: Sequence[PreferencePair], eval_pairs: Sequence[PreferencePair]
) -> None:
    if run:
        run.record("pairs.train", [asdict(pair) for pair in pairs])
        run.record("pairs.test", [asdict(pair) for pair in eval_pairs])


def _finish(
    run: Run | None, reward: LearnedReward, groups: Sequence[Group], seconds: float
) -> None:
    if run is None or reward.accuracy is None:
        return
    reward.save(run.path / "model")
    run.finish(
        {
            "accuracy": reward.accuracy.as_dict(),
            "prompts": len(groups),
            "pairs": sum(len(group.chosen) for group in groups),
            "scale": asdict(reward.scale),
            "fit_seconds": seconds,
        }
    )


def _order(pair: PreferencePair) -> tuple[str, str, str, str]:
    return pair.prompt, pair.chosen, pair.rejected, pair.rater


def _hash(prompt: str) -> str:
    return sha256(prompt.encode()).hexdigest()
