"""Somebody who is called."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Receiver:
    """A small HTTP server that remembers calls and answers as it is told."""

    def __init__(self) -> None:
        self.port = 0
        self.calls: list[tuple[dict[str, str], bytes]] = []
        """(headers in lower case and the first line as `:request`, body)."""
        self.answer: bytes | None = b""
        """None: it hangs up."""
        self.answers(204)

    def answers(self, status: int) -> None:
        """Have the next calls answered with *status*."""
        self.answer = f"HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n".encode()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/facts?tenant=1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
                headers[":request"] = lines[0]
                self.calls.append((headers, await reader.readexactly(int(headers["content-length"]))))
                if self.answer is None:
                    break
                writer.write(self.answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Have one listen while the context lasts."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
