"""The live page's app: a folder of runs, the pages and their API, and what stands before them.

uvicorn.run(create_app("runs"), port=8001)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

import humanalign
from humanalign.web import problems
from humanalign.web.app import health, static
from humanalign.web.listening import LOOPBACK
from humanalign.web.shield import Shield
from humanalign.web.watch import api, gate, pages
from humanalign.web.watch.folder import Folder


def create_app(folder: str | Path, *, hosts: Sequence[str] = LOOPBACK, token: str = "") -> FastAPI:
    """The app over a folder of runs, which it only reads.

    `hosts` are the names it answers to ("*": all); with a `token` it shows nothing to a browser
    that has not opened /enter/TOKEN.
    """
    app = FastAPI(
        title="humanalign watch",
        version=humanalign.__version__,
        openapi_url=None,
        redirect_slashes=False,
        # What people look at here is reported to nobody.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    pages.ready()
    app.state.watched = api.Watched(Folder(folder))
    app.state.token, app.state.secure = token, False
    app.add_middleware(Shield, hosts=hosts)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, problems.invalid)
    app.add_api_route("/health", health)
    app.add_api_route("/static/{edition}/{name:path}", static)
    for room in (gate, pages, api):
        app.include_router(room.router)
    return app


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = "There is no page here." if error.detail == "Not Found" else str(error.detail)
    return problems.problem(request, error.status_code, said, error.headers)
