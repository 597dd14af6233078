"""HTTP with callers who come to the point: heads of requests that never end, in time or in length, are cut off."""

import asyncio
from asyncio.events import TimerHandle
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_WITHIN_S: Final = 10.0
MOST_HEAD_BYTES: Final = 65_536

_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain; charset=utf-8\r\ncontent-length: 23\r\nconnection: close\r\n\r\n"
    b"The headers are too big"
)


class PromptProtocol(HttpToolsProtocol):
    """As uvicorn speaks it, which waits for the end of a head without end (0.54, read in November 2026).

    Bodies are looked after where they are read, and connections at rest by the keep-alive.
    """

    head_within_s = HEAD_WITHIN_S

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 -- those of uvicorn
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._began_just_now = False
        self._head_bytes = 0
        self._due: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Expect a head from now on."""
        super().connection_made(transport)
        self._due = self.loop.call_later(self.head_within_s, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._come()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; most heads come whole, in one piece."""
        super().data_received(data)
        if not self._in_head:
            self._come()
            return
        if self._began_just_now:
            # The piece may hold the end of the request before.
            self._began_just_now, self._head_bytes = False, 0
        else:
            self._head_bytes += len(data)
        if self._head_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()
        elif self._due is None:
            self._due = self.loop.call_later(self.head_within_s, self.transport.close)

    def on_message_begin(self) -> None:
        """Hear that a head begins."""
        self._in_head = self._began_just_now = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Hear that a head is over."""
        self._in_head = False
        super().on_headers_complete()

    def _come(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
