"""The runs below a folder, by names that lead nowhere else, and their files, opened with care.

A run's id is a hash of its place: no address can spell a path, so none can leave the folder. Links
are followed neither to folders nor to files. Everything is opened for reading only.
"""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

# What a run keeps below itself and no run is ever in.
INNER = frozenset({"checkpoints", "data", "policy", "model", "best"})
# A folder is walked again after this many seconds at the earliest.
WALK_SECONDS = 1.0
RECORD_LIMIT = 16 << 20


@dataclass(frozen=True)
class Place:
    """Where a run is: its id, its path below the folder as people read it, its directory."""

    id: str
    name: str
    path: Path

    @property
    def group(self) -> str:
        """The round folder: the path without its last part, "" for a run right below."""
        return self.name.rpartition("/")[0]


class Folder:
    """A folder of runs, walked again as it changes."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).resolve()
        self._lock = threading.Lock()
        self._places: dict[str, Place] = {}
        self._walked = -WALK_SECONDS

    def places(self) -> dict[str, Place]:
        """Every run below the folder by its id; at most a second old."""
        with self._lock:
            if time.monotonic() - self._walked >= WALK_SECONDS:
                self._places = {place.id: place for place in _walk(self.root)}
                self._walked = time.monotonic()
            return self._places

    def find(self, id: str) -> Place | None:
        """The run of that id, None where there is none (any more)."""
        return self.places().get(id)


def _walk(root: Path) -> Iterator[Place]:
    for path, folders, files in os.walk(root):  # follows no links
        if "run.json" in files:
            folders[:] = [name for name in folders if name not in INNER]
            yield _place(root, Path(path))
        folders[:] = [name for name in folders if not name.startswith(".")]


def _place(root: Path, path: Path) -> Place:
    below = os.path.relpath(path, root)
    name = root.name if below == "." else Path(below).as_posix()
    # Names that are no UTF-8 are shown with a mark in place of what cannot be read.
    shown = name.encode("utf-8", "replace").decode()
    return Place(sha256(os.fsencode(below)).hexdigest()[:12], shown, path)


def opened(place: Place, name: str) -> BinaryIO | None:
    """A regular file of the run, open for reading; None where there is none, or a link."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        if place.path.is_symlink():  # became one since the folder was walked
            return None
        descriptor = os.open(place.path / name, flags | getattr(os, "O_BINARY", 0))
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return os.fdopen(descriptor, "rb")


def text(place: Place, name: str, limit: int = RECORD_LIMIT) -> str | None:
    """A file's text; None where there is none, ValueError where it is too long to be ours."""
    file = opened(place, name)
    if file is None:
        return None
    with file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"more than {limit >> 20} MB")
    return content.decode("utf-8", "replace")


def changed(place: Place, name: str) -> tuple[int, int, int] | None:
    """What tells one state of a file from the next: inode, size, time; None where there is none."""
    try:
        found = (place.path / name).lstat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


@dataclass(frozen=True)
class Record:
    """A run's run.json; `damage` says in a sentence why it cannot be read, "" where it can."""

    tree: dict
    damage: str = ""

    @property
    def stage(self) -> str:
        return str(self.tree.get("stage", "unknown"))[:40]

    @property
    def finished(self) -> bool:
        return self.tree.get("status") == "finished"

    @property
    def summary(self) -> dict:
        found = self.tree.get("summary")
        return found if isinstance(found, dict) else {}


def read_record(place: Place) -> Record:
    """The run's run.json, whatever is in it."""
    try:
        content = text(place, "run.json")
        if content is None:
            return Record({}, "run.json is gone or is no plain file.")
        tree = json.loads(content)
    except RecursionError:
        return Record({}, "run.json is damaged (too deeply nested); run the stage again.")
    except ValueError as error:
        return Record({}, f"run.json is damaged ({error}); run the stage again.")
    if not isinstance(tree, dict) or not isinstance(tree.get("stage"), str):
        return Record({}, "run.json is damaged (no stage in it); run the stage again.")
    return Record(tree)
