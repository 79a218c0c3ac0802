"""Scores that are kept: a reward is asked once for each prompt and completion, by content hash.

One line of JSON a score, {"source", "row", "score"}, where `source` is the id of the reward
(weights, settings, code) and `row` that of the words: another reward, or the same after more
training, never finds the old scores. Lines are only ever appended, each batch in one write that
starts on a new line, so several processes can share a file and a process that is killed spoils at
most the line it was writing, which is passed over.
"""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Sequence
from pathlib import Path

from humanalign.errors import DataError
from humanalign.reward.scoring import check_rows, check_scores, identity_of
from humanalign.types import RewardModel, content_id

log = logging.getLogger("humanalign")
# Rows scored between two writes: what a killed process has to do again.
PIECE = 512


class CachedReward:
    """`reward` with its scores kept in `file`; `hits` and `misses` count rows asked for."""

    def __init__(self, reward: RewardModel, file: str | Path) -> None:
        """ConfigError: the reward has no identity. DataError: the file cannot be used."""
        self.reward, self.file = reward, Path(file)
        self.source = identity_of(reward)
        self.hits = self.misses = 0
        self._known: dict[str, float] = {}
        self._read = 0
        self._take_in()

    def score(self, prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
        """One number per row; only rows that no process has scored before reach the reward."""
        check_rows(prompts, completions)
        self._take_in()
        ids = [content_id(p, c) for p, c in zip(prompts, completions, strict=True)]
        new = list({row: at for at, row in reversed(list(enumerate(ids)))}.items())
        new = sorted((at, row) for row, at in new if row not in self._known)
        for start in range(0, len(new), PIECE):
            self._ask(new[start : start + PIECE], prompts, completions)
        self.misses += len(new)
        self.hits += len(ids) - len(new)
        log.info("%s: %d of %d scores were kept already", self.file, self.hits, self.asked)
        return [self._known[row] for row in ids]

    @property
    def asked(self) -> int:
        """Rows asked for so far."""
        return self.hits + self.misses

    def identity(self) -> str:
        """That of the reward: a kept score is its score."""
        return self.source

    def _ask(
        self, new: Sequence[tuple[int, str]], prompts: Sequence[str], completions: Sequence[str]
    ) -> None:
        """Score rows (place, id) and write them down at once."""
        given = self.reward.score(
            [prompts[at] for at, _ in new], [completions[at] for at, _ in new]
        )
        scores = check_scores(given, len(new), type(self.reward).__name__)
        found = {row: score for (_, row), score in zip(new, scores, strict=True)}
        self._known |= found
        rows = ({"source": self.source, "row": row, "score": s} for row, s in found.items())
        self._append("\n" + "".join(json.dumps(row) + "\n" for row in rows))

    def _append(self, text: str) -> None:
        """One write at the end of the file, wherever other processes have moved it."""
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.open("ab", buffering=0) as file:
                file.write(text.encode())
                os.fsync(file.fileno())
        except OSError as error:
            raise DataError(f"{self.file}: scores cannot be kept ({error.strerror})") from None

    def _take_in(self) -> None:
        """Read what was appended since the last time, up to the last whole line."""
        try:
            with self.file.open("rb") as file:
                file.seek(self._read)
                fresh = file.read()
        except FileNotFoundError:
            return
        except OSError as error:
            raise DataError(f"{self.file}: cannot be read ({error.strerror})") from None
        whole = fresh[: fresh.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            row = _row(line)
            if row is not None and row[0] == self.source:
                self._known[row[1]] = row[2]


def _row(line: bytes) -> tuple[str, str, float] | None:
    """(source, row, score) of a line; None for a blank one and for half a line."""
    try:
        found = json.loads(line)
        score = float(found["score"])
        return (found["source"], found["row"], score) if math.isfinite(score) else None
    except (ValueError, KeyError, TypeError):
        return None
