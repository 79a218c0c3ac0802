"""Fit a reward model to preference pairs: -log sigmoid(r_chosen - r_rejected), by prompt.

All pairs of one prompt stay together and each of its completions is encoded once (Ouyang et al.
2022, arXiv 2203.02155, section 3.5: separate pairs of one prompt overfit). Departure: the loss is
the mean over pairs, weighted by the pair's weight, not the mean over prompts of their means. A tie
is two rows, one each way, of weight 0.5.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from torch import Tensor

from humanalign.errors import DataError
from humanalign.intervals import mean_interval
from humanalign.objectives.preference import bradley_terry
from humanalign.reward.batches import cut
from humanalign.reward.groups import Group, group_by_prompt, share_of, split_pairs
from humanalign.reward.learn import learn
from humanalign.reward.model import LearnedReward
from humanalign.reward.reading import Encoded, Reader
from humanalign.reward.recipe import PLAIN, Recipe, settings_of
from humanalign.reward.trust.card import reward_card
from humanalign.reward.trust.scored import score_texts, untied
from humanalign.run import Run
from humanalign.train import Loss
from humanalign.types import EvalResult, PreferencePair, RewardModel

Pairs = Sequence[PreferencePair]
Progress = Callable[[int, int], None] | None


def fit_reward(
    backbone: str,
    pairs: Pairs,
    eval_pairs: Pairs | None = None,
    *,
    recipe: Recipe = PLAIN,
    run: Run | str | Path | None = None,
    seed: int = 0,
    device: str | None = None,
    checkpoint_every: int = 0,
    keep: int = 2,
    judged: Pairs = (),
    curve: Sequence[float] = (),
    progress: Progress = None,
) -> LearnedReward:
    """Return a standardised reward; its `accuracy` is that on `eval_pairs`, with its interval.

    The order of the pairs changes nothing. With a `run` the fit goes on from its last checkpoint,
    the model goes to its model/, and the reward card (trust/card.py) to its summary; `judged` are
    single labelers' pairs on held-out prompts, and `curve` names shares of the training prompts to
    fit as well, for the card. DataError: no pairs, a weight that is not a positive number, or a
    prompt on both sides of the split.
    """
    if isinstance(run, str | Path):
        settings = {"model": backbone, "seed": seed, **settings_of(recipe)}
        run = Run.open(run, stage="reward", config=settings, seed=seed)
    if run and run.finished:
        return LearnedReward.load(run.path / "model", device=device)
    started = time.monotonic()
    train, test = split_pairs(pairs, eval_pairs)
    _record(run, train, test)
    reward, taken = _fitted(
        _start(backbone, recipe, device, seed),
        train,
        recipe=recipe,
        run=run,
        seed=seed,
        checkpoint_every=checkpoint_every,
        keep=keep,
        progress=progress,
    )
    reward.accuracy = pair_accuracy(reward, test, seed=seed)
    if run:
        # Before the card: whatever goes wrong there, what was learned is kept.
        reward.save(run.path / "model")
        summary = _summary(reward, train, taken, time.monotonic() - started)
        points = learning_curve(
            backbone, train, test, shares=curve, recipe=recipe, seed=seed, device=device
        )
        if points:
            points.append(_point(1.0, train, reward.accuracy))
        card = reward_card(
            reward, train, test, judged=judged, curve=points, backbone=backbone, seed=seed
        )
        run.finish(summary | {"card": card})
    return reward


def learning_curve(
    backbone: str,
    train: Pairs,
    test: Pairs,
    *,
    shares: Sequence[float],
    recipe: Recipe,
    seed: int = 0,
    device: str | None = None,
) -> list[dict]:
    """Held-out accuracy of the same fit on nested shares of the training prompts.

    A share that is too small to learn anything from is left out.
    """
    points = []
    for share in sorted(shares):
        part = share_of(train, share)[0]
        try:
            fitted = fit_reward(backbone, part, test, recipe=recipe, seed=seed, device=device)
        except DataError:  # the pairs as a whole were in order
            continue
        if fitted.accuracy is not None:
            points.append(_point(share, part, fitted.accuracy))
    return points


def pair_loss(
    reward: LearnedReward,
    groups: Sequence[Group],
    recipe: Recipe = PLAIN,
    rows: Mapping[str, Sequence[Encoded]] | None = None,
) -> Loss:
    """The recipe's loss of a micro-batch of prompts, as a sum over pairs and its count.

    `rows` are the encoded completions of each prompt, where they are known already.
    """
    rows = rows or encoded(reward.reader, groups)
    tokens = reward.reader.pad([row for group in groups for row in rows[group.prompt]])
    return loss_of(reward(tokens, half=recipe.precision == "bf16"), groups, recipe)


def encoded(reader: Reader, groups: Sequence[Group]) -> dict[str, list[Encoded]]:
    """The encoded completions of each group, by its prompt."""
    rows = iter(reader.encode(*_texts(groups)))
    return {group.prompt: [next(rows) for _ in group.completions] for group in groups}


def loss_of(scores: Tensor, groups: Sequence[Group], recipe: Recipe) -> Loss:
    """From raw scores [B], of the groups' completions one after another, to their pairs' loss.

    A sum over pairs, each times its weight, and the sum of the weights: dividing once by the
    global count makes the step independent of how a batch was cut.
    """
    starts = [0]
    for group in groups:
        starts.append(starts[-1] + len(group.completions))
    chosen = scores[[s + i for s, g in zip(starts, groups, strict=False) for i in g.chosen]]
    rejected = scores[[s + i for s, g in zip(starts, groups, strict=False) for i in g.rejected]]
    weights = scores.new_tensor([w for group in groups for w in group.weights])
    margins = scores.new_tensor([m for group in groups for m in group.margins])
    losses = bradley_terry(
        chosen, rejected, margin=recipe.margin * margins, target=1 - recipe.smoothing / 2
    )
    if recipe.centring:
        losses = losses + recipe.centring * (chosen + rejected) ** 2
    gap = (chosen - rejected).detach()
    right = (gap > 0).float() + 0.5 * (gap == 0).float()
    metrics = {"accuracy": float(right.sum()), "gap": float(gap.sum())}
    return Loss((weights * losses).sum(), float(weights.sum()), metrics, rows=len(gap))


def pair_accuracy(reward: RewardModel, pairs: Pairs, *, seed: int = 0) -> EvalResult:
    """How often the chosen answer scores higher (equal scores: 1/2), 95 % interval by prompt.

    Tied labels are left out, as in the reward card: whatever the scores, half of a tie is wrong.
    """
    kept = untied(pairs)
    if len({pair.prompt for pair in kept}) < 2:
        kept = list(pairs)  # Nothing to be right about: the halves of the ties say so.
    scores = score_texts(reward, kept)
    gaps = [scores[p.prompt, p.chosen] - scores[p.prompt, p.rejected] for p in kept]
    right = [1.0 if gap > 0 else 0.5 if gap == 0 else 0.0 for gap in gaps]
    return mean_interval(right, [p.prompt for p in kept], metric="accuracy", seed=seed)


def _start(backbone: str, recipe: Recipe, device: str | None, seed: int) -> LearnedReward:
    return LearnedReward.start(
        backbone,
        pooling=recipe.pooling,
        max_tokens=recipe.max_tokens,
        chat=recipe.chat,
        device=device,
        seed=seed,
    )


def _fitted(
    reward: LearnedReward,
    train: Pairs,
    *,
    recipe: Recipe,
    run: Run | None,
    seed: int,
    checkpoint_every: int,
    keep: int,
    progress: Progress,
) -> tuple[LearnedReward, dict[str, int]]:
    """`reward` after learning from `train` by the recipe, and the steps and batch that took."""
    learned, aside = train, []
    if recipe.patience:
        aside, learned = share_of(train, recipe.validation)
    groups = group_by_prompt(learned)
    rows = encoded(reward.reader, [*groups, *group_by_prompt(aside)])

    def pieces(chosen: Sequence[Group]) -> Iterable[Sequence[Group]]:
        lengths = [[len(row.ids) for row in rows[group.prompt]] for group in chosen]
        return ([chosen[i] for i in numbers] for numbers in cut(lengths, recipe.micro_tokens))

    reward.adapt(recipe.lora, freeze_layers=recipe.freeze_layers, seed=seed)
    taken = learn(
        reward,
        groups,
        lambda chosen: pair_loss(reward, chosen, recipe, rows),
        recipe=recipe,
        stage="reward",
        validation=group_by_prompt(aside),
        cut=pieces,
        heads=reward.new,
        run=run,
        seed=seed,
        checkpoint_every=checkpoint_every,
        keep=keep,
        progress=progress,
    )
    reward.settle(*_texts(groups))
    return reward, taken


def _texts(groups: Sequence[Group]) -> tuple[list[str], list[str]]:
    prompts = [group.prompt for group in groups for _ in group.completions]
    return prompts, [text for group in groups for text in group.completions]


def _point(share: float, pairs: Pairs, accuracy: EvalResult) -> dict:
    return {"share": share, "pairs": len(pairs), "accuracy": accuracy.as_dict()}


def _record(run: Run | None, train: Pairs, test: Pairs) -> None:
    if run:
        run.record("pairs.train", [pair.as_row() for pair in train])
        run.record("pairs.test", [pair.as_row() for pair in test])


def _summary(reward: LearnedReward, train: Pairs, taken: dict[str, int], seconds: float) -> dict:
    assert reward.accuracy is not None
    return {
        "accuracy": reward.accuracy.as_dict(),
        "prompts": len({pair.prompt for pair in train}),
        "pairs": len(train),
        **taken,
        "scale": asdict(reward.scale),
        "fit_seconds": seconds,
    }
