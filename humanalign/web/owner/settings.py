"""A project's settings and whether it is open."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from humanalign.errors import HumanalignError
from humanalign.prefer.store.projects import STATUSES
from humanalign.web.guard import OwnerViewer, Staff, store_of
from humanalign.web.owner.pages import Submitted, back, one_of, project_of, refused, show
from humanalign.web.owner.projects import KINDS, settings_of, shown_settings, typed_settings

router = APIRouter()


@router.get("/owner/{project}/settings")
def settings(request: Request, _viewer: Staff, project: str) -> Response:
    """The form with the settings as they are."""
    found = project_of(request, project)
    held = shown_settings(found.settings)
    context = {"project": found, "form": held, "settings": held, "kinds": KINDS}
    return show(request, "settings", context)


@router.post("/owner/{project}/settings")
def configure(request: Request, viewer: OwnerViewer, project: str, form: Submitted) -> Response:
    """Keep the settings of the form, or say what is wrong with them."""
    found = project_of(request, project)
    try:
        store_of(request).projects.configure(found.id, settings_of(form), viewer.rater_id)
    except HumanalignError as error:
        typed = typed_settings(form)
        context = {"project": found, "form": typed, "settings": typed, "kinds": KINDS}
        return refused(request, "settings", context, error)
    return back(f"/owner/{project}/settings", "settings")


@router.post("/owner/{project}/status")
def set_status(request: Request, viewer: OwnerViewer, project: str, form: Submitted) -> Response:
    """Open, pause or archive the project. DataError: another status."""
    found = project_of(request, project)
    status = one_of(form, "status", STATUSES)
    store_of(request).projects.set_status(found.id, status, viewer.rater_id)
    return back(f"/owner/{project}/settings", status)
