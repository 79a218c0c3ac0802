"""What may be said of two models beside each other: every measure compared, as nested results."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from humanalign.evaluate.measures import Side, better, is_probability, place
from humanalign.evaluate.paired import Paired, adjust, as_told, compare
from humanalign.evaluate.perplexity import METRIC as PERPLEXITY
from humanalign.evaluate.power import smallest_difference
from humanalign.evaluate.quality import Margin, NonInferiority, non_inferior
from humanalign.evaluate.statistics import Array, Undefined, holm
from humanalign.evaluate.toxicity import toxicity
from humanalign.evaluate.winrate import Duels, score_duels
from humanalign.evaluate.winrate import told as told_duels
from humanalign.types import EvalResult, RewardModel


@dataclass(frozen=True)
class Terms:
    """What both sides are measured by: scorers, those of which less is better, margins, seed."""

    scorers: Mapping[str, RewardModel]
    lower: Collection[str]
    margins: Mapping[str, Margin]
    support: bool
    seed: int


@dataclass(frozen=True)
class Judged:
    """What is known of both sides besides scores: perplexity `under` a model, KL, duels."""

    surprise: Paired | Undefined
    under: str
    kl: Mapping[str, EvalResult | Undefined]
    duels: Mapping[str, Duels]


def family_of(
    before: Side, after: Side, surprise: Paired | Undefined, terms: Terms
) -> dict[str, Paired]:
    """All that is looked at together, compared, with Holm's p over the whole."""
    family = {
        name: compare(
            name, scores, after.scores[name], better=better(name, terms.lower), seed=terms.seed
        )
        for name, scores in before.scores.items()
    }
    return adjust(family | ({PERPLEXITY: surprise} if isinstance(surprise, Paired) else {}))


def beside(
    family: Mapping[str, Paired], before: Side, after: Side, terms: Terms, judged: Judged
) -> dict:
    """The nested results: toxicity, quality.rouge*, scorers.*, length, distinct*, perplexity, kl,
    win_rate, non_inferiority and power."""
    told = {name: as_told(paired) for name, paired in family.items()}
    rates = _win_rates(before, after, terms, judged.duels)
    for name in terms.scorers:
        told[name]["win_rate"] = rates[name]["win_rate"]
        if name in terms.lower:
            told[name]["relative_reduction"] = family[name].relative_reduction
            told[name] |= _toxic(name, before.scores[name], after.scores[name], terms.seed)
    changed = _changed(before, after)
    not_worse = _not_worse(family, judged.kl["mean"], terms.margins, changed)
    for found in not_worse:
        if found.metric in told:
            told[found.metric] |= {"non_inferior": found.shown, "margin": found.margin.size}
    results: dict = {}
    for name, each in told.items():
        place(results, name, each)
    if isinstance(judged.surprise, Paired):
        reduction = judged.surprise.relative_reduction
        results[PERPLEXITY] |= {"relative_reduction": reduction, "under": judged.under}
    else:
        results[PERPLEXITY] = judged.surprise
    return results | {
        "kl": dict(judged.kl),
        "win_rate": rates,
        "non_inferiority": [_row(found) for found in not_worse],
        "power": _power(family, before, after),
    }


def _toxic(name: str, before: Array, after: Array, seed: int) -> dict:
    """What is told of probabilities of something bad; nothing of other scores."""
    if not (is_probability(before) and is_probability(after)):
        return {}
    first, second = (toxicity(scores, name=name, seed=seed) for scores in (before, after))
    return {
        "sd": {"before": first.sd, "after": second.sd},
        "over_half": {"before": first.over_half, "after": second.over_half},
        "expected_max": {
            "before": first.expected_max,
            "after": second.expected_max,
            "samples": first.samples,
        },
    }


def _win_rates(
    before: Side, after: Side, terms: Terms, others: Mapping[str, Duels]
) -> dict[str, dict]:
    """The win rate by every scorer, and by whoever else has decided, with Holm's p over them."""
    duels = {
        name: score_duels(
            before.scores[name], after.scores[name], higher_is_better=name not in terms.lower
        )
        for name in terms.scorers
    }
    rates = {name: told_duels(each, seed=terms.seed) for name, each in {**duels, **others}.items()}
    adjusted = holm({name: each["p"] for name, each in rates.items()})
    return {name: each | {"p_holm": adjusted[name]} for name, each in rates.items()}


def _not_worse(
    family: Mapping[str, Paired],
    kl: EvalResult | Undefined,
    margins: Mapping[str, Margin],
    changed: Mapping[str, int],
) -> list[NonInferiority]:
    """Every measure with a margin; without those whose relative change is not defined."""
    found = [
        _judged(family[name], margin, changed.get(name))
        for name, margin in margins.items()
        if name in family
    ]
    if "kl" in margins and isinstance(kl, EvalResult):
        found.append(NonInferiority("kl", replace(margins["kl"], loss="rise"), kl))
    return [each for each in found if each]


def _changed(before: Side, after: Side) -> dict[str, int]:
    """How many prompts changed of each measure without bounds; perplexity goes by the answers."""
    counts = {
        name: int((old != after.scores[name]).reshape(len(old), -1).any(axis=1).sum())
        for name, old in before.scores.items()
        if not (is_probability(old) and is_probability(after.scores[name]))
    }
    pairs = zip(before.answers, after.answers, strict=True)
    return counts | {PERPLEXITY: sum([a.text for a in x] != [b.text for b in y] for x, y in pairs)}


def _judged(paired: Paired, margin: Margin, changed: int | None) -> NonInferiority | None:
    reduction = paired.relative_reduction
    if margin.relative and isinstance(reduction, Undefined):
        return None
    if paired.better == "lower":
        margin = replace(margin, loss="rise")
    reduction = reduction if isinstance(reduction, EvalResult) else None
    return non_inferior(paired.difference, margin, reduction, changed=changed)


def _row(found: NonInferiority) -> dict:
    return {
        "metric": found.metric,
        "margin": found.margin.size,
        "loss": found.margin.loss,
        "relative": found.margin.relative,
        "shown": found.shown,
        "obstacle": found.obstacle,
        "difference": found.change,
    }


def _power(family: Mapping[str, Paired], before: Side, after: Side) -> dict:
    """The smallest difference of each measure that this many prompts would find, 4 in 5 times.

    Not of those in which nothing changed: what they could show is not known.
    """
    still = {name for name, old in before.scores.items() if np.array_equal(old, after.scores[name])}
    smallest = {
        name: smallest_difference(paired.difference, looks=len(family))
        for name, paired in family.items()
        if name not in still and paired.difference.ci_low < paired.difference.ci_high
    }
    prompts = max(paired.difference.n for paired in family.values())
    return {
        "prompts": prompts,
        "looks": len(family),
        "smallest": smallest,
    }
