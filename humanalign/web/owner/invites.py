"""Invites: single-use links, shown once when they are made."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from humanalign.errors import HumanalignError
from humanalign.prefer.store.people import Role
from humanalign.prefer.store.projects import Project
from humanalign.web.guard import OwnerViewer, store_of
from humanalign.web.owner.overview import names_of
from humanalign.web.owner.pages import (
    Submitted,
    back,
    number_of,
    one_of,
    project_of,
    refused,
    show,
    text_of,
)

router = APIRouter()

ROLES: tuple[Role, ...] = ("labeler", "reviewer", "owner")


@router.get("/owner/{project}/invites")
def invites(request: Request, _viewer: OwnerViewer, project: str) -> Response:
    """The links there are and the form for a new one. Not for reviewers: a link lets people in."""
    return show(request, "invites", _context(request, project_of(request, project)))


@router.post("/owner/{project}/invites")
def make(request: Request, viewer: OwnerViewer, project: str, form: Submitted) -> Response:
    """Make a link and show it, this once."""
    found = project_of(request, project)
    try:
        role = one_of(form, "role", ROLES)
        token = store_of(request).people.invites.new(
            role,
            by=viewer.rater_id,
            project_id=found.id if role == "labeler" else None,
            note=text_of(form, "note"),
            hours=number_of(form, "hours", 72),
        )
    except HumanalignError as error:
        return refused(request, "invites", _context(request, found), error)
    return show(request, "invites", _context(request, found, _address(request, token)))


@router.post("/owner/{project}/invites/{hash}")
def withdraw(request: Request, viewer: OwnerViewer, project: str, hash: str) -> Response:
    """End a link that nobody has used."""
    project_of(request, project)
    store_of(request).people.invites.withdraw(hash, viewer.rater_id)
    return back(f"/owner/{project}/invites", "withdrawn")


def _context(request: Request, project: Project, link: str = "") -> dict[str, object]:
    held = store_of(request).people.invites.all()
    mine = [each for each in held if each.project_id in (project.id, None)]
    return {"project": project, "invites": mine, "link": link, "names": names_of(request)}


def _address(request: Request, token: str) -> str:
    return f"{request.url.scheme}://{request.url.netloc}/join/{token}"
