"""The reward card: what a sceptic asks of a fitted reward, answered on held-out pairs.

Every text is scored once and its score passed round; every number is the same for the same pairs,
scores and seed, whatever the order of the pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from humanalign.reward.model import LearnedReward
from humanalign.reward.trust.accuracy import accuracy, by_group, sign_test
from humanalign.reward.trust.baselines import baselines, features_of
from humanalign.reward.trust.calibration import calibration
from humanalign.reward.trust.curve import learning_curve
from humanalign.reward.trust.labelers import labeler_agreement
from humanalign.reward.trust.leaks import leaks
from humanalign.reward.trust.length import length_bias
from humanalign.reward.trust.position import position_bias
from humanalign.reward.trust.scored import (
    Scored,
    Text,
    figure,
    score_texts,
    scored,
    texts_of,
)
from humanalign.reward.trust.shift import Familiar, range_of
from humanalign.reward.trust.warnings import warnings_of
from humanalign.types import PreferencePair, RewardModel

Pairs = Sequence[PreferencePair]


def reward_card(
    reward: RewardModel,
    train: Pairs,
    test: Pairs,
    *,
    judged: Pairs = (),
    curve: Sequence[Mapping] = (),
    backbone: str | None = None,
    seed: int = 0,
) -> dict:
    """Every number about `reward` that the data can give, as plain JSON values.

    `judged` are labelers' own pairs; those on training prompts are left out. `curve` holds refits
    on shares of the data: {share, pairs, accuracy}. `backbone` names the model before the fit,
    for the baseline that needs one more pass over all texts; without it that one is left out. A
    part that the data cannot give is None or absent.
    """
    train, test = sorted(train, key=_order), sorted(test, key=_order)
    seen = {pair.prompt for pair in train}
    judged = sorted((pair for pair in judged if pair.prompt not in seen), key=_order)
    scores = score_texts(reward, [*test, *judged])
    held, voted = scored(test, scores), scored(judged, scores)
    learned = reward if isinstance(reward, LearnedReward) else None
    card: dict = {"pairs": _counts(train, held) | {"ties": len(test) - len(held)}}
    if card["pairs"]["test_prompts"] >= 2:
        card |= _on_held_out(held, voted, scores, seed)
        start = _start(learned, backbone)
        card["baselines"] = baselines(train, held, start=start, seed=seed)
        # The loss knows raw scores: standardised ones would be sure of themselves by another unit.
        unit = learned.scale.std if learned else 1.0
        card["calibration"] = calibration(held.gaps * unit, held.prompts, seed=seed)
    card["leaks"] = leaks(train, test)
    if learned is not None and learned.familiar is not None:
        card |= _shift(learned, learned.familiar, held, scores, seed)
    elif train:
        card |= _range(reward, train, held, scores, seed)
    card["curve"] = learning_curve(curve, seed=seed)
    return card | {"warnings": warnings_of(card)}


def _on_held_out(held: Scored, voted: Scored, scores: Mapping[Text, float], seed: int) -> dict:
    # Without votes of their own the labelers are those of the pairs, where these name them.
    own = voted if len(voted) else held.where(lambda pair: pair.rater != "consensus")

    def groups(rows: Scored, names: Sequence[str]) -> dict:
        return by_group(rows.right, rows.prompts, names, seed=seed)

    return {
        "accuracy": accuracy(held, seed=seed),
        "by": {
            "source": groups(held, [pair.source for pair in held.pairs]),
            "criterion": groups(held, [pair.criterion for pair in held.pairs]),
            "labeler": groups(own, [pair.rater for pair in own.pairs]),
        },
        "length": length_bias(held, scores, seed=seed),
        "position": position_bias(own, seed=seed),
        "sign": sign_test(held.right, held.prompts),
        "labelers": labeler_agreement(own, seed=seed),
    }


def _counts(train: Pairs, held: Scored) -> dict[str, int]:
    return {
        "train": len(train),
        "test": len(held),
        "train_prompts": len({pair.prompt for pair in train}),
        "test_prompts": len(set(held.prompts)),
    }


def _start(reward: LearnedReward | None, backbone: str | None) -> LearnedReward | None:
    """The backbone as it came, reading as many tokens as the reward does, at their mean.

    Not by its native head: that of many architectures begins with a layer of random weights.
    """
    if backbone is None or reward is None:
        return None
    device = next(reward.parameters()).device
    limit = reward.reader.max_tokens
    return LearnedReward.start(backbone, pooling="mean", max_tokens=limit, device=str(device))


def _shift(
    reward: LearnedReward,
    familiar: Familiar,
    held: Scored,
    scores: Mapping[Text, float],
    seed: int,
) -> dict:
    """How many held-out answers look or score like nothing that the fit has seen."""
    texts = texts_of(held.pairs)
    if not texts:
        return {}
    values = np.array([scores[text] for text in texts])
    strange = familiar.unfamiliar(features_of(reward, texts), values)
    prompts = [prompt for prompt, _ in texts]
    outside = figure(familiar.outside(values).astype(float), prompts, seed=seed)
    return {
        "range": {"low": familiar.low, "high": familiar.high, "outside": outside},
        "unfamiliar": figure(strange.astype(float), prompts, seed=seed),
    }


def _range(
    reward: RewardModel, train: Pairs, held: Scored, scores: Mapping[Text, float], seed: int
) -> dict:
    """The same from scores alone, for a reward that keeps no record of what it was fitted on."""
    low, high = range_of(list(score_texts(reward, train).values()))
    texts = texts_of(held.pairs)
    outside = [float(not low <= scores[text] <= high) for text in texts]
    share = figure(outside, [prompt for prompt, _ in texts], seed=seed)
    return {"range": {"low": low, "high": high, "outside": share}}


def _order(pair: PreferencePair) -> tuple[str, str, str, str, str]:
    return pair.prompt, pair.chosen, pair.rejected, pair.rater, pair.criterion
