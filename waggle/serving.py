"""Serve an ASGI application on a socket until it is asked to stop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import cast

import uvicorn
from litestar.types import ASGIApp

from waggle.health import Health, create_health_app
from waggle.listening import listening
from waggle.metrics import Metrics
from waggle.prompt_http import PromptProtocol


async def serve(asgi: ASGIApp, sock: socket.socket, stop: asyncio.Event) -> None:
    """Serve *asgi* on *sock* until *stop* is set; requests under way are answered."""
    config = uvicorn.Config(
        cast("Callable[..., Awaitable[None]]", asgi),  # two libraries' names of one protocol
        http=PromptProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    server = _Server(config)

    async def end() -> None:
        await stop.wait()
        server.should_exit = True

    ending = asyncio.create_task(end())
    try:
        await server.serve(sockets=[sock])
    finally:
        ending.cancel()


@asynccontextmanager
async def health_told(health: Health, metrics: Metrics, host: str, port: int, setting: str) -> AsyncIterator[None]:
    """Answer /livez, /readyz and /metrics while the context lasts; with port 0 nowhere.

    Raises:
        BadSettings: PORT_TAKEN, naming *setting*.
    """
    if not port:
        yield
        return
    ending = asyncio.Event()
    with listening(host, port, setting) as sock:
        serving = asyncio.create_task(serve(cast("ASGIApp", create_health_app(health, metrics)), sock, ending))
        try:
            yield
        finally:
            ending.set()
            await serving


class _Server(uvicorn.Server):
    """Leaves signals to us."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
