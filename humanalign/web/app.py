"""The app: one store, the routers, and what stands before them.

uvicorn.run(create_app(FeedbackStore("feedback.db")), port=8000)
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import Depends, FastAPI
from starlette.requests import Request
from starlette.responses import Response

import humanalign
from humanalign.prefer.store import FeedbackStore
from humanalign.web import account, api, assets, guard, owner, problems
from humanalign.web.label import gate, work
from humanalign.web.shield import Shield

# Requests worked on at once in a process: more threads only take turns at the interpreter.
THREADS = 8


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
        lifespan=_lifespan,
        # What people do here is reported to nobody, whatever else this process is set up for.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        dependencies=[Depends(guard.check_token)],
    )
    app.state.store, app.state.secure = store, secure
    app.add_middleware(Shield, hosts=hosts)
    problems.install(app)
    app.add_api_route("/health", health, include_in_schema=False)
    app.add_api_route("/static/{edition}/{name:path}", static, include_in_schema=False)
    for room in (account, gate, work, owner):
        app.include_router(room.router, include_in_schema=False)
    app.include_router(api.router)
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


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    yield
