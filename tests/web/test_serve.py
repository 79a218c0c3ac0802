"""The command that serves the app: its address, the owner's link, and what it refuses."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

from humanalign.errors import ConfigError
from humanalign.prefer.store import FeedbackStore
from humanalign.web import serve


def started(store: str, *words: str, env: dict[str, str] | None = None) -> subprocess.Popen:
    command = [sys.executable, "-m", "humanalign", "label", f"store={store}", "port=0", *words]
    return subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, **(env or {})}
    )


def said(process: subprocess.Popen, pattern: str) -> str:
    """What the first line that matches says in its group."""
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(pattern, line):
            return found.group(1)
    pytest.fail(f"the server never said {pattern}")


def answering(address: str) -> dict:
    """The health of the server, as soon as it answers."""
    for _ in range(200):
        try:
            return httpx2.get(f"{address}/health").json()
        except httpx2.TransportError:
            time.sleep(0.05)
    pytest.fail("the server did not answer within 10 s")


@pytest.mark.parametrize("workers", [1, 2])
def test_one_command_serves_and_the_owners_link_works_once(tmp_path, workers):
    process = started(str(tmp_path / "s.db"), f"workers={workers}")
    try:
        address = said(process, r"Labelling app: (http://127\.0\.0\.1:\d+)")
        link = said(process, r"works once: (\S+)")
        assert answering(address)["ok"] is True
        with httpx2.Client(follow_redirects=True) as browser:
            page = browser.get(link).text
            token = re.search(r'name="csrf" value="([^"]+)"', page)
            assert token
            headers = {"Origin": address}
            entered = browser.post(link, data={"csrf": token.group(1)}, headers=headers)
            assert entered.status_code == 200
            assert str(entered.url) == f"{address}/owner"
            assert "Each start of <code>humanalign label</code> prints a new one" in entered.text
        assert httpx2.get(link).status_code in (404, 410)
    finally:
        process.send_signal(signal.SIGTERM)
    assert process.wait(15) in (0, 130)


def test_a_taken_port_is_named(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port={port}: cannot listen there"):
            serve.label(str(tmp_path / "s.db"), port=port)


def test_everybody_may_reach_the_app_only_when_its_owner_has_a_password(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="owner needs a password: set HUMANALIGN_OWNER_PASSWORD"):
        serve.label(str(tmp_path / "s.db"), host="0.0.0.0", port=0)
    begun = []
    monkeypatch.setattr(serve, "serve", lambda *_, **__: begun.append(True))
    monkeypatch.setenv("HUMANALIGN_OWNER_PASSWORD", "a long enough password")
    serve.label(str(tmp_path / "s.db"), host="0.0.0.0", port=0, say=lambda _: None)
    assert begun
    people = FeedbackStore(tmp_path / "s.db").people
    assert people.sign_in("owner", "a long enough password").role == "owner"


def test_the_password_is_the_owners_whoever_else_is_called_owner(tmp_path, monkeypatch):
    people = FeedbackStore(tmp_path / "s.db").people
    people.create("Boss", "owner")
    people.create("Owner", "labeler", password="a password of my own")
    monkeypatch.setattr(serve, "serve", lambda *_, **__: None)
    monkeypatch.setenv("HUMANALIGN_OWNER_PASSWORD", "a long enough password")
    serve.label(str(tmp_path / "s.db"), port=0, say=lambda _: None)
    assert people.sign_in("Boss", "a long enough password").role == "owner"
    assert people.sign_in("Owner", "a password of my own").role == "labeler"


def test_a_databases_password_is_not_shown():
    url = "postgresql://ann:secret@db.example/feedback"
    assert serve.shown(url) == "postgresql://ann@db.example/feedback"


def test_serving_never_imports_torch(tmp_path: Path):
    program = (
        "import sys; from humanalign.web.app import create_app; "
        "from humanalign.prefer.store import FeedbackStore; import humanalign.verbs.labelling; "
        f"create_app(FeedbackStore({str(tmp_path / 's.db')!r})); "
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
