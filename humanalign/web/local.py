"""The app on a free loopback port of this very process, for programs that use the API here.

with serving(store) as url, Client(url, token) as client:
    ...
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from humanalign.errors import StoreError
from humanalign.prefer.store import FeedbackStore
from humanalign.web.app import create_app
from humanalign.web.heads import BoundedHead

START_SECONDS = 30.0


@contextmanager
def serving(store: FeedbackStore) -> Iterator[str]:
    """Serve the app over `store` in a thread; gives its address, such as http://127.0.0.1:41231.

    Only this machine reaches it, and only with a token or a session. StoreError: it did not start.
    """
    # The protocol by number: asyncio turns off the 40 ms of Nagle's delay only where it is given.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        create_app(store),
        # The logging of this process is its own: uvicorn would close every handler there is.
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        http=BoundedHead,
        lifespan="off",
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
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
