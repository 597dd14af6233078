"""Fixture `house`: journeys on the real broker, with real workers, database and mail server in one process."""

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import grpc
import pytest
from pyzeebe.proto.gateway_pb2 import CancelProcessInstanceRequest
from pyzeebe.proto.gateway_pb2_grpc import GatewayStub

from waggle.app import App
from waggle.engine.channel import GatewayAddress, connect
from waggle.engine.local import LocalClock, RunningEngine
from waggle.engine.records import RecordStream
from waggle.engine.worker import WorkerOptions, WorkerRuntime
from waggle.mailbox import open_mailbox, read_arrivals
from waggle.registry import find_tasks
from waggle.services.deployment import deploy_all
from waggle.settings import load_settings
from waggle.simulation import Simulation

_LONGEST_STEP = timedelta(hours=6)


@dataclass
class House:
    """A shop's side (`tell`), time (`wait`), and what shoppers and operators see (`mails`, `outcome`, `path`)."""

    app: App
    simulation: Simulation
    records: RecordStream
    folder: Path
    told: int = 0
    carts: dict[str, str] = field(default_factory=dict)

    def now(self) -> datetime:
        """Return the time on the journeys' clock."""
        return self.simulation.now()

    async def tell(self, event_type: str, **data: object) -> str:
        """Let the shop send an event of this moment and return its id."""
        self.told += 1
        event_id = f"e-{self.told}"
        event = {"specversion": "1.0", "id": event_id, "type": event_type, "time": self.now().isoformat(), "data": data}
        [receipt] = await self.app.intake.accept("shop", [event])
        assert receipt.status == "accepted", receipt
        return event_id

    async def shopper(self, customer_id: str, *, consent: bool = True, **more: object) -> None:
        """Let somebody sign up who lives where it is never night, unless said otherwise."""
        await self.tell(
            "customer-identified", customer_id=customer_id, email=f"{customer_id}@example.com", first_name="Ada", **more
        )
        if consent:
            await self.tell("consent-given", customer_id=customer_id)

    async def fill(self, cart_id: str, customer_id: str | None = None, *, price_minor: int = 5000) -> None:
        """Let a shopper put two things into a cart."""
        item = {"sku": "honey", "name": "Honey", "quantity": 2, "unit_price_minor": price_minor}
        data: dict[str, Any] = {"cart_id": cart_id, "currency": "EUR", "items": [item]}
        await self.tell("cart-updated", **data, **({"customer_id": customer_id} if customer_id else {}))

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        await self.simulation.idle()

    async def wait(self, **span: float) -> None:
        """Let that much of the journeys' time pass, stopping wherever a timer is due."""
        until = self.now() + timedelta(**span)
        await self.settle()
        while (left := until - self.now()) > timedelta(0):
            due = await self.simulation.next_due()
            step = min(left, _LONGEST_STEP, max(due - self.now(), timedelta(0)) if due else left)
            # A timer fires at its time or a little later, never before.
            await self.simulation.advance(step.total_seconds() + 0.05)
            await self.settle()

    def mails(self) -> list[EmailMessage]:
        """Return what arrived at the mail server, in order."""
        box = self.folder / "mailbox"
        raw = [(box / arrival.file).read_bytes() for arrival in read_arrivals(box)]
        return [email.message_from_bytes(each, policy=email.policy.default) for each in raw]

    async def enrolment(self, cart_id: str) -> Any:  # noqa: ANN401 -- an Enrolment, or None
        """Return the newest enrolment of a cart."""
        return await self.app.store.read(lambda tx: tx.enrolments.newest("abandoned-cart", cart_id))

    async def outcome(self, cart_id: str) -> tuple[str, str | None]:
        """Return how the cart's journey ended and why, or its state."""
        enrolment = await self.enrolment(cart_id)
        return enrolment.outcome or enrolment.state, enrolment.outcome_reason

    def visited(self) -> set[str]:
        """Return the ids of all elements that completed in any journey so far."""
        with self.records.ledger() as ledger:
            keys = list(ledger._done)  # noqa: SLF001 -- all instances
            return {element for key in keys for element in ledger.elements(key)}


@pytest.fixture
async def house(engine: RunningEngine, records: RecordStream, sqlite_url: str, tmp_path: Path) -> AsyncIterator[House]:
    """Open a house on a fresh SQLite database; its journeys end with the test."""
    async with opened(engine, records, sqlite_url, tmp_path) as house:
        yield house


@asynccontextmanager
async def opened(
    engine: RunningEngine, records: RecordStream, database_url: str, folder: Path, **settings: str
) -> AsyncIterator[House]:
    """Run relay, workers and mail server on *engine*; *settings* are as in the environment."""
    clock = LocalClock(engine.home)
    async with open_mailbox(folder / "mailbox", 0, 0, clock) as doors, connect_to(engine) as channel:
        environment = {
            "WAGGLE_HOME": str(folder),
            "WAGGLE_DATABASE__URL": database_url,
            "WAGGLE_ENGINE__ADDRESS": engine.grpc_address,
            "WAGGLE_SMTP__PORT": str(doors.smtp_port),
            "WAGGLE_POLICY__QUIET_FROM": "00:00:00",
            "WAGGLE_POLICY__QUIET_UNTIL": "00:00:00",
            **settings,
        }
        app = App(load_settings(environment))
        app.clock = clock
        client = app.engine_client(channel, engine.grpc_address)
        # A test before may have left some that nobody here knows.
        await _end_journeys(channel, records)
        await deploy_all(client, app.settings.bpmn_dir, app.settings.config_dir, find_tasks())
        stop = asyncio.Event()
        worker = WorkerRuntime(
            channel, list(find_tasks().values()), app.services(), clock, WorkerOptions(poll_s=1.0, drain_s=5.0)
        )
        running = [asyncio.create_task(app.relay(client).run(stop)), asyncio.create_task(worker.run(stop))]
        try:
            yield House(app, Simulation(app.store, records, engine.home, clock), records, folder)
        finally:
            await _end_journeys(channel, records)
            stop.set()
            await asyncio.gather(*running)
            app.close()


@asynccontextmanager
async def connect_to(engine: RunningEngine) -> AsyncIterator[grpc.aio.Channel]:
    """Give a channel to the session's engine."""
    async with connect(GatewayAddress(engine.grpc_address)) as channel:
        yield channel


async def _end_journeys(channel: grpc.aio.Channel, records: RecordStream) -> None:
    """Cancel what is open: the next test has another database and would not know these enrolments."""
    stub: Any = GatewayStub(channel)
    with records.ledger() as ledger:
        keys = list(ledger.open_instances)
    for key in keys:
        try:
            await stub.CancelProcessInstance(CancelProcessInstanceRequest(processInstanceKey=key))
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
    await records.wait_until(lambda ledger: not ledger.open_instances.keys() & set(keys))
