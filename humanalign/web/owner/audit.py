"""The audit log, a page at a time."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from humanalign.web.guard import Staff, store_of
from humanalign.web.owner.overview import names_of
from humanalign.web.owner.pages import PAGE_SIZE, show

router = APIRouter()


@router.get("/owner/audit")
def audit(request: Request, _viewer: Staff, before: int | None = None) -> Response:
    """The entries before number `before`, the newest first."""
    if before is not None:
        before = min(max(0, before), 2**31 - 1)
    entries = store_of(request).audit.page(before, PAGE_SIZE + 1)
    more = len(entries) > PAGE_SIZE
    entries = entries[:PAGE_SIZE]
    projects = store_of(request).projects.all()
    context = {
        "entries": entries,
        "names": names_of(request) | {each.id: each.name for each in projects},
        "before": entries[-1].seq if more else None,
        "paged": before is not None,
    }
    return show(request, "audit", context)
