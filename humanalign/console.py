"""What a person sees while work goes on: a bar on a terminal, plain lines elsewhere, on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from humanalign.errors import HumanalignError

SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Callable (done, total): shows how far a stage is and how long it will still take."""

    def __init__(self, name: str, out: TextIO | None = None) -> None:
        self.name = name
        self.out = out or sys.stderr
        self.started = time.monotonic()
        self._shown = self.started
        self._drawn = self._used = False

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        self._used = True
        if self.out.isatty():
            self._draw(done, total, now)
        elif now - self._shown >= SECONDS_BETWEEN_LINES:
            self._shown = now
            self._say(f"{self.name}: {done}/{total}, {self._left(done, total, now)} left")

    def close(self, outcome: str = "done") -> None:
        """Say how the stage ended and how long it took; work without steps ends silently."""
        if not self._used and outcome == "done":
            return
        self.clear()
        self._say(f"{self.name}: {outcome} ({time.monotonic() - self.started:.1f} s)")

    def clear(self) -> None:
        """Take the bar off the terminal, where one was drawn."""
        if self._drawn:
            self.out.write("\r\x1b[K")

    def _draw(self, done: int, total: int, now: float) -> None:
        if self._drawn and now - self._shown < 0.1 and done < total:
            return
        self._shown, self._drawn = now, True
        filled = round(24 * done / max(1, total))
        bar = "█" * filled + "·" * (24 - filled)
        left = self._left(done, total, now)
        self.out.write(f"\r\x1b[K{self.name:<10} {bar} {done}/{total} {left} left")
        self.out.flush()

    def _left(self, done: int, total: int, now: float) -> str:
        seconds = (now - self.started) / max(1, done) * (total - done)
        return f"{seconds / 60:.1f} min" if seconds > 90 else f"{seconds:.0f} s"

    def _say(self, text: str) -> None:
        self.out.write(text + "\n")
        self.out.flush()


@contextmanager
def stage(name: str) -> Iterator[Progress]:
    """A stage's progress, closed with its time; a failure is said before it is raised.

    A user's mistake is said by whoever catches it, once: here only the bar goes away.
    """
    progress = Progress(name)
    try:
        yield progress
    except HumanalignError:
        progress.clear()
        raise
    except BaseException as error:
        progress.close(f"stopped by {type(error).__name__}")
        raise
    progress.close()
