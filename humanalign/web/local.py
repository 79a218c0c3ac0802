"""The app on a free loopback port of this very process, for programs that use the API here.

with serving(store) as url, Client(url, token) as client:
    ...
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from humanalign.errors import StoreError
from humanalign.prefer.store import FeedbackStore
from humanalign.web.app import create_app
from humanalign.web.listening import config, listen

START_SECONDS = 30.0


@contextmanager
def serving(store: FeedbackStore) -> Iterator[str]:
    """Serve the app over `store` in a thread; gives its address, such as http://127.0.0.1:41231.

    Only this machine reaches it, and only with a token or a session. StoreError: it did not start.
    """
    with serving_app(create_app(store)) as address:
        yield address


@contextmanager
def serving_app(app: ASGIApp) -> Iterator[str]:
    """Serve any app of ours in a thread. StoreError: it did not start."""
    listening = listen("127.0.0.1", 0)
    server = uvicorn.Server(config(app, lifespan=False))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    try:
        _wait_for(server, thread)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def _wait_for(server: uvicorn.Server, thread: threading.Thread) -> None:
    until = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > until:
            raise StoreError("the app did not start on a loopback port; see the log")
        time.sleep(0.005)
