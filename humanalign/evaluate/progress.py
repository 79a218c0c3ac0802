"""One bar over several stretches of work."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]


class Parts:
    """One bar over `count` stretches of work of unlike length, each an equal share of it."""

    def __init__(self, progress: Progress | None, count: int) -> None:
        self.progress, self.count, self.begun = progress, count, 0

    def next(self) -> Progress | None:
        """The progress of the next stretch."""
        progress, place = self.progress, self.begun
        self.begun += 1
        if progress is None:
            return None
        return lambda step, total: progress(
            place * 100 + 100 * step // max(1, total), self.count * 100
        )

    def end(self) -> None:
        """All is done, whatever was left out."""
        if self.progress is not None:
            self.progress(self.count * 100, self.count * 100)
