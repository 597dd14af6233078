"""Receives the engine's records over loopback HTTP, as its stock Elasticsearch exporter sends them."""

import asyncio
import json
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from types import TracebackType
from typing import Self

import msgspec

from waggle.engine.records.ledger import Ledger
from waggle.engine.records.record import Record, actions_in, from_bulk
from waggle.log import get_logger

log = get_logger(__name__)

_LOOPBACK = "127.0.0.1"
_REMEMBERED = 20_000
_TOLD = 12


class RecordStream:
    """Records as they arrive, and what they amount to.

    The receiver is a thread of its own, so that a stream serves many event loops, one after another or at once. While
    no stream listens, the engine works on and its exporter tries again; what it sends twice is taken once.
    """

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self._lock = Lock()
        self._ledger = Ledger()
        self._past: deque[Record] = deque(maxlen=_REMEMBERED)
        self._positions: dict[int, int] = {}
        self._queues: list[tuple[asyncio.AbstractEventLoop, asyncio.Queue[Record]]] = []
        self._server: _Server | None = None
        self._thread: Thread | None = None

    def __enter__(self) -> Self:
        """Listen, on a free port unless one was given."""
        stream = self

        class Handler(_Handler):
            take = stream._take

        self._server = _Server((_LOOPBACK, self._port), Handler)
        self._port = self._server.server_port
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening; what was seen stays readable."""
        if self._server and self._thread:
            self._server.shutdown()
            self._server.end_connections()
            self._server.server_close()
            self._thread.join()

    @property
    def url(self) -> str:
        """Return what `EngineOptions.records_url` wants."""
        return f"http://{_LOOPBACK}:{self._port}"

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        """Lend what is open and done; records wait while it is lent."""
        with self._lock:
            yield self._ledger

    async def __aiter__(self) -> AsyncIterator[Record]:
        """Yield each record that arrives from now on, without end."""
        with self._subscribed() as (_, queue):
            while True:
                yield await queue.get()

    async def wait_for(self, predicate: Callable[[Record], bool], timeout_s: float = 60.0) -> Record:
        """Return the first record, of the past or to come, for which *predicate* holds.

        Raises:
            TimeoutError: none came in time; tells the last ones that did.
        """
        with self._subscribed() as (past, queue):
            for record in past:
                if predicate(record):
                    return record
            try:
                async with asyncio.timeout(timeout_s):
                    while not predicate(record := await queue.get()):
                        pass
            except TimeoutError:
                raise self._timed_out(timeout_s) from None
            return record

    async def wait_until(self, condition: Callable[[Ledger], bool], timeout_s: float = 60.0) -> None:
        """Return as soon as *condition* holds.

        Raises:
            TimeoutError: it did not come true in time; tells the last records.
        """
        with self._subscribed() as (_, queue):
            try:
                async with asyncio.timeout(timeout_s):
                    while not self._holds(condition):
                        await queue.get()
                        while not queue.empty():
                            queue.get_nowait()
            except TimeoutError:
                raise self._timed_out(timeout_s) from None

    def _holds(self, condition: Callable[[Ledger], bool]) -> bool:
        with self._lock:
            return condition(self._ledger)

    @contextmanager
    def _subscribed(self) -> Iterator[tuple[list[Record], asyncio.Queue[Record]]]:
        queue: asyncio.Queue[Record] = asyncio.Queue()
        entry = (asyncio.get_running_loop(), queue)
        with self._lock:
            past = list(self._past)
            self._queues.append(entry)
        try:
            yield past, queue
        finally:
            with self._lock:
                self._queues.remove(entry)

    def _take(self, body: bytes) -> None:
        for record in from_bulk(body):
            with self._lock:
                if record.position <= self._positions.get(record.partition, -1):
                    continue
                self._positions[record.partition] = record.position
                self._ledger.take(record)
                self._past.append(record)
                for loop, queue in self._queues:
                    loop.call_soon_threadsafe(queue.put_nowait, record)

    def _timed_out(self, timeout_s: float) -> TimeoutError:
        with self._lock:
            last = [f"{record.intent} {_named(record)}" for record in list(self._past)[-_TOLD:]]
        return TimeoutError(f"not seen within {timeout_s} s; the last records: {'; '.join(last) or 'none'}")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self.connections: set[BaseHTTPRequestHandler] = set()

    def handle_error(self, request: object, client_address: object) -> None:
        """Pass over a connection that broke: the engine was killed, or sends again."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    def end_connections(self) -> None:
        """Close what the exporter holds open, as a process that ends would."""
        for handler in list(self.connections):
            self.shutdown_request(handler.request)


class _Handler(BaseHTTPRequestHandler):
    """Answers what the exporter asks; it was told not to make templates."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    take: Callable[[bytes], None]

    def setup(self) -> None:
        super().setup()
        if isinstance(self.server, _Server):
            self.server.connections.add(self)

    def finish(self) -> None:
        if isinstance(self.server, _Server):
            self.server.connections.discard(self)
        super().finish()

    def do_POST(self) -> None:
        body = self._body()
        try:
            type(self).take(body)
        except msgspec.DecodeError as error:
            # Refused, the exporter would send it for ever and the engine could never forget its log.
            log.warning("record not understood", error=type(error).__name__)
        item = {"index": {"status": HTTPStatus.CREATED}}
        self._answer({"took": 0, "errors": False, "items": [item] * actions_in(body)})

    def do_PUT(self) -> None:
        """Agree to the retention settings, which the exporter sends once at its start."""
        self._body()
        self._answer({"acknowledged": True})

    def _answer(self, what: dict[str, object]) -> None:
        answer = json.dumps(what).encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        pieces = []
        while size_bytes := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size_bytes))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing: a line per record would drown every other."""


def _named(record: Record) -> str:
    value = record.value
    return str(getattr(value, "element_id", None) or getattr(value, "target_element_id", None) or type(value).__name__)
