"""The parts of Waggle, each able to run as its own process until it is asked to stop."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import cast

import uvicorn
from litestar.types import ASGIApp

from waggle.app import App
from waggle.engine.channel import connect
from waggle.engine.client import ZeebeClient
from waggle.engine.local import status
from waggle.engine.worker import WorkerOptions, WorkerRuntime
from waggle.errors import BadSettings, TemporaryFailure
from waggle.listening import listening
from waggle.log import get_logger
from waggle.mailbox import run_mailbox
from waggle.registry import find_tasks

log = get_logger(__name__)

SUPERVISED = "WAGGLE_SUPERVISOR_PID"
"""Names the supervisor to a process that it started: without it, the process ends too."""

_LOOK_FOR_PARENT_S = 0.5


async def run_api(app: App, stop: asyncio.Event) -> None:
    """Serve HTTP; a request under way is answered before it ends.

    Raises:
        BadSettings: PORT_TAKEN.
    """
    settings = app.settings.api
    with listening(settings.host, settings.port, "api.port") as sock:
        await serve(cast("ASGIApp", app.api()), sock, stop)


async def run_relay(app: App, stop: asyncio.Event) -> None:
    """Apply events and publish engine messages."""
    async with engine_client(app) as engine:
        await app.relay(engine).run(stop)


async def run_worker(app: App, task_types: Sequence[str], stop: asyncio.Event) -> None:
    """Work on jobs of *task_types*, or of all if none is named.

    Raises:
        BadSettings: TASK_TYPE_UNKNOWN, or a service cannot be made from the settings.
    """
    tasks = find_tasks()
    for task_type in task_types:
        if task_type not in tasks:
            raise BadSettings("TASK_TYPE_UNKNOWN", f"no worker answers {task_type!r}; known: {', '.join(tasks)}")
    chosen = [tasks[task_type] for task_type in (task_types or tuple(tasks))]
    address = engine_address(app)
    async with connect(app.gateway(address)) as channel:
        options = WorkerOptions(name=f"waggle-{os.getpid()}", drain_s=app.settings.worker.drain_s)
        runtime = WorkerRuntime(channel, chosen, app.services(), app.clock, options)
        await runtime.run(stop)


async def run_mail(app: App, stop: asyncio.Event) -> None:
    """Take mail in and show it."""
    mailbox = app.settings.mailbox
    folder = app.settings.home / "mailbox"
    await run_mailbox(folder, mailbox.smtp_port, mailbox.page_port, app.clock, stop, host=mailbox.host)


def engine_address(app: App) -> str:
    """Return host:port of the gateway.

    Raises:
        TemporaryFailure: ENGINE_DOWN, if the embedded engine is not running.
    """
    if not app.settings.embedded_engine:
        return app.settings.engine.address
    running = status(app.settings.engine_home)
    if running.grpc_address is None:
        raise TemporaryFailure(
            "ENGINE_DOWN", "the embedded engine is not running; start it with `waggle engine start` or `waggle up`"
        )
    return running.grpc_address


@asynccontextmanager
async def engine_client(app: App) -> AsyncIterator[ZeebeClient]:
    """Give a client of the engine."""
    address = engine_address(app)
    async with connect(app.gateway(address)) as channel:
        yield app.engine_client(channel, address)


def run_until_stopped(part: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run *part* until it ends, a signal asks it to, or its supervisor is gone."""

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        watch = asyncio.create_task(_stop_with_supervisor(stop))
        try:
            await part(stop)
        finally:
            watch.cancel()

    asyncio.run(main())


async def serve(asgi: ASGIApp, sock: socket.socket, stop: asyncio.Event) -> None:
    """Serve an ASGI application on *sock* until *stop* is set."""
    config = uvicorn.Config(
        cast("Callable[..., Awaitable[None]]", asgi),  # two libraries' names of one protocol
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


async def _stop_with_supervisor(stop: asyncio.Event) -> None:
    supervisor = os.environ.get(SUPERVISED)
    while supervisor is not None and os.getppid() == int(supervisor):  # noqa: ASYNC110 -- no event tells of it
        await asyncio.sleep(_LOOK_FOR_PARENT_S)
    if supervisor is not None:
        log.warning("supervisor is gone, ending")
        stop.set()


class _Server(uvicorn.Server):
    """Leaves signals to us."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
