"""What every owner's page shares: the frame around it, forms as they were sent, and the way back.

A page after a POST says what was done by a short code in its address, never by text from there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, TypeVar
from urllib.parse import urlencode

from fastapi import Depends
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from humanalign.errors import DataError, HumanalignError
from humanalign.prefer.store.projects import Project
from humanalign.web.guard import seen, store_of
from humanalign.web.owner import words
from humanalign.web.render import page

DONE = {
    "created": "The project is there. Read its instructions, then import what people should judge.",
    "published": "The new version is out. Everybody reads it and takes the quiz again.",
    "unchanged": "Nothing was different, so there is no new version.",
    "settings": "The settings are saved.",
    "open": "The project is open.",
    "paused": "The project is paused. Nobody gets new work until you open it again.",
    "archived": "The project is archived.",
    "pause": "The labeler is paused.",
    "ask": "The labeler reads the instructions and takes the quiz again before going on.",
    "exclude": "The labeler is excluded. Their answers stay and no longer count.",
    "reinstate": "The labeler is back.",
    "more": "More labelers are asked.",
    "gold": "This is a gold item now. Labelers meet it between the others.",
    "ungold": "This is an ordinary item again.",
    "none": "No item needs more labelers now.",
    "consensus": "The version is made.",
    "imported": "The file is stored.",
    "withdrawn": "The invite is withdrawn.",
    "revoked": "The token is revoked.",
    "erased": "The person's name, profile and sign-in are deleted. Their answers stay unnamed.",
}
PAGE_SIZE = 50

T = TypeVar("T", bound=str)


async def submitted(request: Request) -> FormData:
    """The form as it was sent, files included."""
    return await request.form()


Submitted = Annotated[FormData, Depends(submitted)]


def text_of(form: FormData, name: str, default: str = "") -> str:
    """A text field with the browser's line ends made plain. DataError: a file in its place."""
    value = form.get(name, default)
    if not isinstance(value, str):
        raise DataError(f"{name}: expected text, got a file")
    return value.replace("\r\n", "\n").strip()


def one_of(form: FormData, name: str, options: Sequence[T]) -> T:
    """The option that a field names. DataError: it is none of them."""
    value = text_of(form, name)
    for each in options:
        if each == value:
            return each
    raise DataError(f"{name}: expected one of {', '.join(options)}, got '{value}'")


def number_of(form: FormData, name: str, default: float) -> float:
    """A number field, `default` where it is empty. DataError: not a number."""
    value = text_of(form, name)
    if not value:
        return default
    try:
        return float(value)
    except ValueError:
        raise DataError(f"{name.replace('_', ' ')}: expected a number, got {value!r}") from None


def whole_of(form: FormData, name: str, default: int) -> int:
    """A whole number field. DataError: not a whole number."""
    value = number_of(form, name, default)
    if value != value or value in (float("inf"), float("-inf")) or value != int(value):
        shown = text_of(form, name)
        raise DataError(f"{name.replace('_', ' ')}: expected a whole number, got {shown!r}")
    return int(value)


def project_of(request: Request, project_id: str) -> Project:
    """The project in the path. StoreError (a 404): there is none."""
    return store_of(request).projects.get(project_id)


def show(
    request: Request, template: str, context: Mapping[str, object], status: int = 200
) -> HTMLResponse:
    """An owner's page; `context` may name its project, a `problem` and what was `done`."""
    viewer = seen(request)
    frame: dict[str, object] = {
        "project": None,
        "problem": "",
        "done": DONE.get(request.query_params.get("done", ""), ""),
        "may_change": viewer is not None and viewer.role == "owner",
        "words": words,
    }
    return page(request, f"owner/{template}.html", status, **(frame | dict(context)))


def refused(
    request: Request, template: str, context: Mapping[str, object], error: HumanalignError
) -> HTMLResponse:
    """The page of a form again, with the sentence that says why it was not taken."""
    return show(request, template, dict(context) | {"problem": str(error)}, 422)


def back(address: str, done: str = "", **query: str | int) -> RedirectResponse:
    """To a page with GET, after something was done there."""
    asked = {**query, **({"done": done} if done else {})}
    return RedirectResponse(f"{address}?{urlencode(asked)}" if asked else address, 303)
