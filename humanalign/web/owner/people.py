"""Everybody with an account, and deleting what is known of a person."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from humanalign.web.guard import OwnerViewer, Staff, store_of
from humanalign.web.owner.pages import back, show

router = APIRouter()


@router.get("/owner/people")
def people(request: Request, _viewer: Staff) -> Response:
    """Every account, the oldest first."""
    return show(request, "people", {"accounts": store_of(request).people.accounts()})


@router.post("/owner/people/{rater}/erase")
def erase(request: Request, viewer: OwnerViewer, rater: str) -> Response:
    """Delete a person's name, profile and sign-in; what they answered stays unnamed."""
    store_of(request).people.erase(rater, viewer.rater_id)
    return back("/owner/people", "erased")
