"""The app: one store, the routers, and what stands before them.

uvicorn.run(create_app(FeedbackStore("feedback.db")), port=8000)
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib import import_module

from fastapi import Depends, FastAPI
from starlette.requests import Request
from starlette.responses import Response

import humanalign
from humanalign.prefer.store import FeedbackStore
from humanalign.web import account, assets, guard, problems
from humanalign.web.shield import Shield


def create_app(
    store: FeedbackStore,
    *,
    hosts: Sequence[str] = ("127.0.0.1", "localhost"),
    secure: bool = False,
) -> FastAPI:
    """The app over `store`.

    `hosts` are the names it answers to ("*": all, behind a proxy that checks them); `secure` says
    that browsers reach it by https, so that cookies never travel without.
    """
    app = FastAPI(
        title="humanalign",
        version=humanalign.__version__,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(guard.check_token)],
    )
    app.state.store, app.state.secure = store, secure
    app.add_middleware(Shield, hosts=hosts)
    problems.install(app)
    app.add_api_route("/health", health, include_in_schema=False)
    app.add_api_route("/static/{edition}/{name:path}", static, include_in_schema=False)
    app.include_router(account.router, include_in_schema=False)
    for name in ("label.gate", "label.work", "owner", "api"):
        try:
            router = import_module(f"humanalign.web.{name}").router
        except (ImportError, AttributeError) as error:
            logging.getLogger("humanalign.web").warning("not there yet: %s (%s)", name, error)
            continue
        app.include_router(router, include_in_schema=name == "api")
    return app


async def health() -> dict[str, object]:
    """That the process answers, and which version it is."""
    return {"ok": True, "version": humanalign.__version__}


async def static(request: Request, edition: str, name: str) -> Response:
    """A static file; a 404 for any other name."""
    found = assets.serve(request, edition, name)
    if found is None:
        raise guard.missing()
    return found
