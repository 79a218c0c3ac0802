"""Starting the labelling app: the address, the workers, and the owner's way in.

humanalign label store=feedback.db            # http://127.0.0.1:8000 and a one-time link
humanalign label store=postgresql://... host=0.0.0.0 workers=4
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass

from fastapi import FastAPI

from humanalign.errors import ConfigError
from humanalign.prefer.store import FeedbackStore
from humanalign.prefer.store.database import shown
from humanalign.web.app import create_app
from humanalign.web.listening import LOOPBACK, listen, serve, shown_host, to_stderr

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
    say = say or to_stderr
    _give_password(feedback)
    if host not in LOOPBACK and not feedback.people.has_owner_password():
        raise ConfigError(
            f"host={host} lets others reach the app, so its owner needs a password: set {PASSWORD} "
            "and start again, or open the owner's link on this machine first and set one there"
        )
    listening = listen(host, port)
    address = f"http://{shown_host(host)}:{listening.getsockname()[1]}"
    hosts = (*names, *LOOPBACK) if names or host in LOOPBACK else ("*",)
    os.environ[SERVED] = json.dumps(asdict(Serving(feedback.url, hosts, https)))
    say(f"Labelling app: {address}  (store {shown(feedback.url)})")
    say(f"Owner's link, works once: {address}/enter/{feedback.people.invites.owner_link()}")
    say("Stop with Ctrl-C; every answer is stored as it is given.")
    feedback.close()
    serve("humanalign.web.serve:worker_app", listening, workers=workers, https=https)
    return address


def worker_app() -> FastAPI:
    """The app of one worker process, by what `label` left in the environment."""
    served = json.loads(os.environ[SERVED])
    return create_app(
        FeedbackStore(served["store"]), hosts=tuple(served["hosts"]), secure=served["secure"]
    )


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
