"""What stands before every route: known hosts, our own pages only, bounded bodies, headers.

Plain ASGI, a few dictionary look-ups a request. It also turns an unexpected exception into a page
without details, so that this answer carries the headers too.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from humanalign.web import guard
from humanalign.web.problems import BROKEN, problem
from humanalign.web.words import sentence

LOG = logging.getLogger("humanalign.web")
MEGABYTE = 1 << 20
# A name or an address with its port: what else a Host header holds would end up in our own URLs.
HOST = re.compile(r"(?:[a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?")
# Digits that a length may have; far more than any limit, and no trouble to read.
LENGTH = re.compile(r"[0-9]{1,15}")
BODY_LIMIT, IMPORT_LIMIT = MEGABYTE, 52 * MEGABYTE
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
FOREIGN = sentence(
    "This request did not come from a page of this site. Open the page and try again."
)
TOO_LARGE = sentence("What was sent is larger than this page takes.")
UNKNOWN_HOST = sentence("This site is not served under that name.")


class Shield:
    """The middleware; `hosts` are the names in the Host header that are answered, "*" all."""

    def __init__(self, app: ASGIApp, *, hosts: Collection[str]) -> None:
        self.app = app
        self.hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def dressed(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                _dress(message)
            await send(message)

        request = Request(scope, receive)
        try:
            self._admit(request)
            await self.app(scope, _bounded(scope, receive), dressed)
        except HTTPException as refused:
            await problem(request, refused.status_code, refused.detail)(scope, receive, dressed)
        except Exception:
            # As Python writes it: a line break in a path must not look like a line of the log.
            LOG.exception("%s %r failed", scope["method"], scope["path"])
            if started:
                raise
            await problem(request, 500, BROKEN)(scope, receive, dressed)

    def _admit(self, request: Request) -> None:
        """Refuse foreign host names, other sites' requests, bodies said to be too large."""
        host = request.headers.get("host", "").lower()
        known = "*" in self.hosts or _name(host) in self.hosts
        if not known or not HOST.fullmatch(host):
            raise HTTPException(400, UNKNOWN_HOST)
        if request.method in guard.SAFE:
            return
        if not _ours(request.headers, host) and not _harmless(request):
            raise HTTPException(403, FOREIGN)
        said = request.headers.get("content-length", "0")
        if not LENGTH.fullmatch(said) or int(said) > _limit(request.scope):
            raise HTTPException(413, TOO_LARGE)


def _dress(message: Message) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in HEADERS.items():
        headers[name] = value
    headers.setdefault("Cache-Control", "no-store")


def _name(host: str) -> str:
    """The Host header without its port: "[::1]:8000" is "::1"."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _ours(headers: Headers, host: str) -> bool:
    """Whether the browser says that a page of this very site sent it."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc.lower() == host


def _harmless(request: Request) -> bool:
    """Whether no cookie of the browser's counts: a token's request, or a stranger's to the API."""
    if guard.has_bearer(request):
        return True
    return request.url.path.startswith("/api/") and guard.SESSION not in request.cookies


def _limit(scope: Scope) -> int:
    return IMPORT_LIMIT if scope["path"].endswith("/import") else BODY_LIMIT


def _bounded(scope: Scope, receive: Receive) -> Receive:
    """`receive` that stops reading at the limit, whatever Content-Length said."""
    left = _limit(scope)

    async def counted() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise HTTPException(413, TOO_LARGE)
        return message

    return counted
