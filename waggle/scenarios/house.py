"""Waggle in one process on an engine whose clock is moved: relay, workers, database and mail server, all of them real.

A *stage* has what takes long to set up: engine, channel and workers. *Houses* stand on it one after another, each with
a database, settings and a mailbox of its own.
"""

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Final

import grpc

from waggle.app import App
from waggle.domain.event import OWN_FACTS
from waggle.engine.cancelling import cancel_instances
from waggle.engine.channel import GatewayAddress, connect
from waggle.engine.client import ZeebeClient
from waggle.engine.fence import Fence
from waggle.engine.local import LocalClock, RunningEngine
from waggle.engine.records import Ledger, RecordStream
from waggle.engine.worker import WorkerOptions, WorkerRuntime
from waggle.errors import TemporaryFailure
from waggle.listening import listening
from waggle.mailbox.arrivals import Arrival, Mailbox, read_arrivals
from waggle.mailbox.server import Reception, smtp_server
from waggle.registry import find_tasks
from waggle.scenarios.audience import RememberedAudience
from waggle.scenarios.pushing import pushed_here_only
from waggle.services.keys import OWN_SOURCE
from waggle.settings import Settings
from waggle.simulation import Simulation

MAILBOX: Final = "mailbox"
"""Folder of the mails in a house's own."""

_LOOPBACK = "127.0.0.1"
_LONGEST_STEP = timedelta(days=400)
# A timer fires at its time or a little later, never before.
_BEYOND = timedelta(seconds=0.05)
_NOTHING = timedelta(0)
_CANCELLED_WITHIN_S = 60.0
_LOOK_EVERY_S = 0.02


@dataclass
class Stage:
    """Engine and workers; `services` are those of the house that stands there now."""

    engine: RunningEngine
    records: RecordStream
    channel: grpc.aio.Channel
    clock: LocalClock
    fence: Fence
    services: Mapping[type, object] = field(default_factory=dict)

    async def clear(self) -> None:
        """Cancel every open journey: the next house has another database and would not know it.

        Raises:
            TimeoutError: the engine does not tell of their ends.
        """
        await self.fence.passed()
        with self.records.ledger() as ledger:
            keys = set(ledger.open_instances)
            roots = [key for key, instance in ledger.open_instances.items() if instance.parent_key is None]
        if roots:
            await cancel_instances(self.channel, roots)
            await self.shown(lambda ledger: not ledger.open_instances.keys() & keys, _CANCELLED_WITHIN_S)

    async def shown(self, condition: Callable[[Ledger], bool], within_s: float) -> None:
        """Return once the engine's records show *condition*.

        Raises:
            TimeoutError: they did not in time.
        """
        async with asyncio.timeout(within_s):
            while True:
                await self.fence.passed()
                with self.records.ledger() as ledger:
                    if condition(ledger):
                        return
                await asyncio.sleep(_LOOK_EVERY_S)


class _OfTheHouse:
    """Stands for a service of whichever house stands on the stage when it is called."""

    def __init__(self, stage: Stage, kind: type) -> None:
        self._stage = stage
        self._kind = kind

    def __getattr__(self, name: str) -> object:
        service = self._stage.services.get(self._kind)
        if service is None:
            raise TemporaryFailure("NO_HOUSE", "this job belongs to a simulation that has ended")
        found: object = getattr(service, name)
        return found


@asynccontextmanager
async def open_stage(engine: RunningEngine, records: RecordStream) -> AsyncIterator[Stage]:
    """Let workers answer every task type on *engine*, whose records go to *records*, while the context lasts."""
    clock = LocalClock(engine.home)
    tasks = list(find_tasks().values())
    async with connect(GatewayAddress(engine.grpc_address)) as channel:
        stage = Stage(engine, records, channel, clock, Fence(channel, records, engine.options.records_together))
        services = {kind: _OfTheHouse(stage, kind) for task in tasks for kind in task.needs.values()}
        runtime = WorkerRuntime(channel, tasks, services, clock, WorkerOptions(poll_s=1.0, drain_s=5.0))
        stop = asyncio.Event()
        working = asyncio.create_task(runtime.run(stop))
        try:
            # Another process may have left some that nobody here knows.
            await stage.clear()
            await pushed_here_only(engine, {task.task_type for task in tasks if task.rate_per_s is None})
            yield stage
        finally:
            stop.set()
            await working


@dataclass
class House:
    """A shop's side (`tell`), time (`wait`), and what shoppers get (`mails`)."""

    app: App
    simulation: Simulation
    stage: Stage
    folder: Path
    client: ZeebeClient
    reception: Reception
    told: int = 0

    @property
    def records(self) -> RecordStream:
        """What the engine tells."""
        return self.stage.records

    def now(self) -> datetime:
        """Return the time on the journeys' clock."""
        return self.simulation.now()

    async def tell(self, event_type: str, **data: object) -> str:
        """Let the shop send an event of this moment and return its id."""
        self.told += 1
        event_id = f"e-{self.told}"
        problem = await self.tell_event(event_type, data, event_id, self.now())
        if problem is not None:
            raise AssertionError(problem)
        return event_id

    async def tell_event(self, event_type: str, data: Mapping[str, object], event_id: str, at: datetime) -> str | None:
        """Let the shop send an event; return why it was not accepted."""
        event = {"specversion": "1.0", "id": event_id, "type": event_type, "time": at.isoformat(), "data": dict(data)}
        source = OWN_SOURCE if event_type in OWN_FACTS else "shop"
        [receipt] = await self.app.intake.accept(source, [event])
        if receipt.status == "accepted":
            return None
        why = receipt.problem
        return receipt.status if why is None else f"{receipt.status}: {why.code} {why.where}: {why.detail}"

    async def shopper(self, customer_id: str, *, consent: bool = True, **more: object) -> None:
        """Let somebody sign up, and agree to marketing unless told otherwise."""
        await self.tell(
            "customer-identified", customer_id=customer_id, email=f"{customer_id}@example.com", first_name="Ada", **more
        )
        if consent:
            await self.tell("consent-given", customer_id=customer_id)

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        await self.simulation.idle()

    async def wait(self, **span: float) -> None:
        """Let that much of the journeys' time pass, stopping wherever a timer is due."""
        await self.pass_until(self.now() + timedelta(**span))

    async def pass_until(self, until: datetime, slack: timedelta = _NOTHING) -> None:
        """Let time pass, stopping wherever a timer is due; those due within *slack* after the end still fire."""
        await self.settle()
        while True:
            due, now = await self.simulation.next_due(), self.now()
            if due is not None and due <= until + slack:
                step = max(due - now, _NOTHING)
            elif now < until:
                step = min(until - now, _LONGEST_STEP)
            else:
                return
            await self.simulation.advance((step + _BEYOND).total_seconds())
            await self.settle()

    def arrivals(self) -> list[Arrival]:
        """Return what arrived at the mail server, in order."""
        return read_arrivals(self.folder / MAILBOX)

    def mail(self, arrival: Arrival) -> EmailMessage:
        """Return a mail that arrived."""
        return email.message_from_bytes(
            (self.folder / MAILBOX / arrival.file).read_bytes(), policy=email.policy.default
        )

    def mails(self) -> list[EmailMessage]:
        """Return what arrived at the mail server, in order."""
        return [self.mail(arrival) for arrival in self.arrivals()]


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Where the mails of a house go."""

    port: int
    reception: Reception


@asynccontextmanager
async def letterbox(folder: Path, clock: LocalClock) -> AsyncIterator[Letterbox]:
    """Take mails on a free port into `mailbox` in *folder* while the context lasts."""
    mailbox, reception = Mailbox(folder / MAILBOX, clock), Reception()
    await asyncio.to_thread(mailbox.recover)
    with listening(_LOOPBACK, 0, "the simulation's mail server") as sock:
        async with smtp_server(mailbox, sock, reception):
            yield Letterbox(sock.getsockname()[1], reception)


@asynccontextmanager
async def open_house(stage: Stage, settings: Settings, reception: Reception) -> AsyncIterator[House]:
    """Open a house on *stage*, which is its alone while the context lasts; its journeys end with it."""
    app = App(settings)
    app.clock = stage.clock
    app.audience_keeper = RememberedAudience()
    client = app.engine.client(stage.channel, stage.engine.grpc_address)
    simulation = Simulation(app.store, stage.records, stage.engine.home, stage.clock, stage.fence)
    stop = asyncio.Event()
    stage.services = app.services()
    relay = asyncio.create_task(app.relay(client).run(stop))
    try:
        yield House(app, simulation, stage, settings.home, client, reception)
    finally:
        await stage.clear()
        stop.set()
        await relay
        stage.services = {}
        app.close()
