"""The static files: read once, named by their content, kept by browsers for a year.

The hash is a folder of the address, so that a script's relative imports carry it too.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

STATIC = Path(__file__).parent / "static"
FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Asset:
    """One file as it is sent."""

    body: bytes
    packed: bytes
    kind: str
    digest: str


@cache
def assets() -> dict[str, Asset]:
    """Every static file by its path below `static/`."""
    files = sorted(path for path in STATIC.rglob("*") if path.is_file())
    return {path.relative_to(STATIC).as_posix(): _asset(path) for path in files}


@cache
def edition() -> str:
    """One hash over every file."""
    digest = hashlib.sha256()
    for name, asset in assets().items():
        digest.update(f"{name} {asset.digest}\n".encode())
    return digest.hexdigest()[:12]


def address(name: str) -> str:
    """Where a page finds the file. KeyError: no such file."""
    if name not in assets():
        raise KeyError(f"static/{name}: no such file")
    return f"/static/{edition()}/{name}"


def serve(request: Request, asked: str, name: str) -> Response | None:
    """The file, or None when there is none; another edition's address is not kept by browsers."""
    found = assets().get(name)
    if found is None:
        return None
    headers = {
        "ETag": f'"{found.digest}"',
        "Cache-Control": FOREVER if asked == edition() else "no-cache",
        "Vary": "Accept-Encoding",
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    packs = "gzip" in request.headers.get("accept-encoding", "")
    body = found.packed if packs else found.body
    packing = {"Content-Encoding": "gzip"} if packs else {}
    return Response(body, media_type=found.kind, headers=headers | packing)


def _asset(path: Path) -> Asset:
    body = path.read_bytes()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if path.suffix == ".js":
        kind = "text/javascript"
    return Asset(body, gzip.compress(body, mtime=0), kind, hashlib.sha256(body).hexdigest()[:16])
