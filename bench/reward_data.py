"""The public preference sets that `bench.rewards` reads, as pairs, and how they are divided.

Nothing is chosen on what is measured: prompts whose hash falls in the last quarter are the
development part, on which the default recipe was tuned. They are trained on and never tested on.
The others are dealt into FOLDS test parts, so that each is tested once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from humanalign.prefer.files.formats import read_pairs
from humanalign.prefer.files.reading import read_judgements
from humanalign.prefer.pairs import pairs_of
from humanalign.prefer.statistics.consensus import consensus
from humanalign.types import PreferencePair

FOLDS = 5
QUARTERS = 4


@dataclass(frozen=True)
class PairSet:
    """A preference set: its file below the data folder, and how pairs are made of it."""

    file: str
    read: Callable[[Path], list[PreferencePair]]
    max_tokens: int = 192


def _choices(path: Path) -> list[PreferencePair]:
    """One pair for each judgement; ties are left out."""
    found = read_judgements(path)
    return pairs_of(found.rankings(), found.texts())


def _majority(path: Path) -> list[PreferencePair]:
    """One pair for each question on which most annotators agree."""
    found = read_judgements(path)
    return pairs_of(consensus(found.rankings(), method="borda"), found.texts())


SETS: Mapping[str, PairSet] = {
    "hh": PairSet("hh_rlhf/harmless_base_test.shared.jsonl.gz", read_pairs),
    "summarize": PairSet("summarize_from_feedback/batch18.jsonl.gz", _choices, 256),
    "pandalm": PairSet("pandalm/testset.shared.json", _majority, 256),
    "llmbar": PairSet("llmbar/Natural.json", _choices, 256),
}
SMALL = (
    PairSet("oasst/en_100_tree.jsonl", _choices),
    PairSet("hh_rlhf/single_turn.jsonl", _choices),
)


def other_pairs(data: Path, tested: str) -> list[PreferencePair]:
    """The pairs of all sets but the tested one, and of two that are too small to be tested."""
    others = [each for name, each in SETS.items() if name != tested]
    return [pair for each in [*others, *SMALL] for pair in each.read(data / each.file)]


def folds(
    pairs: Sequence[PreferencePair],
) -> list[tuple[list[PreferencePair], list[PreferencePair]]]:
    """(train, test) of each fold, by prompt."""
    parts = []
    for fold in range(FOLDS):
        test = [p for p in pairs if fold_of(p.prompt) == fold]
        parts.append(([p for p in pairs if fold_of(p.prompt) != fold], test))
    return parts


def fold_of(prompt: str) -> int | None:
    """The fold that tests a prompt; None for the development part."""
    number = int(sha256(prompt.encode()).hexdigest(), 16)
    return None if number % QUARTERS == 0 else number // QUARTERS % FOLDS
