"""Starting the labelling app: the address, the workers, and the owner's way in.

humanalign label store=feedback.db            # http://127.0.0.1:8000 and a one-time link
humanalign label store=postgresql://... host=0.0.0.0 workers=4
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from humanalign.errors import ConfigError
from humanalign.prefer.store import FeedbackStore
from humanalign.prefer.store.database import shown
from humanalign.web.app import create_app
from humanalign.web.heads import BoundedHead

LOOPBACK = ("127.0.0.1", "localhost", "::1")
PASSWORD = "HUMANALIGN_OWNER_PASSWORD"
# How the worker processes learn what to serve.
SERVED = "HUMANALIGN_SERVED"
OWNER = "owner"


@dataclass(frozen=True)
class Serving:
    """What every worker serves: the store's URL, the host names it answers to, https or not."""

    store: str
    hosts: tuple[str, ...]
    secure: bool


def label(
    store: FeedbackStore | str,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    names: tuple[str, ...] = (),
    https: bool = False,
    say: Callable[[str], None] | None = None,
) -> str:
    """Serve the labelling app until it is stopped; return its address.

    The owner's one-time link is said first (by `say`, by default on stderr). `names` are the host
    names people use, `https` that they come through a TLS proxy; port 0 takes a free one.
    ConfigError: the port is taken, or another host than this machine is asked for while no owner
    has a password.
    """
    feedback = FeedbackStore(store) if isinstance(store, str) else store
    say = say or _to_stderr
    _give_password(feedback)
    if host not in LOOPBACK and not feedback.people.has_owner_password():
        raise ConfigError(
            f"host={host} lets others reach the app, so its owner needs a password: set {PASSWORD} "
            "and start again, or open the owner's link on this machine first and set one there"
        )
    listening = _listen(host, port)
    address = f"http://{_shown(host)}:{listening.getsockname()[1]}"
    hosts = (*names, *LOOPBACK) if names or host in LOOPBACK else ("*",)
    os.environ[SERVED] = json.dumps(asdict(Serving(feedback.url, hosts, https)))
    say(f"Labelling app: {address}  (store {shown(feedback.url)})")
    say(f"Owner's link, works once: {address}/enter/{feedback.people.invites.owner_link()}")
    say("Stop with Ctrl-C; every answer is stored as it is given.")
    feedback.close()
    _run(listening, workers, https)
    return address


def worker_app() -> FastAPI:
    """The app of one worker process, by what `label` left in the environment."""
    served = json.loads(os.environ[SERVED])
    return create_app(
        FeedbackStore(served["store"]), hosts=tuple(served["hosts"]), secure=served["secure"]
    )


def _run(listening: socket.socket, workers: int, https: bool) -> None:
    config = uvicorn.Config(
        "humanalign.web.serve:worker_app",
        factory=True,
        workers=workers,
        # uvicorn's own set-up would close every logging handler of this process.
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        http=BoundedHead,
        # Behind a TLS proxy the addresses and the scheme are the proxy's to say.
        proxy_headers=https,
        timeout_graceful_shutdown=5,
        # A worker that is slow to start, on a busy machine, is no dead one.
        timeout_worker_healthcheck=60,
    )
    try:
        if workers > 1:
            Multiprocess(config, sockets=[listening]).run()
        else:
            uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:
        pass  # asked to stop: the answers are in the store
    finally:
        listening.close()


def _listen(host: str, port: int) -> socket.socket:
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


def _give_password(store: FeedbackStore) -> None:
    """Set the owner's password from the environment, where one is given; workers get no copy."""
    password = os.environ.pop(PASSWORD, "")
    if not password:
        return
    owners = [each for each in store.people.accounts() if each.role == "owner" and not each.erased]
    owner = min(owners, key=lambda each: each.at, default=None)
    if owner is None:
        store.people.create(OWNER, "owner", password=password)
    else:
        store.people.set_password(owner.rater_id, password)


def _shown(host: str) -> str:
    if host in ("0.0.0.0", "::"):
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def _to_stderr(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
