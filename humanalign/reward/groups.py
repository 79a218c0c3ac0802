"""Pairs by prompt: what is learned from, what is held out, and what belongs in one batch element.

Every part is chosen by a hash of the prompt, so that it is the same in any order of the pairs, and
no prompt is on both sides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from humanalign.errors import DataError
from humanalign.types import PreferencePair

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


def split_pairs(
    pairs: Sequence[PreferencePair], eval_pairs: Sequence[PreferencePair] | None
) -> tuple[list[PreferencePair], list[PreferencePair]]:
    """Training and held-out pairs, sorted, with no prompt in both.

    Without `eval_pairs` one prompt in five is held out (two at least): the first by hash.
    """
    for pair in [*pairs, *(eval_pairs or ())]:
        _check_numbers(pair)
        if pair.chosen == pair.rejected:
            raise DataError(
                f"pairs: both answers to {pair.prompt[:40]!r} are {pair.chosen[:40]!r}; leave the "
                "pair out"
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


def share_of(
    pairs: Sequence[PreferencePair], share: float
) -> tuple[list[PreferencePair], list[PreferencePair]]:
    """The pairs of `share` of the prompts, and the rest; a smaller share lies within a larger.

    At least one prompt is on each side. DataError: fewer than two prompts.
    """
    prompts = sorted({p.prompt for p in pairs}, key=lambda prompt: _hash(f"share/{prompt}"))
    if len(prompts) < 2:
        raise DataError(f"pairs: {len(prompts)} prompts cannot be divided; give two or more")
    count = min(max(1, round(share * len(prompts))), len(prompts) - 1)
    taken = set(prompts[:count])
    return [p for p in pairs if p.prompt in taken], [p for p in pairs if p.prompt not in taken]


def _check_numbers(pair: PreferencePair) -> None:
    if not 0 < pair.weight < math.inf:
        raise DataError(
            f"pairs: the weight of a pair must be a number above 0, got {pair.weight} at prompt "
            f"{pair.prompt[:40]!r}; leave the pair out instead"
        )
    if not math.isfinite(pair.margin):
        raise DataError(
            f"pairs: the margin of a pair must be a number, got {pair.margin} at prompt "
            f"{pair.prompt[:40]!r}; correct it"
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


def _order(pair: PreferencePair) -> tuple[str, ...]:
    # Every field that may differ between two pairs of the same words: the order of the rows in a
    # file must not reach the sums.
    return pair.prompt, pair.chosen, pair.rejected, pair.rater, str(pair)


def _hash(prompt: str) -> str:
    return sha256(prompt.encode()).hexdigest()
