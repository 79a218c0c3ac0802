"""A person's own pages: signing in and out, accepting an invite, profile and data."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import RedirectResponse

from humanalign.web.guard import Viewer

router = APIRouter()


@router.get("/")
def start(viewer: Viewer) -> RedirectResponse:
    """Labelers begin at their work, staff at the projects."""
    return RedirectResponse("/owner" if viewer.role in ("owner", "reviewer") else "/work", 303)
