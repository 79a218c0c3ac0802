"""A request's head is bounded: httptools itself would keep headers as long as a stranger sends."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# As much as other servers take; a cookie and a token are a few hundred bytes.
HEAD_LIMIT = 64 * 1024


class BoundedHead(HttpToolsProtocol):
    """uvicorn's protocol that ends a connection whose request line and headers are too long.

    What comes in one piece is bounded by the socket's reads (256 KiB), so pieces are counted from
    the second on.
    """

    _head: int | None = None  # bytes of the head in later pieces; None outside of a head
    _held: int = 0  # bytes in the headers of this request, trailers too

    def data_received(self, data: bytes) -> None:
        within = self._head is not None
        super().data_received(data)
        if within and self._head is not None and not self.transport.is_closing():
            self._head += len(data)
            if self._head > HEAD_LIMIT:
                self.send_400_response("The request's headers are too long.")

    def on_message_begin(self) -> None:
        self._head, self._held = 0, 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._held += len(name) + len(value)
        if self._held > HEAD_LIMIT:
            raise ValueError("the headers are too long")  # httptools makes it a 400
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head = None
        super().on_headers_complete()
