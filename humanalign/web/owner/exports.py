"""Exports: every format that fits the project's kind, raw or agreed, streamed as a file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from humanalign.errors import DataError
from humanalign.prefer.files.exports import EXPORTS, Export, export_chunks, media_type
from humanalign.prefer.files.judgements import Record
from humanalign.prefer.pairs import prompt_split
from humanalign.web.guard import Staff, missing, store_of
from humanalign.web.owner.pages import project_of, show

router = APIRouter()

SPLITS = ("", "train", "validation", "test")


@router.get("/owner/{project}/exports")
def exports(request: Request, _viewer: Staff, project: str) -> Response:
    """Every format with what it keeps and loses, and its download."""
    found = project_of(request, project)
    fitting = [each for each in EXPORTS.values() if found.kind in each.kinds]
    versions = store_of(request).agreed.all(found.id)
    sources = [("raw", "every labeler's answers")]
    sources += [(str(v.number), f"consensus, version {v.number} ({v.method})") for v in versions]
    context = {"project": found, "exports": fitting, "versions": versions, "sources": sources}
    return show(request, "exports", context)


@router.get("/owner/{project}/exports/{name}")
def download(
    request: Request,
    _viewer: Staff,
    project: str,
    name: str,
    *,
    of: str = "raw",
    split: str = "",
) -> Response:
    """The file, streamed. DataError: a split, container or version that is none."""
    found = project_of(request, project)
    if name not in EXPORTS or found.kind not in EXPORTS[name].kinds:
        raise missing()
    if split not in SPLITS:
        raise DataError(f"split: expected train, validation or test, got '{split}'")
    asked = request.query_params
    container = asked.get("container", EXPORTS[name].containers[0])
    chunks = export_chunks(
        name,
        _of_split(_records(request, found.id, EXPORTS[name], of), split),
        container,
        ties=asked.get("ties", "drop"),
        rejects=asked.get("rejects", "drop"),
        # Spreadsheets run cells that begin with an equals sign; training wants the very words.
        safe_cells=bool(asked.get("safe")),
    )
    parts = [
        # Of a name only what every system takes in a file name, and no header can be split by.
        re.sub(r"[^a-z0-9]+", "-", found.name.lower()).strip("-")[:40] or found.id,
        name,
        "raw" if of == "raw" else f"consensus-{of}",
        *([split] if split else []),
    ]
    headers = {"Content-Disposition": f'attachment; filename="{"-".join(parts)}{container}"'}
    return StreamingResponse(_begun(chunks), media_type=media_type(container), headers=headers)


def _records(request: Request, project_id: str, export: Export, of: str) -> Iterator[Record]:
    store = store_of(request)
    if of == "raw":
        return store.records(project_id, revisions=export.revisions)
    if not (of.isascii() and of.isdecimal()) or len(of) > 9:
        raise DataError(f"of: expected raw or the number of a consensus version, got '{of}'")
    store.agreed.version(project_id, int(of))
    return store.consensus_records(project_id, int(of))


def _of_split(records: Iterable[Record], split: str) -> Iterator[Record]:
    return (each for each in records if not split or prompt_split(each.prompt) == split)


def _begun(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks, the first one made now: a wrong request is refused before an answer begins."""
    first = next(chunks, b"")

    def rest() -> Iterator[bytes]:
        yield first
        yield from chunks

    return rest()
