"""Uploaded files that wait for a yes: kept for an hour where every worker process sees them.

A file's name here is a random token, so that a second request can name it and nobody guesses one.
The name that its sender gave it lies beside it.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
import time
from pathlib import Path
from typing import BinaryIO

from humanalign.errors import DataError

KEEP_SECONDS = 3600.0
TOKEN = re.compile(r"[0-9a-f]{32}")
NAME = ".name"


def keep(stream: BinaryIO, filename: str, project_id: str) -> str:
    """Copy an upload and return its token; what has waited too long goes."""
    _sweep()
    token = secrets.token_hex(16)
    path = _path(token, project_id)
    path.with_suffix(NAME).write_bytes(filename.encode("utf-8", "replace"))
    with path.open("xb") as file:
        shutil.copyfileobj(stream, file)
    return token


def look_up(token: str, project_id: str) -> tuple[Path, str]:
    """Where the upload lies, and its sender's name for it.

    DataError: it is gone, or was sent for another project.
    """
    try:
        if TOKEN.fullmatch(token) and (path := _path(token, project_id)).is_file():
            return path, path.with_suffix(NAME).read_text(encoding="utf-8")
    except FileNotFoundError:
        pass  # swept away in this moment
    raise DataError("the uploaded file is no longer kept; choose it again")


def drop(token: str, project_id: str) -> None:
    """Delete the upload, if it is still there."""
    if TOKEN.fullmatch(token):
        path = _path(token, project_id)
        path.unlink(missing_ok=True)
        path.with_suffix(NAME).unlink(missing_ok=True)


def _path(token: str, project_id: str) -> Path:
    return _folder() / f"{token}-{project_id}"


def _folder() -> Path:
    """A folder that only this user reads; a folder of that name by someone else is refused."""
    folder = Path(tempfile.gettempdir()) / f"humanalign-uploads-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if folder.is_symlink() or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise DataError(f"{folder}: is not ours alone; remove it or set TMPDIR to another folder")
    return folder


def _sweep() -> None:
    for path in _folder().iterdir():
        if time.time() - path.stat().st_mtime > KEEP_SECONDS:
            path.unlink(missing_ok=True)
