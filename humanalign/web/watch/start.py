"""Starting the live page: the address, and the link that lets other machines in.

humanalign watch runs                        # http://127.0.0.1:8001
humanalign watch runs host=0.0.0.0           # and a link with a token
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from humanalign.errors import RunError
from humanalign.web.listening import LOOPBACK, listen, serve, shown_host, to_stderr
from humanalign.web.watch.app import create_app
from humanalign.web.watch.gate import new_token


def watch(
    folder: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8001,
    say: Callable[[str], None] = to_stderr,
) -> str:
    """Serve the live page over a folder of runs until it is stopped; return its address.

    Where others can connect, a random token is needed, which the link said at the start carries.
    RunError: no such folder. ConfigError: the port is taken.
    """
    if not Path(folder).is_dir():
        raise RunError(f"{folder} is no folder; name the one that runs are in, or will be")
    listening = listen(host, port)
    address = f"http://{shown_host(host)}:{listening.getsockname()[1]}"
    token = "" if host in LOOPBACK else new_token()
    # Another site's page cannot send the token's cookie, so any name will do where there is one.
    app = create_app(folder, hosts=("*",) if token else LOOPBACK, token=token)
    say(f"Runs in {folder}: {address}{f'/enter/{token}' if token else ''}")
    if token:
        say("The link lets in whoever has it, without encryption: send it over a safe way.")
    say("Stop with Ctrl-C; the page only reads.")
    serve(app, listening)
    return address
