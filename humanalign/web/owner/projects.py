"""The list of projects, and a new one."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from humanalign.errors import HumanalignError
from humanalign.prefer.defaults import default_definition
from humanalign.prefer.store.projects import KINDS as ALL_KINDS
from humanalign.prefer.store.projects import Project, ProjectSettings
from humanalign.web.guard import OwnerViewer, Staff, store_of
from humanalign.web.owner.pages import (
    Submitted,
    back,
    number_of,
    one_of,
    refused,
    show,
    text_of,
    whole_of,
)

router = APIRouter()

# The criteria that come with instructions of their own.
BUILT_IN = ("helpful", "honest", "harmless", "toxicity")
KINDS: Mapping[str, str] = {
    "ranking": "Rank two to nine answers",
    "pairwise": "Choose between two answers",
    "thumb": "Thumb up or down for one answer",
    "rating": "Rate each answer on a scale",
}


@router.get("/owner")
def projects(request: Request, _viewer: Staff) -> Response:
    """Every project with how far it is."""
    store = store_of(request)
    rows = [(each, store.figures.counts(each.id)) for each in store.projects.all()]
    return show(request, "projects", {"projects": rows, "kinds": KINDS})


@router.get("/owner/new")
def new(request: Request, _viewer: OwnerViewer) -> Response:
    """The form of a new project."""
    form = {"name": "", "kind": "ranking", "criterion": "helpful", "own": "", "definition": ""}
    settings = shown_settings(ProjectSettings(adaptive=True))
    return show(request, "new", _context(request, form | settings))


@router.post("/owner/new")
def create(request: Request, viewer: OwnerViewer, form: Submitted) -> Response:
    """Make the project with the default instructions, and show those for reading."""
    try:
        made = _create(request, viewer.rater_id, form)
    except HumanalignError as error:
        names = ("name", "kind", "criterion", "own", "definition")
        typed = {name: text_of(form, name) for name in names} | typed_settings(form)
        return refused(request, "new", _context(request, typed), error)
    return back(f"/owner/{made.id}/instructions", "created")


def settings_of(form: Submitted) -> ProjectSettings:
    """The settings a form says. DataError names the field that is not what it should be."""
    plain = ProjectSettings()
    return ProjectSettings(
        overlap=whole_of(form, "overlap", plain.overlap),
        contested_overlap=whole_of(form, "contested_overlap", plain.contested_overlap),
        pass_mark=number_of(form, "pass_mark", plain.pass_mark),
        scale=whole_of(form, "scale", plain.scale),
        gold_every=whole_of(form, "gold_every", plain.gold_every),
        blur=bool(text_of(form, "blur")),
        adaptive=bool(text_of(form, "adaptive")),
        warning=text_of(form, "warning"),
        consent=text_of(form, "consent"),
    )


def shown_settings(settings: ProjectSettings) -> dict[str, object]:
    """The settings as the fields of their form."""
    return {
        "overlap": settings.overlap,
        "contested_overlap": settings.contested_overlap,
        "pass_mark": settings.pass_mark,
        "scale": settings.scale,
        "gold_every": settings.gold_every,
        "blur": settings.blur,
        "adaptive": settings.adaptive,
        "warning": settings.warning,
        "consent": settings.consent,
    }


def typed_settings(form: Submitted) -> dict[str, object]:
    """What was typed into the fields of the settings, right or wrong."""
    return {name: text_of(form, name) for name in shown_settings(ProjectSettings())}


def _create(request: Request, by: str, form: Submitted) -> Project:
    criterion = text_of(form, "criterion")
    own = not criterion
    return store_of(request).projects.create(
        text_of(form, "name"),
        one_of(form, "kind", ALL_KINDS),
        text_of(form, "own") if own else criterion,
        definition=text_of(form, "definition") if own else "",
        settings=settings_of(form),
        by=by,
    )


def _context(request: Request, form: Mapping[str, object]) -> dict[str, object]:
    criteria = {name: default_definition(name) for name in BUILT_IN}
    criteria |= {name: text for name, text in store_of(request).projects.criteria().items() if text}
    return {"form": form, "kinds": KINDS, "criteria": criteria}
