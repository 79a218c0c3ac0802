"""Who is behind a request and what they may do; the token that every form carries.

Handlers name what they need in their signature:

    def overview(request: Request, viewer: OwnerViewer, project: str): ...

Someone who may not see a page learns nothing about it: it is a 404, like any other unknown page.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from fastapi.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from humanalign.errors import StoreError
from humanalign.prefer.store import FeedbackStore
from humanalign.prefer.store.people import Account
from humanalign.prefer.store.projects import Member, Project
from humanalign.web.words import sentence

SESSION, VISIT, LANGUAGE, THEME = "ha_session", "ha_visit", "ha_language", "ha_theme"
SESSION_DAYS = 14
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
STALE = sentence("This form is out of date. Reload the page and send it again.")
NO_PAGE = sentence("There is no page here, or it is not open to you.")


class SignInNeeded(Exception):
    """Nobody is signed in; `back` is the path to return to afterwards."""

    def __init__(self, back: str) -> None:
        super().__init__("sign in first")
        self.back = back


@dataclass(frozen=True)
class Seat:
    """A person in a project; `member` is None for staff who look at it without labelling."""

    account: Account
    project: Project
    member: Member | None


def store_of(request: Request) -> FeedbackStore:
    """The store that this app serves."""
    return request.app.state.store


def person(request: Request) -> Account | None:
    """The account behind the session cookie; looked up once a request."""
    if not hasattr(request.state, "viewer"):
        token = request.cookies.get(SESSION)
        people = store_of(request).people
        request.state.viewer = people.of_session(token) if token else None
    return request.state.viewer


def seen(request: Request) -> Account | None:
    """The account if this request has already looked it up: asks the database nothing."""
    return getattr(request.state, "viewer", None)


def viewer(request: Request) -> Account:
    """Whoever is signed in. SignInNeeded: nobody is."""
    found = person(request)
    if found is None:
        raise SignInNeeded(request.url.path if request.method in SAFE else "/")
    return found


def owner_viewer(request: Request) -> Account:
    """An owner; a 404 for anybody else who is signed in."""
    found = viewer(request)
    if found.role != "owner":
        raise missing()
    return found


def staff(request: Request) -> Account:
    """An owner, or a reviewer who only looks; a 404 for anybody else who is signed in."""
    found = viewer(request)
    looks = found.role == "reviewer" and request.method in SAFE
    if found.role != "owner" and not looks:
        raise missing()
    return found


def worker(request: Request, project: str) -> Seat:
    """A member of the project in the path, or staff; a 404 for anybody else who is signed in."""
    found = viewer(request)
    projects = store_of(request).projects
    member = projects.member(project, found.rater_id)
    if member is None and found.role not in ("owner", "reviewer"):
        raise missing()
    try:
        return Seat(found, projects.get(project), member)
    except StoreError:
        raise missing() from None


def bearer(request: Request) -> Account:
    """The account of an API token, or of the session where a page calls the API itself."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        request.state.viewer = store_of(request).people.of_token(token.strip())
    elif scheme:
        request.state.viewer = None
    found = person(request)
    if found is None:
        raise HTTPException(
            401, "sign in with 'Authorization: Bearer ha_...'", {"WWW-Authenticate": "Bearer"}
        )
    return found


Viewer = Annotated[Account, Depends(viewer)]
OwnerViewer = Annotated[Account, Depends(owner_viewer)]
Staff = Annotated[Account, Depends(staff)]
Worker = Annotated[Seat, Depends(worker)]
Bearer = Annotated[Account, Depends(bearer)]


async def sent(request: Request) -> Mapping[str, str]:
    """The text fields of the form that was sent; files are left out."""
    form = await request.form()
    return {name: value for name, value in form.items() if isinstance(value, str)}


Sent = Annotated[Mapping[str, str], Depends(sent)]


def missing() -> HTTPException:
    """What a page that does not exist and one that is not yours have in common."""
    return HTTPException(404, NO_PAGE)


def has_bearer(request: Request) -> bool:
    """Whether the request proves itself by a token, which no foreign page can send.

    Pages know cookies only, so a token excuses nothing there.
    """
    sent = request.headers.get("authorization", "")[:7].lower() == "bearer "
    return sent and request.url.path.startswith("/api/")


def csrf_token(request: Request) -> str:
    """The token for this browser's forms; "" for a browser without any cookie of ours."""
    cookie = request.cookies.get(SESSION) or request.cookies.get(VISIT)
    cookie = cookie or getattr(request.state, "visit", "")
    return hashlib.sha256(f"form {cookie}".encode()).hexdigest() if cookie else ""


async def check_token(request: Request) -> None:
    """Refuse an unsafe request whose form field `csrf` or header X-CSRF-Token is not ours."""
    if request.method in SAFE or has_bearer(request):
        return
    if request.url.path.startswith("/api/") and SESSION not in request.cookies:
        return  # nobody is signed in: the route itself answers 401
    if request.url.path.endswith("/import"):
        # Reading the form stores tens of megabytes, which is done for nobody else.
        await run_in_threadpool(owner_viewer, request)
    given = request.headers.get("x-csrf-token")
    if given is None:
        kind = request.headers.get("content-type", "")
        form = await request.form() if "form" in kind else {}
        given = form.get("csrf")
    expected = csrf_token(request)
    if not (
        expected
        and isinstance(given, str)
        and hmac.compare_digest(_bytes(given), expected.encode())
    ):
        raise HTTPException(403, STALE)


def new_visit(request: Request) -> None:
    """Give a browser without cookies something to derive its forms' token from."""
    if SESSION not in request.cookies and VISIT not in request.cookies:
        request.state.visit = getattr(request.state, "visit", "") or secrets.token_urlsafe(24)


def keep_visit(request: Request, response: Response) -> None:
    """Send the cookie that `new_visit` chose."""
    if value := getattr(request.state, "visit", ""):
        set_cookie(request, response, VISIT, value)


def sign_in(request: Request, response: Response, account: Account) -> None:
    """Open a session for the account and send its cookie; an older one of this browser ends."""
    people = store_of(request).people
    if held := request.cookies.get(SESSION):
        people.close_session(held)
    token = people.open_session(account.rater_id, days=SESSION_DAYS)
    set_cookie(request, response, SESSION, token, days=SESSION_DAYS)


def signed_out(response: Response) -> Response:
    """`response` with the session's cookie taken back."""
    response.delete_cookie(SESSION)
    return response


def set_cookie(
    request: Request,
    response: Response,
    name: str,
    value: str,
    *,
    days: int = 0,
    hidden: bool = True,
) -> None:
    """A cookie for this site only; `hidden` from scripts, and for this visit unless `days`."""
    response.set_cookie(
        name,
        value,
        max_age=days * 86400 or None,
        httponly=hidden,
        samesite="lax",
        secure=request.app.state.secure or request.url.scheme == "https",
    )


def safe_path(given: str) -> str:
    """`given` if it is a path on this site, else "/": a link can never lead elsewhere.

    Browsers read a backslash as a slash and skip control characters, so neither is taken.
    """
    plain = given.isprintable() and "\\" not in given
    return given if plain and given.startswith("/") and not given.startswith("//") else "/"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
