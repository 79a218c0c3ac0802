"""API tokens: made, shown once, revoked."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from humanalign.errors import HumanalignError
from humanalign.prefer.store.people import Account
from humanalign.web.guard import OwnerViewer, Staff, store_of
from humanalign.web.owner.overview import names_of
from humanalign.web.owner.pages import Submitted, back, refused, show, text_of

router = APIRouter()


@router.get("/owner/tokens")
def tokens(request: Request, _viewer: Staff) -> Response:
    """Every token by name; the secrets are not stored."""
    return show(request, "tokens", _context(request))


@router.post("/owner/tokens")
def make(request: Request, viewer: OwnerViewer, form: Submitted) -> Response:
    """Make a token, of the owner or of a program, and show its secret this once."""
    typed = {"name": text_of(form, "name"), "whose": text_of(form, "whose", "me")}
    try:
        whose = _program(request, typed["name"]) if typed["whose"] == "program" else viewer
        people = store_of(request).people
        _, secret = people.new_token(whose.rater_id, typed["name"], viewer.rater_id)
    except HumanalignError as error:
        return refused(request, "tokens", _context(request, typed), error)
    return show(request, "tokens", _context(request) | {"secret": secret})


@router.post("/owner/tokens/{token}")
def revoke(request: Request, viewer: OwnerViewer, token: str) -> Response:
    """End a token at once."""
    store_of(request).people.revoke_token(token, viewer.rater_id)
    return back("/owner/tokens", "revoked")


def _program(request: Request, name: str) -> Account:
    """The program of this name, made where there is none."""
    people = store_of(request).people
    held = people.named(name)
    if held is not None and held.role == "program":
        return held
    return people.create(name, "program", kind="model")


def _context(request: Request, form: Mapping[str, str] | None = None) -> dict[str, object]:
    held = list(reversed(store_of(request).people.tokens()))
    empty = {"name": "", "whose": "me"}
    return {"tokens": held, "names": names_of(request), "secret": "", "form": form or empty}
