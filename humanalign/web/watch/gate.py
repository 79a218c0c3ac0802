"""Who may look: everybody where only this machine can connect, else whoever holds the link.

The link carries a random token, made anew at each start. Opening it leaves the token in a cookie
that scripts cannot read; nothing else is kept of anybody.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from humanalign.web import guard

router = APIRouter()
CLOSED = (
    "Open the link that `humanalign watch` printed at its start: it lets this browser in. "
    "A new start prints a new link."
)
DAYS = 14


def new_token() -> str:
    """What the link carries: 192 random bits."""
    return secrets.token_urlsafe(24)


def admit(request: Request) -> None:
    """Refuse (401) whoever has not opened the link, where there is one."""
    token = request.app.state.token
    if token and not _same(request.cookies.get(_cookie(token), ""), token):
        raise HTTPException(401, CLOSED)


@router.get("/enter/{token}")
def enter(request: Request, token: str) -> Response:
    """Let this browser in and go to the overview."""
    ours = request.app.state.token
    if ours and not _same(token, ours):
        raise HTTPException(401, CLOSED)
    response = RedirectResponse("/", 303)
    if ours:
        guard.set_cookie(request, response, _cookie(ours), ours, days=DAYS)
    return response


def _cookie(token: str) -> str:
    """A name of its own for each start: browsers share cookies between the ports of a host."""
    return f"ha_watch_{hashlib.sha256(token.encode()).hexdigest()[:8]}"


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), token.encode())
