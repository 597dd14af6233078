"""The parts of Waggle, each able to run as its own process until it is asked to stop."""

import asyncio
import gc
import math
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack
from typing import cast

from litestar.types import ASGIApp

from waggle.api.metrics import ApiMetrics
from waggle.api.webhooks import WebhookMetrics
from waggle.app import App
from waggle.engine.worker import WorkerOptions, WorkerRuntime
from waggle.engine.worker.metrics import WorkerCollector
from waggle.errors import BadSettings
from waggle.health import ApiHealth, ExchangeHealth, RelayHealth, StoreReadiness, WorkerHealth
from waggle.http_api import http_api
from waggle.listening import listening
from waggle.log import get_logger
from waggle.mailbox.run import run_mailbox
from waggle.metrics import BreakerCollector, Census, Metrics, SourceCensus, StreamCollector
from waggle.ports.sources import EventQueue, EventStream
from waggle.reaching import engine_address, engine_answers, engine_client, patiently
from waggle.services.occasions import load_lasts
from waggle.serving import health_told, serve
from waggle.settings import Settings
from waggle.storage.store import Store
from waggle.task import Task
from waggle.telemetry import traced

log = get_logger(__name__)

SUPERVISED = "WAGGLE_SUPERVISOR_PID"
"""Names the supervisor to a process that it started: without it, the process ends too."""

_LOOK_FOR_PARENT_S = 0.2
_SILENT_POLLS = 4
_TURN_S = 0.0002


async def run_api(app: App, stop: asyncio.Event, around: Callable[[ASGIApp], ASGIApp] = lambda api: api) -> None:
    """Serve HTTP, with what *around* makes of it; a request under way is answered before it ends.

    Raises:
        BadSettings: PORT_TAKEN.
    """
    settings = app.settings.api
    health = ApiHealth(lambda: StoreReadiness(app.store).check())
    metrics = Metrics("api")
    counted = ApiMetrics(metrics.registry)
    heard = WebhookMetrics(metrics.registry, app.clock)
    async with health_told(health, metrics, settings.health_host, settings.health_port, "api.health_port"):
        if await patiently("database", stop, lambda: _opened(app)) is None:
            return
        with listening(settings.host, settings.port, "api.port") as sock:
            log.info("api open", host=settings.host, port=settings.port)
            health.is_open = True
            # Two libraries' names of one protocol.
            api = cast("ASGIApp", http_api(app, counted.received, heard.heard, counted.shown))
            _keep_for_good()
            await serve(counted.measured(around(api)), sock, stop)
            await app.accounts.access.close()


def let_threads_take_turns() -> None:
    """Let the threads of this process take turns every 0.2 ms: for one that runs the API and nothing else.

    A thread that stores comes back from the database many times in a transaction, and by default waits each time up to
    5 ms for an event loop that judges what came meanwhile.
    """
    sys.setswitchinterval(_TURN_S)


def _keep_for_good() -> None:
    """Take what was loaded out of what the garbage collector walks through: it stays as long as the process.

    Else each full collection goes over hundreds of thousands of objects of libraries, and every request waits.
    """
    gc.collect()
    gc.freeze()


async def run_relay(app: App, stop: asyncio.Event) -> None:
    """Apply events and publish engine messages; a database or an engine that is away is waited for.

    Raises:
        BadSettings: PORT_TAKEN, or the catalogue or a journey's settings are wrong.
    """
    _ = app.catalogue, app.journeys, load_lasts(app.settings.config_dir)
    health = RelayHealth(lambda: StoreReadiness(app.store).check())
    census = Census(app.clock)
    metrics = Metrics("relay")
    metrics.add(census, census.refresh)
    sources = SourceCensus(app.freshness.known_until, app.clock)
    metrics.add(sources, sources.refresh)
    settings = app.settings.relay
    async with (
        _traced("waggle-relay", app),
        health_told(health, metrics, settings.health_host, settings.health_port, "relay.health_port"),
    ):
        census.store = await patiently("database", stop, lambda: _opened(app))
        if census.store is None:
            return
        sources.store = census.store
        # The engine need not answer yet: events are applied meanwhile.
        address = await patiently("engine", stop, lambda: asyncio.to_thread(engine_address, app))
        if address is None:
            return
        async with engine_client(app, address) as engine:
            health.relay = app.relay(engine)
            if await patiently("database", stop, lambda: _kept(app)) is None:
                return
            log.info("relay started", engine=address)
            async with asyncio.TaskGroup() as running:
                running.create_task(health.relay.run(stop))
                running.create_task(app.privacy.retention.run(stop))
                running.create_task(app.occasions.watch(stop))
                running.create_task(app.audiences.watch(stop))


async def run_exchange(app: App, stop: asyncio.Event) -> None:
    """Ask sources, read queues and tell streams; whoever is away is waited for.

    Raises:
        BadSettings: NOTHING_TO_EXCHANGE, PORT_TAKEN, or the section of a source or stream is wrong.
    """
    if not app.sections.has_exchange:
        raise BadSettings(
            "NOTHING_TO_EXCHANGE", "no [source.<name>] can be asked or read, and there is no [stream.<name>]"
        )
    health = ExchangeHealth(lambda: StoreReadiness(app.store).check())
    settings = app.settings.exchange
    metrics = Metrics("exchange")
    async with (
        _traced("waggle-exchange", app),
        health_told(health, metrics, settings.health_host, settings.health_port, "exchange.health_port"),
    ):
        if await patiently("database", stop, lambda: _opened(app)) is None:
            return
        told = StreamCollector(app.streams.outbox.lines, app.clock)
        metrics.add(told, told.refresh)
        pulling, queues, streaming = app.sources.pulling(), app.sources.queues(), app.streams.streaming()
        log.info(
            "exchange started",
            asked=[plan.source for plan in app.sources.plans],
            read=[section.name for section in app.sections.sources(EventQueue)],
            told=[section.name for section in app.sections.streams(EventStream)],
        )
        health.pulling = pulling
        async with asyncio.TaskGroup() as running:
            running.create_task(pulling.run(stop))
            running.create_task(streaming.run(stop))
            for reader in queues:
                running.create_task(reader.run(stop))


async def run_worker(app: App, task_types: Sequence[str], stop: asyncio.Event) -> None:
    """Work on jobs of *task_types*, or of all if none is named; a database or an engine that is away is waited for.

    Raises:
        BadSettings: TASK_TYPE_UNKNOWN, PORT_TAKEN, or a service cannot be made from the settings.
    """
    tasks = app.tasks
    for task_type in task_types:
        if task_type not in tasks:
            raise BadSettings("TASK_TYPE_UNKNOWN", f"no worker answers {task_type!r}; known: {', '.join(tasks)}")
    chosen = [tasks[task_type] for task_type in (task_types or tuple(tasks))]
    settings = app.settings.worker
    options = WorkerOptions(
        name=f"waggle-{os.getpid()}",
        queue_wait_s=settings.queue_wait_s,
        drain_s=settings.drain_s,
        tenant_id=app.settings.engine.tenant_id,
        attempts_dir=app.settings.home / "worker",
    )
    health = WorkerHealth(lambda: engine_answers(app), _silent_limit_s(chosen, options))
    metrics = Metrics("worker")
    metrics.add(WorkerCollector(lambda: health.runtime))
    async with (
        _traced("waggle-worker", app),
        health_told(health, metrics, settings.health_host, settings.health_port, "worker.health_port"),
    ):
        services = await patiently("database", stop, lambda: asyncio.to_thread(app.services))
        found = await patiently("engine", stop, lambda: engine_answers(app))
        if services is None or found is None:
            return
        metrics.add(BreakerCollector([app.sending.breaker]))
        address, _ = found
        async with app.engine.channel(address) as channel:
            health.runtime = WorkerRuntime(channel, chosen, services, app.clock, options)
            await health.runtime.run(stop)


async def run_mail(app: App, stop: asyncio.Event) -> None:
    """Take mail in and show it.

    Raises:
        BadSettings: PORT_TAKEN.
    """
    mailbox = app.settings.mailbox
    folder = app.settings.home / "mailbox"
    await run_mailbox(folder, mailbox.smtp_port, mailbox.page_port, app.clock, stop, host=mailbox.host)


def check_doors(settings: Settings) -> None:
    """Find now which port cannot be opened, rather than have a part say so in its log.

    Raises:
        BadSettings: PORT_TAKEN, naming who has it.
    """
    with ExitStack() as opened:
        for host, port, setting in doors(settings):
            opened.enter_context(listening(host, port, setting))


def doors(settings: Settings) -> list[tuple[str, int, str]]:
    """Return host, port and setting of everything that the parts listen on."""
    api, mailbox, relay, worker = settings.api, settings.mailbox, settings.relay, settings.worker
    exchange = settings.exchange
    found = [
        (api.host, api.port, "api.port"),
        (api.health_host, api.health_port, "api.health_port"),
        (relay.health_host, relay.health_port, "relay.health_port"),
        (exchange.health_host, exchange.health_port, "exchange.health_port"),
        (worker.health_host, worker.health_port, "worker.health_port"),
    ]
    if mailbox.enabled:
        found.append((mailbox.host, mailbox.smtp_port, "mailbox.smtp_port (and smtp.port with it)"))
        found.append((mailbox.host, mailbox.page_port, "mailbox.page_port"))
    return [door for door in found if door[1]]


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


async def _kept(app: App) -> bool:
    await app.privacy.keep_consent_texts()
    return True


async def _opened(app: App) -> Store:
    return await asyncio.to_thread(lambda: app.store)


def _silent_limit_s(tasks: Sequence[Task], options: WorkerOptions) -> float:
    """Return how long a healthy worker may hear nothing: busy with its longest task or turned away, then polling."""
    busy_s = max(task.timeout_s + 1 / (task.rate_per_s or math.inf) for task in tasks)
    return max(busy_s, options.refused_wait_s) + _SILENT_POLLS * options.poll_s


async def _stop_with_supervisor(stop: asyncio.Event) -> None:
    supervisor = os.environ.get(SUPERVISED)
    while supervisor is not None and os.getppid() == int(supervisor):  # noqa: ASYNC110 -- no event tells of it
        await asyncio.sleep(_LOOK_FOR_PARENT_S)
    if supervisor is not None:
        log.warning("supervisor is gone, ending")
        stop.set()


def _traced(service: str, app: App) -> AbstractAsyncContextManager[None]:
    telemetry = app.settings.telemetry
    return traced(service, telemetry.otlp_endpoint, allow_plaintext=telemetry.allow_plaintext)
