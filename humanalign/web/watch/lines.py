"""The rows of a JSON lines file that is being written: the last ones, and those since a place.

A line counts once its line break is there; what a killed process left half-written waits for it.
A place is (edition, offset): the edition changes when the file is another one or was cut back, and
reading then begins again.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import BinaryIO

from humanalign.web.watch.folder import Place, opened

# As much of a file's end as is read for its last rows.
TAIL = 256 << 10


@dataclass(frozen=True)
class Rows:
    """Whole rows, where reading goes on, and how many lines were no JSON object."""

    rows: list[dict]
    offset: int
    edition: str
    broken: int = 0
    fresh: bool = True  # not a continuation: what was shown before is to be forgotten


NONE = Rows([], 0, "")


def last_rows(place: Place, name: str, most: int, tail: int = TAIL) -> Rows:
    """At most `most` rows from the end of a file, and where it ends."""
    file = opened(place, name)
    if file is None:
        return NONE
    with file:
        size = os.fstat(file.fileno()).st_size
        start = max(0, size - tail)
        file.seek(start)
        content = file.read(size - start)
        end = content.rfind(b"\n") + 1
        begin = content.find(b"\n") + 1 if start else 0
        rows, broken = parsed(content[begin:end])
        return Rows(rows[-most:], start + end, _edition(file), broken)


def rows_since(place: Place, name: str, edition: str, offset: int, most: int) -> Rows:
    """The rows after `offset`; the last ones anew where the file is no longer the same."""
    file = opened(place, name)
    if file is None:
        return NONE
    with file:
        size = os.fstat(file.fileno()).st_size
        behind = size - offset
        if _edition(file) != edition or not 0 <= behind <= TAIL or not _after_break(file, offset):
            return last_rows(place, name, most)
        file.seek(offset)
        content = file.read(behind)
    end = content.rfind(b"\n") + 1
    rows, broken = parsed(content[:end])
    return Rows(rows[-most:], offset + end, edition, broken, fresh=False)


def parsed(content: bytes) -> tuple[list[dict], int]:
    """The objects of whole lines, and how many lines are none."""
    lines = [line for line in content.split(b"\n") if line.strip()]
    try:  # one call is a third faster than one a line
        found = json.loads(b"[" + b",".join(lines) + b"]")
        if len(found) != len(lines):  # `1,2` is no line of JSON, but two in a list
            raise ValueError("lines run into each other")
    except (ValueError, RecursionError):
        found = [_object(line) for line in lines]
    rows = [row for row in found if isinstance(row, dict)]
    return rows, len(lines) - len(rows)


def _object(line: bytes) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _edition(file: BinaryIO) -> str:
    """A file that was rewritten and renamed, as on resuming, has another inode."""
    return f"{os.fstat(file.fileno()).st_ino:x}"


def _after_break(file: BinaryIO, offset: int) -> bool:
    if offset == 0:
        return True
    file.seek(offset - 1)
    return file.read(1) == b"\n"
