"""The plainest HTTP client: one kept-open connection, so that what is timed is the server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

# What a broken connection raises; an answer is then sent again under its key.
BROKEN = (OSError, asyncio.IncompleteReadError)


@dataclass(frozen=True)
class Reply:
    """What came back, and how many seconds after the first byte was sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float


class Line:
    """A connection to 127.0.0.1; opened when it is needed, and again after it broke."""

    def __init__(self, port: int, headers: Mapping[str, str]) -> None:
        self.port = port
        own = {"Host": f"127.0.0.1:{port}", "Origin": f"http://127.0.0.1:{port}", **headers}
        self._own = "".join(f"{name}: {value}\r\n" for name, value in own.items())
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(
        self, method: str, path: str, body: bytes = b"", kind: str = "text/plain"
    ) -> Reply:
        """Send a request and read the answer to its end."""
        head = f"{method} {path} HTTP/1.1\r\n{self._own}Content-Type: {kind}\r\n"
        begun = time.perf_counter()
        try:
            reader, writer = await self._open()
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            status, headers = _read_head(await reader.readuntil(b"\r\n\r\n"))
            content = await _read_body(reader, headers)
        except BROKEN:
            self.close()
            raise
        if headers.get("connection") == "close":
            self.close()
        return Reply(status, headers, content, time.perf_counter() - begun)

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None or self._streams[0].at_eof():
            self.close()
            self._streams = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 22)
        return self._streams


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(headers.get("content-length", 0)))
    content = bytearray()
    while size := int(await reader.readuntil(b"\r\n"), 16):
        content += (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)
    return bytes(content)


def _read_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *rest = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in rest if line)
    return int(first.split()[1]), {name.lower(): value.strip() for name, _, value in pairs}
