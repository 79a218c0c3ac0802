"""The service needs no name look-up and no other machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from security import offline

TESTS = Path(__file__).parents[1]


def test_the_service_works_where_no_name_resolves_and_nothing_leaves_the_machine(tmp_path: Path):
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    ran = subprocess.run(
        [sys.executable, "-m", "security.offline", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    said = json.loads(ran.stdout)
    store = said["statuses"].pop("store")
    assert (store, set(said["statuses"].values())) == (303, {200})
    assert (said["answered"], said["checked"]) == (4, 4)
    assert said["attempts"] == []


def test_the_closed_process_would_notice_a_look_up_and_a_way_out():
    program = (
        "import socket, sys, urllib.request; from security import offline\n"
        "sys.addaudithook(offline.closed)\n"
        "def tried(act, *words):\n"
        "    try: act(*words)\n"
        "    except OSError: pass\n"
        "tried(socket.getaddrinfo, 'example.com', 80)\n"
        "tried(socket.gethostbyname, 'example.com')\n"
        "tried(socket.create_connection, ('192.0.2.1', 80), 0.1)\n"
        "tried(urllib.request.urlopen, 'http://example.com')\n"
        "print(len(offline.ATTEMPTS))"
    )
    env = {**os.environ, "PYTHONPATH": str(TESTS)}
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=env
    )
    assert int(ran.stdout) >= 4
    assert offline.ATTEMPTS == []
