"""Bytes on the wire that no browser sends: the server refuses them and goes on serving others."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx2
import pytest
from workplace import Site, make_site

from humanalign.web.local import serving

HOST = b"Host: 127.0.0.1\r\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = make_site(tmp_path_factory.mktemp("site"))
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def address(site: Site) -> Iterator[str]:
    with serving(site.store) as found:
        yield found


def exchanged(address: str, sent: bytes, *, wait: float = 2.0) -> bytes:
    """What comes back until the server closes or `wait` seconds pass."""
    host, port = address.removeprefix("http://").split(":")
    received = b""
    with socket.create_connection((host, int(port)), timeout=wait) as wire:
        try:
            wire.sendall(sent)
            while piece := wire.recv(65536):
                received += piece
                if b"\r\n\r\n" in received and b"Connection: close" not in sent:
                    break
        except (TimeoutError, ConnectionError):
            pass
    return received


def get(path: bytes, *headers: bytes) -> bytes:
    lines = b"".join(each + b"\r\n" for each in headers)
    return b"GET " + path + b" HTTP/1.1\r\n" + HOST + lines + b"\r\n"


REFUSED = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 9 + b"\r\n\r\n",
    "no version": b"GET /health\r\n\r\n",
    "two hosts": b"GET /health HTTP/1.1\r\n" + HOST + b"Host: evil.example\r\n\r\n",
    "no host": b"GET /health HTTP/1.1\r\n\r\n",
    "a header without end": get(b"/health", b"X: " + b"x" * 300_000),
    "many headers": get(b"/health", *(b"X%d: x" % n for n in range(20_000))),
    "a long address": get(b"/health?" + b"x" * 300_000),
    "a length and chunks": (
        b"POST /sign-in HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n"
    ),
    "two lengths": (
        b"POST /sign-in HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd"
    ),
    "a negative length": b"POST /sign-in HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n",
    "an endless length": (
        b"POST /sign-in HTTP/1.1\r\n" + HOST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n"
    ),
    "a broken chunk": (
        b"POST /sign-in HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"
    ),
    "a NUL in a header": get(b"/health", b"X: a\0b"),
}


# What a server may read as well: the first host counts, and nothing is done with the rest.
HARMLESS = ("two hosts",)


@pytest.mark.parametrize("name", REFUSED)
def test_a_malformed_request_is_refused_and_the_next_one_answered(name: str, address: str):
    answer = exchanged(address, REFUSED[name], wait=3.0)
    assert not answer.startswith(b"HTTP/1.1 5")
    assert answer.count(b"HTTP/1.1 2") == 0 or name in (
        "two hosts",
        "many headers",
        "a long address",
    )
    assert httpx2.get(f"{address}/health").json()["ok"] is True


TRAVERSALS = [
    *(b"/static/x/../../app.py", b"/static/x/%2e%2e/%2e%2e/app.py", b"/static/../guard.py"),
    *(b"/static/x/..%2f..%2fapp.py", b"/static/x/....//app.py", b"/static//etc/passwd"),
    *(b"/static/x/%00style.css", b"/static/x/style.css%00", b"/static/x/..\\..\\app.py"),
    *(
        b"/static/x//etc/passwd",
        b"/static/x/%252e%252e/app.py",
        b"/static/x/C:\\x",
        b"//etc/passwd",
    ),
    *(
        b"/static/x/style.css/",
        b"/static/x/STYLE.CSS",
        b"/static/x/",
    ),
]


@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_address_leads_to_another_file(path: bytes, address: str):
    answer = exchanged(address, get(path))
    assert answer.startswith((b"HTTP/1.1 404", b"HTTP/1.1 400"))
    assert b"import" not in answer
    assert b"root:" not in answer


@pytest.mark.parametrize("start", [b"GET /health HTTP/1.1\r\nX: ", b"GET /health?"])
def test_a_head_without_end_is_cut_off(start: bytes, address: str):
    host, port = address.removeprefix("http://").split(":")
    sent = 0
    with socket.create_connection((host, int(port)), timeout=5) as wire:
        wire.sendall(start)
        try:
            while sent < 1 << 24:
                sent += wire.send(b"x" * 65536)
        except ConnectionError:
            pass
    assert sent < 1 << 23


def test_slow_senders_keep_nobody_waiting(address: str):
    host, port = address.removeprefix("http://").split(":")
    slow = [socket.create_connection((host, int(port))) for _ in range(60)]
    for number, wire in enumerate(slow):
        body = b"POST /sign-in HTTP/1.1\r\n" + HOST + b"Content-Length: 1000\r\n\r\na"
        wire.sendall(body if number % 2 else b"GET /health HTTP/1.1\r\nX: ")
    began = time.perf_counter()
    pages = [httpx2.get(f"{address}/sign-in").status_code for _ in range(5)]
    took = time.perf_counter() - began
    for wire in slow:
        wire.close()
    assert pages == [200] * 5
    assert took < 5


def test_the_owners_link_is_said_once_and_written_to_no_log(tmp_path):
    words = ["label", f"store={tmp_path / 's.db'}", "port=0"]
    password = "hunter2-long-enough"
    process = subprocess.Popen(
        [sys.executable, "-m", "humanalign", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "HUMANALIGN_OWNER_PASSWORD": password},
    )
    assert process.stdout is not None
    said = ""
    while "Stop with" not in said:
        said += process.stdout.readline()
        assert process.poll() is None
    [link] = re.findall(r"http://\S+/enter/\S+", said)
    for _ in range(200):
        try:
            status = httpx2.get(link).status_code
            break
        except httpx2.TransportError:
            time.sleep(0.05)
    httpx2.post(link, headers={"Sec-Fetch-Site": "cross-site"})
    httpx2.get(f"{link}%0aFORGED")
    exchanged(link.partition("/enter")[0], REFUSED["no HTTP"])
    process.terminate()
    said += process.communicate(timeout=20)[0]
    assert status == 200
    assert said.count(link.rpartition("/")[2]) == 1
    assert password not in said
    assert "\nFORGED" not in said
