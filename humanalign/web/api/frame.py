"""What every operation of the API shares: its answers, its errors, its documentation.

An answer is JSON built from plain dictionaries: the models in `wire*` describe it for the OpenAPI
document and are not run over it again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from humanalign.errors import HumanalignError
from humanalign.prefer.store.answers import KeyReused
from humanalign.prefer.store.queue import Conflict
from humanalign.prefer.store.throttle import Throttled
from humanalign.web import problems
from humanalign.web.api.sentences import sentence_of

UNREADABLE = "body: expected JSON; send an object with Content-Type: application/json"
Send = Callable[[Request], Coroutine[Any, Any, Response]]


class Problem(BaseModel):
    """What went wrong: one sentence that says what to do."""

    model_config = ConfigDict(extra="forbid")

    error: str = Field(examples=["marks.A: expected 1 to 9, F, up or down, got 'best'"])


MEANINGS: Mapping[int, str] = {
    401: "No token, or one that was revoked.",
    403: "Something stands before this; the sentence says what.",
    404: "There is nothing of that id here, or it is not open to you.",
    409: "It was changed in the meantime, or the key came with another answer.",
    413: "The body is larger than one megabyte.",
    422: "The request is not as described here; the sentence names the field.",
    429: "Too many attempts; wait as many seconds as Retry-After says.",
}


class Said(Response):
    """A JSON answer; half a surrogate pair in it, which no UTF-8 can carry, becomes a '?'."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8", "replace")


class ApiRoute(APIRoute):
    """A route whose every error is JSON: {"error": sentence}."""

    def get_route_handler(self) -> Send:
        handler = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await handler(request)
            except RequestValidationError as error:
                return Said({"error": sentence_of(error.errors())}, 422)
            except HumanalignError as error:
                return refusal(error)
            except HTTPException as error:
                if error.status_code != 400:
                    raise
                return Said({"error": UNREADABLE}, 422)

        return answered


def refusal(error: HumanalignError) -> Said:
    """A mistake of the caller's as an answer, with the status that says what kind it is."""
    said = {"error": str(error)}
    if isinstance(error, Throttled):
        return Said(said, 429, {"Retry-After": str(error.seconds)})
    if isinstance(error, Conflict | KeyReused):
        return Said(said, 409)
    return Said(said, problems.status_of(error))


def section(tag: str) -> APIRouter:
    """A router for one part of the API, every operation of which takes a token."""
    scheme = HTTPBearer(
        auto_error=False, scheme_name="token", description="An API token: `Bearer ha_...`"
    )
    return APIRouter(tags=[tag], route_class=ApiRoute, dependencies=[Depends(scheme)])


def says(
    model: type[BaseModel] | None, *errors: int, status: int = 200, meaning: str = "Done."
) -> dict[int | str, dict[str, Any]]:
    """The documented answers of an operation: what it returns, and which errors it can meet."""
    documented: dict[int | str, dict[str, Any]] = {status: {"description": meaning}}
    if model is not None:
        documented[status]["model"] = model
    for code in sorted({401, 422, *errors}):
        documented[code] = {"model": Problem, "description": MEANINGS[code]}
    return documented
