"""Listening on an address and serving an app there until somebody stops it."""

from __future__ import annotations

import socket
import sys

import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors import Multiprocess

from humanalign.errors import ConfigError
from humanalign.web.heads import BoundedHead

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(
    app: ASGIApp | str, listening: socket.socket, *, workers: int = 1, https: bool = False
) -> None:
    """Serve until Ctrl-C or SIGTERM; `app` is the app, or the name of a function that makes it.

    More than one worker needs the name. `https` says that a TLS proxy stands before it.
    """
    settings = config(app, workers=workers, https=https)
    try:
        if workers > 1:
            Multiprocess(settings, sockets=[listening]).run()
        else:
            uvicorn.Server(settings).run(sockets=[listening])
    except KeyboardInterrupt:
        pass  # asked to stop: whatever was sent is stored
    finally:
        listening.close()


def config(
    app: ASGIApp | str, *, workers: int = 1, https: bool = False, lifespan: bool = True
) -> uvicorn.Config:
    """uvicorn as every server of ours has it."""
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        workers=workers,
        # uvicorn's own set-up would close every logging handler of this process.
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        http=BoundedHead,
        # Behind a TLS proxy the addresses and the scheme are the proxy's to say.
        proxy_headers=https,
        lifespan="auto" if lifespan else "off",
        timeout_graceful_shutdown=5,
        # A worker that is slow to start, on a busy machine, is no dead one.
        timeout_worker_healthcheck=60,
    )


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to the address; port 0 takes a free one. ConfigError: it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, or asyncio would leave Nagle's algorithm on: 40 ms for every answer.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise ConfigError(
            f"host={host} port={port}: cannot listen there ({error.strerror}); choose another port"
        ) from None
    listening.set_inheritable(True)
    return listening


def shown_host(host: str) -> str:
    """The host as it stands in an address that people open."""
    if host in ("0.0.0.0", "::"):
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def to_stderr(line: str) -> None:
    """Say a line where results are not."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
