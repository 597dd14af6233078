"""A TCP proxy in this process that can delay, cut, swallow and refuse, whatever is spoken through it."""

import asyncio
import socket
import struct
from dataclasses import dataclass, field
from typing import Literal, Self

LOOPBACK = "127.0.0.1"
_CHUNK_BYTES = 65536
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time to linger: closing then sends RST."""

Direction = Literal["up", "down"]
"""Up: from the client to the target."""


class FaultProxy:
    """Passes connections on to host:port. Its faults may be set and healed at any time; they add up."""

    def __init__(self, host: str, port: int) -> None:
        self.latency_s = 0.0
        """Each piece that is passed on waits this long first, in both directions."""
        self.replies_dropped = 0
        self._target = (host, port)
        self._port = 0
        self._server: asyncio.Server | None = None
        self._closed_door: socket.socket | None = None
        self._links: dict[_Link, asyncio.Task[None]] = {}
        self._cuts: dict[Direction, int] = {}
        self._is_black_hole = False
        self._drops_left = 0
        self._drop_after = b""

    @property
    def port(self) -> int:
        """Where clients connect, on loopback; the same for as long as the proxy lives."""
        return self._port

    @property
    def connections(self) -> int:
        """How many are open now."""
        return len(self._links)

    async def __aenter__(self) -> Self:
        await self._open(_bound(0))
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._close()
        if self._closed_door is not None:
            self._closed_door.close()
        self.reset()
        await asyncio.gather(*self._links.values(), return_exceptions=True)

    def cut_after(self, size_bytes: int, direction: Direction) -> None:
        """From now on let so many bytes through on each connection, and reset it right after them."""
        self._cuts[direction] = size_bytes
        for link in self._links:
            link.passed_bytes[direction] = 0

    def reset(self) -> None:
        """Break every open connection, on both sides, by RST."""
        for link in list(self._links):
            link.reset()

    def black_hole(self) -> None:
        """Accept and swallow: nothing comes through any more, and nobody is told."""
        self._is_black_hole = True
        for link in self._links:
            link.is_swallowing = True

    def drop_reply(self, *, times: int = 1, after: bytes = b"") -> None:
        """Let the target have the next request, keep its answer from the client, and reset the connection.

        With *after* only a request counts in which these bytes go up; the first bytes that come down then are the
        answer.
        """
        self._drops_left, self._drop_after = times, after
        for link in self._links:
            link.is_asked, link.tail = False, b""

    async def refuse(self) -> None:
        """Let no new connection in; open ones go on."""
        if self._server is not None:
            await self._close()
            # Bound and not listening: nobody else gets the port, and who knocks is refused.
            self._closed_door = _bound(self._port)

    async def heal(self) -> None:
        """Be a plain proxy again. A connection that has lost bytes is of no use any more and is reset."""
        self.latency_s = 0.0
        self._cuts.clear()
        self._is_black_hole = False
        self._drops_left = 0
        for link in list(self._links):
            if link.is_swallowing:
                link.reset()
        if self._closed_door is not None:
            await self._open(self._closed_door)
            self._closed_door = None

    async def _open(self, door: socket.socket) -> None:
        self._server = await asyncio.start_server(self._serve, sock=door)
        self._port = door.getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            # What was accepted stays open, so that there is nothing to wait for.
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(writer, is_swallowing=self._is_black_hole)
        task = asyncio.current_task()
        assert task is not None
        self._links[link] = task
        try:
            if link.is_swallowing:
                await _swallow(reader)
            else:
                await self._join(link, reader)
        except* OSError:
            # One side has broken off or was never there: the other learns of it.
            link.reset()
        finally:
            link.close()
            del self._links[link]

    async def _join(self, link: "_Link", reader: asyncio.StreamReader) -> None:
        up_reader, link.up = await asyncio.open_connection(*self._target)
        for writer in (link.up, link.down):
            # What counts as passed on has left this process.
            writer.transport.set_write_buffer_limits(0)
        async with asyncio.TaskGroup() as both:
            both.create_task(self._pass_on(link, "up", reader, link.up))
            both.create_task(self._pass_on(link, "down", up_reader, link.down))

    async def _pass_on(
        self, link: "_Link", direction: Direction, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while piece := await reader.read(_CHUNK_BYTES):
            if self.latency_s:
                await asyncio.sleep(self.latency_s)
            if link.is_swallowing:
                continue
            if self._is_dropped(link, direction, piece):
                self.replies_dropped += 1
                link.reset()
                return
            limit = self._cuts.get(direction)
            if limit is not None:
                piece = piece[: limit - link.passed_bytes[direction]]
            writer.write(piece)
            await writer.drain()
            link.passed_bytes[direction] += len(piece)
            if limit is not None and link.passed_bytes[direction] >= limit:
                link.reset()
                return
        if not link.is_swallowing and writer.can_write_eof():
            writer.write_eof()

    def _is_dropped(self, link: "_Link", direction: Direction, piece: bytes) -> bool:
        if not self._drops_left:
            return False
        if direction == "up":
            seen = link.tail + piece
            link.is_asked = link.is_asked or self._drop_after in seen
            link.tail = seen[max(0, len(seen) - len(self._drop_after)) :]
            return False
        if link.is_asked:
            self._drops_left -= 1
        return link.is_asked


@dataclass(eq=False, slots=True)
class _Link:
    """One connection through the proxy."""

    down: asyncio.StreamWriter
    up: asyncio.StreamWriter | None = None
    passed_bytes: dict[Direction, int] = field(default_factory=lambda: {"up": 0, "down": 0})
    is_swallowing: bool = False
    is_asked: bool = False
    """The request whose answer is to be dropped has gone up."""
    tail: bytes = b""
    """The last bytes that went up: what is looked for may come in two pieces."""

    def reset(self) -> None:
        for writer in (self.down, self.up):
            if writer is None or writer.transport.is_closing():
                continue
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()

    def close(self) -> None:
        for writer in (self.down, self.up):
            if writer is not None:
                writer.close()


def _bound(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((LOOPBACK, port))
    except OSError:
        sock.close()
        raise
    return sock


async def _swallow(reader: asyncio.StreamReader) -> None:
    while await reader.read(_CHUNK_BYTES):
        pass
