"""Uploaded files that wait for a yes: kept for an hour where every worker process sees them.

A file's name here is a random token, so that a second request can name it and nobody guesses one.
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
# The ends of file names that readers tell containers by; anything else is kept without one.
SUFFIX = re.compile(r"(\.[a-z0-9]{1,10}){1,2}$")


def keep(stream: BinaryIO, filename: str, project_id: str) -> str:
    """Copy an upload and return its token; what has waited too long goes."""
    _sweep()
    token = secrets.token_hex(16)
    ending = SUFFIX.search(filename.lower())
    path = _folder() / f"{token}-{project_id}{ending.group() if ending else ''}"
    with path.open("xb") as file:
        shutil.copyfileobj(stream, file)
    return token


def path_of(token: str, project_id: str) -> Path:
    """Where the upload lies. DataError: it is gone, or was sent for another project."""
    if TOKEN.fullmatch(token):
        for path in _folder().glob(f"{token}-{project_id}*"):
            return path
    raise DataError("the uploaded file is no longer kept; choose it again")


def drop(token: str, project_id: str) -> None:
    """Delete the upload, if it is still there."""
    if TOKEN.fullmatch(token):
        for path in _folder().glob(f"{token}-{project_id}*"):
            path.unlink(missing_ok=True)


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
