"""Reach what a process stands on: the engine at once or not at all, or whatever it is with patience."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from waggle.app import App
from waggle.engine.client import Topology, ZeebeClient
from waggle.engine.defects import known_defect
from waggle.engine.local import status
from waggle.errors import TemporaryFailure
from waggle.log import get_logger

log = get_logger(__name__)

T = TypeVar("T")

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 5.0


def engine_address(app: App) -> str:
    """Return host:port of the gateway. It looks at processes and ports, which an event loop must not wait for.

    Raises:
        TemporaryFailure: ENGINE_DOWN, if the embedded engine is not running.
    """
    if not app.settings.embedded_engine:
        return app.settings.engine.address
    running = status(app.settings.engine_home)
    if running.grpc_address is None:
        raise TemporaryFailure(
            "ENGINE_DOWN",
            f"no engine runs in {app.settings.engine_home}: start everything with `waggle up`, "
            "or set engine.address to a Zeebe gateway",
        )
    return running.grpc_address


@asynccontextmanager
async def engine_client(app: App, address: str | None = None) -> AsyncIterator[ZeebeClient]:
    """Give a client of the engine at *address*, else of the one that the settings name.

    Raises:
        TemporaryFailure: ENGINE_DOWN, if that is the embedded one and it does not run.
        BadSettings: the settings contradict each other.
    """
    if address is None:
        address = await asyncio.to_thread(engine_address, app)
    async with app.engine.channel(address) as channel:
        yield app.engine.client(channel, address)


async def engine_answers(app: App, within_s: float = 10.0) -> tuple[str, Topology]:
    """Return the engine's address and who is there.

    Raises:
        TemporaryFailure: ENGINE_DOWN, or ENGINE_UNREACHABLE after *within_s* at the latest.
    """
    address = await asyncio.to_thread(engine_address, app)
    async with engine_client(app, address) as engine:
        try:
            async with asyncio.timeout(within_s):
                return address, await engine.topology()
        except TimeoutError:
            raise TemporaryFailure("ENGINE_UNREACHABLE", f"no answer from {address} within {within_s:.0f} s") from None


def engine_defect(app: App, topology: Topology) -> str | None:
    """Say what the engine that is there is known to get wrong; nothing of the embedded one, which is mended."""
    return None if app.settings.embedded_engine else known_defect(topology.gateway_version)


async def patiently(what: str, stop: asyncio.Event, get: Callable[[], Coroutine[Any, Any, T]]) -> T | None:
    """Return what *get* gives, tried again for as long as it takes; None if *stop* comes first."""
    pause_s, told = _FIRST_PAUSE_S, ""
    while not stop.is_set():
        try:
            return await _unless(stop, get())
        except TemporaryFailure as failure:
            # One line for each thing that is wrong, not for each try.
            if failure.code != told:
                log.warning("waiting for what is away", what=what, code=failure.code, reason=failure.message)
            told = failure.code
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await stop.wait()
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
    return None


async def _unless(stop: asyncio.Event, getting: Awaitable[T]) -> T | None:
    wanted, unwanted = asyncio.ensure_future(getting), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({wanted, unwanted}, return_when=asyncio.FIRST_COMPLETED)
        return wanted.result() if wanted.done() else None
    finally:
        wanted.cancel()
        unwanted.cancel()
