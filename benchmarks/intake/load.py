"""Clients on raw sockets: they write what was made before and read little, so that the server is what is measured."""

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

_END_OF_HEAD = b"\r\n\r\n"
_COME_BACK = frozenset({429, 503})
_COME_BACK_S = 1.0
"""What the server's Retry-After says."""


@dataclass(slots=True)
class Heard:
    """What the clients of one measurement were answered."""

    wall_s: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)
    """Of answers below 300."""
    statuses: Counter[int] = field(default_factory=Counter)
    sent: int = 0
    """How many of the requests that were given were sent: fewer, if the time was over before."""


class _Client(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self._answered: asyncio.Future[int] | None = None
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 -- a TCP connection has one
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(_END_OF_HEAD)
        if end < 0:
            return
        whole = end + len(_END_OF_HEAD) + _length(self._buffer[:end])
        if len(self._buffer) >= whole:
            status = int(self._buffer[9:12])
            self._buffer = self._buffer[whole:]
            if self._answered is not None and not self._answered.done():
                self._answered.set_result(status)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(exc or ConnectionResetError("the server closed the connection"))

    async def ask(self, request: bytes) -> int:
        """Return the status of the answer."""
        self._answered = asyncio.get_running_loop().create_future()
        assert self._transport is not None  # noqa: S101 -- asked only once it is connected
        self._transport.write(request)
        return await self._answered

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def closed_loop(port: int, requests: Sequence[bytes], clients: int, limit_s: float) -> Heard:
    """Let *clients* send *requests*, each the next one as soon as it is answered, for *limit_s* at most."""
    heard = Heard()
    waiting = deque(requests)
    connections = await _connected(port, clients)
    began_s = time.perf_counter()

    async def work(client: _Client) -> None:
        while waiting and time.perf_counter() - began_s < limit_s:
            request = waiting.popleft()
            heard.sent += 1
            status = await _timed(client, request, time.perf_counter(), heard)
            if status in _COME_BACK:
                await asyncio.sleep(_COME_BACK_S)

    await asyncio.gather(*(work(client) for client in connections))
    heard.wall_s = time.perf_counter() - began_s
    _close(connections)
    return heard


async def open_loop(port: int, requests: Sequence[bytes], per_s: float, clients: int = 64) -> Heard:
    """Send *requests* at random times, on average *per_s*; a latency begins when a request was due, sent or not."""
    heard = Heard()
    draw = random.Random(7)  # noqa: S311 -- no secret
    free: asyncio.Queue[_Client] = asyncio.Queue()
    connections = await _connected(port, clients)
    for client in connections:
        free.put_nowait(client)
    began_s = due_s = time.perf_counter()
    sending: set[asyncio.Task[None]] = set()

    async def send(request: bytes, due_s: float) -> None:
        client = await free.get()
        try:
            await _timed(client, request, due_s, heard)
        finally:
            free.put_nowait(client)

    for request in requests:
        due_s += draw.expovariate(per_s)
        pause_s = due_s - time.perf_counter()
        if pause_s > 0:
            await asyncio.sleep(pause_s)
        task = asyncio.create_task(send(request, due_s))
        sending.add(task)
        task.add_done_callback(sending.discard)
        heard.sent += 1
    await asyncio.gather(*sending)
    heard.wall_s = time.perf_counter() - began_s
    _close(connections)
    return heard


async def _timed(client: _Client, request: bytes, due_s: float, heard: Heard) -> int:
    status = await client.ask(request)
    heard.statuses[status] += 1
    if status < 300:
        heard.latencies_ms.append(1_000 * (time.perf_counter() - due_s))
    return status


async def _connected(port: int, clients: int) -> list[_Client]:
    loop = asyncio.get_running_loop()
    found = []
    for _ in range(clients):
        _, client = await loop.create_connection(_Client, "127.0.0.1", port)
        found.append(client)
    return found


def _close(connections: Sequence[_Client]) -> None:
    for client in connections:
        client.close()


def _length(head: bytes) -> int:
    lowered = head.lower()
    start = lowered.find(b"content-length:")
    if start < 0:
        return 0
    return int(lowered[start + len(b"content-length:") :].split(b"\r\n", 1)[0])
