"""Answers to one prompt read it once, where the model looks only backwards.

A causal model's state at a token depends on the tokens up to it alone, so rows that begin with the
same tokens have the same states there (the shared prefix of a key-value cache: Kwon et al. 2023,
arXiv 2309.06180, section 4.4). The first row is read whole; the next ones read only what differs
and attend to the first one's prefix. What is compared is tokens, not texts: rows whose prompt was
cut to different lengths share nothing and are read on their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

# A shorter prefix costs more in copies of keys and values than reading it again.
WORTH = 8


@dataclass(frozen=True)
class Prefix:
    """The first `length` tokens of row `leader` also begin this row; length 0: it stands alone."""

    leader: int
    length: int


def shared_prefixes(rows: Sequence[Tensor], *, least: int = WORTH) -> list[Prefix]:
    """What each row shares with the last row before it that was read whole; rows are [T] ids.

    At least one token of a row is its own. Only neighbours are compared: keep a prompt's answers
    together.
    """
    found: list[Prefix] = []
    leader = 0
    for number, row in enumerate(rows):
        length = common_start(rows[leader], row) if number else 0
        if length < least:
            leader, length = number, 0
        found.append(Prefix(leader, length))
    return found


def common_start(one: Tensor, other: Tensor) -> int:
    """How many tokens both rows begin with, leaving at least one of `other`."""
    most = min(len(one), len(other) - 1)
    differ = (one[:most] != other[:most]).nonzero()
    return int(differ[0, 0]) if len(differ) else most
