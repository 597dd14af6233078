"""A mail server that takes everything and keeps nothing but when it came: it must never be what is measured.

Run as `python -m benchmarks.sink --arrivals FILE`; it prints its port once it listens. The file gets one line per mail:
recipient, a tab, and the time of the last byte as `time.time_ns` has it.
"""

import argparse
import asyncio
import os
import signal
import sys
import time
from pathlib import Path

_END = b"\r\n.\r\n"
_OK = b"250 2.0.0 Ok\r\n"


class Session(asyncio.Protocol):
    """One connection; speaks as much of RFC 5321 as a client without extensions needs."""

    def __init__(self, arrivals: int) -> None:
        self._arrivals = arrivals
        self._buffer = b""
        self._in_data = False
        self._recipients: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a TCP server's always is
        self._transport = transport
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        """Answer every whole line and every whole mail."""
        self._buffer += data
        while True:
            ending = _END if self._in_data else b"\r\n"
            whole, found, rest = self._buffer.partition(ending)
            if not found:
                return
            self._buffer = rest
            self._transport.write(self._take_mail() if self._in_data else self._take_line(whole))

    def _take_line(self, line: bytes) -> bytes:
        verb = line[:4].upper()
        if verb == b"RCPT":
            self._recipients.append(line.partition(b"<")[2].partition(b">")[0].decode("utf-8", "replace"))
        elif verb == b"RSET":
            self._recipients.clear()
        elif verb == b"DATA":
            self._in_data = True
            return b"354 go on\r\n"
        elif verb == b"EHLO":
            return b"250-sink\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
        elif verb == b"QUIT":
            self._transport.write(b"221 2.0.0 bye\r\n")
            self._transport.close()
            return b""
        return _OK

    def _take_mail(self) -> bytes:
        self._in_data = False
        at_ns = time.time_ns()
        os.write(self._arrivals, "".join(f"{to}\t{at_ns}\n" for to in self._recipients).encode())
        self._recipients.clear()
        return _OK


async def serve(port: int, arrivals: Path) -> None:
    """Take mail until asked to end."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    file = os.open(arrivals, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    server = await loop.create_server(lambda: Session(file), "127.0.0.1", port)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await stop.wait()
    server.close()


def read_arrivals(file: Path) -> list[tuple[str, int]]:
    """Return recipient and time in nanoseconds of every mail, in the order of arrival."""
    if not file.exists():
        return []
    lines = (line.partition("\t") for line in file.read_text("utf-8").splitlines())
    return [(to, int(at_ns)) for to, _, at_ns in lines]


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sink")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--arrivals", type=Path, required=True)
    given = parser.parse_args()
    asyncio.run(serve(given.port, given.arrivals))


if __name__ == "__main__":
    main()
