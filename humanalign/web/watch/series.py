"""metrics.jsonl as columns, kept in memory and read on from where the last look ended.

A file that was cut back or written anew (a run that resumes rewinds its metrics) is read again
from its start, under another edition, so that a page knows to forget what it has.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from humanalign.evaluate.report.results import is_number
from humanalign.web.watch.folder import Place, opened
from humanalign.web.watch.lines import parsed
from humanalign.web.watch.thinning import Array, Thinned, thinned

# Read in pieces, so that other requests are answered between them.
PIECE = 1 << 20
# The bytes before the place reached are compared with those read: an altered file is read anew.
MEMORY = 128
RUNS_KEPT = 24
FIRST_ROOM = 1024
# A row with more names than a trainer logs is no row of metrics.
MOST_COLUMNS = 400
MOST_STEPS, BEYOND = 1e15, 1e300


@dataclass(frozen=True)
class View:
    """A stretch of a run's metrics: the curve of each name, and where the next look goes on."""

    curves: dict[str, Thinned]
    edition: str
    offset: int
    rows: int
    last_step: float | None
    broken: int
    holes: dict[str, int]
    whole: bool


class Series:
    """One run's metrics as columns."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._lock = threading.Lock()
        self._resets = 0
        self._forget(0)

    def _forget(self, inode: int) -> None:
        self._inode, self._offset, self._memory = inode, 0, b""
        self._steps = np.empty(FIRST_ROOM)
        self._columns: dict[str, Array] = {}
        self._ends: list[tuple[int, int]] = []  # (offset, rows) after each look
        self._rows = self._broken = 0
        self._holes: dict[str, int] = {}

    def look(self, edition: str, after: int, points: int) -> View:
        """The rows after the offset `after` of that edition, or all of them where it has ended."""
        with self._lock:
            self._update()
            first = self._row_at(after) if edition == self.edition else 0
            return self._view(slice(first, self._rows), points, whole=first == 0)

    def between(self, low: float, high: float, points: int) -> View:
        """The rows of the steps from `low` to `high`."""
        with self._lock:
            self._update()
            steps = self._steps[: self._rows]
            first, last = np.searchsorted(steps, [low, np.nextafter(high, np.inf)])
            return self._view(slice(int(first), int(last)), points, whole=True)

    @property
    def edition(self) -> str:
        """Names the state of the file that offsets belong to."""
        return f"{self._inode:x}.{self._resets}"

    def _update(self) -> None:
        file = opened(self.place, "metrics.jsonl")
        if file is None:
            if self._rows:
                self._resets += 1
                self._forget(0)
            return
        with file:
            found = os.fstat(file.fileno())
            if not self._goes_on(file, found):
                self._resets += bool(self._inode)
                self._forget(found.st_ino)
            while self._offset < found.st_size and self._take(file, found.st_size):
                pass
        if not self._ends or self._ends[-1][0] != self._offset:
            self._ends = [*self._ends[-MEMORY:], (self._offset, self._rows)]

    def _goes_on(self, file: BinaryIO, found: os.stat_result) -> bool:
        if found.st_ino != self._inode:
            return False
        file.seek(self._offset - len(self._memory))
        return file.read(len(self._memory)) == self._memory

    def _take(self, file: BinaryIO, size: int) -> bool:
        """Read the next piece of whole lines; False where there is none yet."""
        file.seek(self._offset)
        content = file.read(min(PIECE, size - self._offset))
        end = content.rfind(b"\n") + 1
        if not end and len(content) == PIECE:  # one line longer than a piece: none of ours
            content += file.readline()
            end = len(content) if content.endswith(b"\n") else 0
        rows, broken = parsed(content[:end])
        if not self._add_block(rows):
            broken += sum(not self._add(row) for row in rows)
        self._broken += broken
        self._offset += end
        self._memory = (self._memory + content[:end])[-MEMORY:]
        return end > 0

    def _add_block(self, rows: list[dict]) -> bool:
        """Add rows of numbers with rising steps at once; False if they are not.

        This is what a trainer writes, and many times as fast as row by row. Rows of the same
        names go together: a monitor that looks at every tenth step adds names to these.
        """
        alike: dict[tuple[str, ...], list[int]] = {}
        for place, row in enumerate(rows):
            alike.setdefault(tuple(row), []).append(place)
        try:
            tables = {names: _table(rows, places) for names, places in alike.items()}
            steps = np.array([row["step"] for row in rows], dtype=np.float64)
        except (KeyError, TypeError, OverflowError):  # a text, a list, a number beyond floats
            return False
        before = self._steps[self._rows - 1] if self._rows else -BEYOND
        if not (np.diff(steps, prepend=before) > 0).all() or not (abs(steps) < MOST_STEPS).all():
            return False
        first, last = self._rows, self._rows + len(rows)
        while last > len(self._steps):
            self._grow()
        for column in self._columns.values():
            column[first:last] = np.nan
        self._steps[first:last] = steps
        for names, places in alike.items():
            at = first + np.array(places)
            for name, values in zip(names, tables[names].T, strict=True):
                self._put(at, name, values)
        self._rows = last
        return True

    def _add(self, row: dict) -> bool:
        step = row.get("step")
        if not is_number(step) or not abs(step) < MOST_STEPS:
            return False
        while self._rows and step <= self._steps[self._rows - 1]:
            self._rows -= 1  # a step that comes again takes the place of what came after it
            self._resets += 1
        at = self._rows
        if at == len(self._steps):
            self._grow()
        self._steps[at] = step
        for column in self._columns.values():
            column[at] = np.nan
        for name, value in row.items():
            if isinstance(value, int | float):
                beyond = abs(value) >= BEYOND
                self._put(slice(at, at + 1), name, np.array([np.nan if beyond else float(value)]))
        self._rows += 1
        return True

    def _put(self, rows: slice | NDArray[np.intp], name: str, values: Array) -> None:
        column = self._columns.get(name)
        if column is None:
            if name == "step" or len(self._columns) >= MOST_COLUMNS:
                return
            column = self._columns[name] = np.full(len(self._steps), np.nan)
        # Infinite, or no number at all: nothing to draw, and worth saying.
        fine = np.abs(values) < BEYOND
        column[rows] = np.where(fine, values, np.nan)
        if not fine.all():
            self._holes[name] = self._holes.get(name, 0) + int((~fine).sum())

    def _grow(self) -> None:
        more = np.full(len(self._steps), np.nan)
        self._steps = np.concatenate([self._steps, more])
        self._columns = {n: np.concatenate([c, more]) for n, c in self._columns.items()}

    def _row_at(self, offset: int) -> int:
        """How many rows lie before `offset`; 0 where that is not known any more."""
        return next((rows for end, rows in reversed(self._ends) if end == offset), 0)

    def _view(self, rows: slice, points: int, *, whole: bool) -> View:
        steps, curves = self._steps[rows], {}
        for name, column in self._columns.items():
            there = ~np.isnan(column[rows])
            if there.any():
                curves[name] = thinned(steps[there], column[rows][there], points)
        return View(
            curves=curves,
            edition=self.edition,
            offset=self._offset,
            rows=self._rows,
            last_step=float(self._steps[self._rows - 1]) if self._rows else None,
            broken=self._broken,
            holes=dict(self._holes),
            whole=whole,
        )


def _table(rows: list[dict], places: list[int]) -> Array:
    """The values of rows that have the same names; TypeError where one is no number."""
    values = [list(rows[place].values()) for place in places]
    if not set(map(type, chain.from_iterable(values))) <= {int, float}:
        raise TypeError("NumPy would read the text '1' as a number")
    return np.array(values, dtype=np.float64)


class Shelf:
    """The series of the runs looked at last; older ones are read again when somebody asks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[str, Series] = OrderedDict()

    def series(self, place: Place) -> Series:
        """The columns of that run's metrics."""
        with self._lock:
            held = self._held.pop(place.id, None) or Series(place)
            self._held[place.id] = held
            while len(self._held) > RUNS_KEPT:
                self._held.popitem(last=False)
            return held
