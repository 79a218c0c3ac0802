"""Rankings become training pairs: all N choose 2 of them, the preferred answer first.

Ties are dropped by default ("soft": both orders at half the weight, a label of 0.5). F marks are
removed by default ("lose": every answer that is not F beats each F). Splits go by prompt, so no
prompt is on both sides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from humanalign.errors import DataError, did_you_mean
from humanalign.prefer.statistics.consensus import Consensus
from humanalign.prefer.statistics.votes import levels
from humanalign.types import PreferencePair, Prompt, Ranking, Split, split_of

TIES = ("drop", "soft")
REJECTS = ("drop", "lose")
# (comparison id, rater id) -> completion ids as that rater saw them.
Shown = Mapping[tuple[str, str], Sequence[str]]


@dataclass(frozen=True)
class Texts:
    """The words behind the ids: prompts by comparison id, answers by completion id.

    `criteria` by comparison id, where they are known.
    """

    prompts: Mapping[str, Prompt]
    answers: Mapping[str, str]
    criteria: Mapping[str, str] = field(default_factory=dict)


def prompt_split(prompt: Prompt) -> Split:
    """The prompt's own split where its file set one apart, else `split_of` its id."""
    return prompt.split if prompt.split != "train" else split_of(prompt.id)


def pairs_of(
    ranked: Iterable[Ranking | Consensus],
    texts: Texts,
    *,
    ties: str = "drop",
    rejects: str = "drop",
    ai: Collection[str] = (),
    shown: Shown | None = None,
) -> list[PreferencePair]:
    """Every pair that `ranked` orders, best answers first; a ranking of K without ties or F gives
    K(K-1)/2.

    A consensus gives its margins. `ai` names the raters who are no people: pairs that rest on
    them alone have source "ai". `shown` tells, by (comparison id, rater id), the order in which
    the answers were seen. Two answers of the same words make no pair. DataError: unknown option.
    """
    _check("ties", ties, TIES)
    _check("rejects", rejects, REJECTS)
    pairs = []
    for each in ranked:
        agreed = isinstance(each, Consensus)
        ranking = each.ranking if agreed else each
        margins = each.margins if agreed else {}
        judges = each.raters if agreed else (each.rater_id,)
        source = "ai" if all(rater in ai for rater in judges) else "human"
        prompt = texts.prompts[ranking.comparison_id]
        display = (shown or {}).get((ranking.comparison_id, ranking.rater_id), ())
        for better, worse, weight in ordered(ranking, ties, rejects):
            chosen, rejected = texts.answers[better], texts.answers[worse]
            if chosen != rejected:
                pairs.append(
                    PreferencePair(
                        prompt=prompt.text,
                        chosen=chosen,
                        rejected=rejected,
                        weight=weight,
                        margin=margins.get((better, worse), 0.0),
                        rater=ranking.rater_id,
                        prompt_id=prompt.id,
                        source=source,
                        criterion=texts.criteria.get(ranking.comparison_id, ""),
                        first=_seen_first(display, better, worse),
                    )
                )
    return pairs


def ordered(ranking: Ranking, ties: str, rejects: str) -> Iterator[tuple[str, str, float]]:
    """(better id, worse id, weight) of every pair that counts, best first."""
    mark = levels(ranking)
    ids = [c for tier in ranking.tiers for c in tier]
    if rejects == "lose":
        ids += ranking.rejected
    for a, b in combinations(ids, 2):
        if mark[a] < mark[b]:
            yield a, b, 1.0
        elif ties == "soft" and a not in ranking.rejected:
            yield a, b, 0.5
            yield b, a, 0.5


def _seen_first(display: Sequence[str], better: str, worse: str) -> bool | None:
    """Whether `better` stood before `worse`; None unless both were shown."""
    if better not in display or worse not in display:
        return None
    return display.index(better) < display.index(worse)


def _check(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise DataError(
            f"{name}: expected {' or '.join(known)}, got '{value}'{did_you_mean(value, known)}"
        )
