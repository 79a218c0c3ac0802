"""Errors as answers: a page with one sentence, or JSON where a program asked."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from humanalign.errors import HumanalignError
from humanalign.prefer.store.answers import KeyReused
from humanalign.prefer.store.assign import LeaseLost
from humanalign.prefer.store.queue import Conflict
from humanalign.prefer.store.throttle import Throttled
from humanalign.web import guard
from humanalign.web.render import language_of, page
from humanalign.web.words import sentence, translator

BROKEN = sentence("Something went wrong on our side. What you had entered before is safe.")
TITLES = {
    403: sentence("Not accepted"),
    404: sentence("Not found"),
    409: sentence("Changed in the meantime"),
    413: sentence("Too large"),
    429: sentence("Too many attempts"),
    500: sentence("Something went wrong"),
}
REFUSED = sentence("That did not work")
SIGN_IN_AGAIN = sentence("You are signed out. Sign in again to go on.")


def wants_json(request: Request) -> bool:
    """Whether the answer is read by a program."""
    accept = request.headers.get("accept", "")
    programs = "application/json" in accept and "text/html" not in accept
    return programs or request.url.path.startswith("/api/")


def problem(
    request: Request, status: int, said: str, headers: Mapping[str, str] | None = None
) -> Response:
    """One sentence with its status, in the form that the request reads."""
    if wants_json(request):
        text = (
            said if request.url.path.startswith("/api/") else translator(language_of(request))(said)
        )
        return JSONResponse({"error": text}, status, headers)
    title = TITLES.get(status, REFUSED)
    kind = "plain-note" if status in (404, 410) else "error"
    response = page(request, "problem.html", status, title=title, said=said, kind=kind)
    response.headers.update(headers or {})
    return response


def status_of(error: HumanalignError) -> int:
    """The HTTP status that says what kind of mistake this is."""
    if isinstance(error, Throttled):
        return 429
    if isinstance(error, Conflict | KeyReused | LeaseLost):
        return 409
    return 404 if "holds no " in str(error) else 422


def install(app: FastAPI) -> None:
    """Let every error that a handler raises become an answer."""
    app.add_exception_handler(guard.SignInNeeded, _sign_in)
    app.add_exception_handler(HumanalignError, _refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, invalid)


def _sign_in(request: Request, error: Exception) -> Response:
    assert isinstance(error, guard.SignInNeeded)
    if wants_json(request):
        return problem(request, 401, SIGN_IN_AGAIN)
    back = "" if error.back == "/" else f"?next={quote(error.back)}"
    return RedirectResponse(f"/sign-in{back}", 303)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HumanalignError)
    wait = {"Retry-After": str(error.seconds)} if isinstance(error, Throttled) else None
    return problem(request, status_of(error), str(error), wait)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = guard.NO_PAGE if error.detail == "Not Found" else error.detail
    if not wants_json(request):
        guard.person(request)  # the page is in the language of whoever is signed in
    return problem(request, error.status_code, said, error.headers)


def invalid(request: Request, error: Exception) -> Response:
    """A request whose values have the wrong form: the first of them, and what is wrong with it."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:]) or "body"
    return problem(request, 422, f"{field}: {first['msg']}")
