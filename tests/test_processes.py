"""Parts as processes: what is away is waited for, and health tells the truth meanwhile."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from waggle.app import App
from waggle.processes import run_api, run_relay, run_worker
from waggle.settings import load_settings
from waggle.storage.store import open_store
from waggle.testing.gateway import FakeGateway
from waggle.testing.ports import kept_ports

pytestmark = pytest.mark.anyio

Answer = tuple[int, dict[str, Any]]


@pytest.fixture
def port() -> Iterator[int]:
    with kept_ports(1) as [port]:
        yield port


@pytest.fixture
async def gateway() -> AsyncIterator[FakeGateway]:
    """Its address is known and nobody is there."""
    with kept_ports(1) as [port]:
        gateway = FakeGateway(address=f"127.0.0.1:{port}")
        yield gateway
        await gateway.stop()


@pytest.fixture
def app(gateway: FakeGateway, sqlite_url: str, tmp_path: Path, port: int) -> Iterator[App]:
    app = App(
        load_settings(
            {
                "WAGGLE_HOME": str(tmp_path),
                "WAGGLE_DATABASE__URL": sqlite_url,
                "WAGGLE_DATABASE__BUSY_TIMEOUT_S": "0.1",
                "WAGGLE_ENGINE__ADDRESS": gateway.address,
                "WAGGLE_WORKER__HEALTH_PORT": str(port),
                "WAGGLE_RELAY__HEALTH_PORT": str(port),
                "WAGGLE_API__PORT": str(port),
            }
        )
    )
    app.clock = gateway.clock
    yield app
    app.close()


@pytest.fixture
def logs() -> Iterator[list[EventDict]]:
    with capture_logs() as logs:
        yield logs


@asynccontextmanager
async def running(part: Any) -> AsyncIterator[asyncio.Event]:  # noqa: ANN401 -- a function of app and stop
    stop = asyncio.Event()
    task = asyncio.create_task(part(stop))
    try:
        yield stop
    finally:
        stop.set()
        async with asyncio.timeout(60):
            await task


async def ask(port: int, path: str) -> Answer:
    async with httpx.AsyncClient(trust_env=False) as client:
        try:
            answer = await client.get(f"http://127.0.0.1:{port}{path}")
        except httpx.ConnectError:
            return 0, {}
    return answer.status_code, answer.json()


async def until_ready(port: int, status: int = 200) -> None:
    async with asyncio.timeout(60):
        while (await ask(port, "/readyz"))[0] != status:  # noqa: ASYNC110 -- as those who ask do
            await asyncio.sleep(0.05)


def said(logs: list[EventDict], event: str) -> list[EventDict]:
    return [entry for entry in logs if entry["event"] == event and entry["log_level"] != "debug"]


async def until_said(logs: list[EventDict], event: str) -> None:
    async with asyncio.timeout(60):
        while not said(logs, event):  # noqa: ASYNC110 -- a log tells nobody
            await asyncio.sleep(0.02)


async def test_a_worker_waits_for_its_engine_and_goes_on_when_it_comes_back(
    app: App, gateway: FakeGateway, port: int, logs: list[EventDict]
) -> None:
    async with running(lambda stop: run_worker(app, ["score-customer"], stop)):
        await until_said(logs, "waiting for what is away")
        status, told = await ask(port, "/readyz")
        assert status == 503
        assert "STARTING" in told["detail"]
        assert await ask(port, "/livez") == (200, {"status": "alive"})

        await gateway.start()
        await until_ready(port)
        await gateway.stop()
        await until_ready(port, 503)
        _, told = await ask(port, "/readyz")
        assert "ENGINE_UNREACHABLE" in told["detail"]
        assert (await ask(port, "/livez"))[0] == 200

        await gateway.start()
        await until_ready(port)
        job = await gateway.add_job("score-customer")
        await gateway.until(lambda: job.state == "incident")  # nobody knows the enrolment: it was worked on

    [waiting] = said(logs, "waiting for what is away")
    assert (waiting["what"], waiting["code"]) == ("engine", "ENGINE_UNREACHABLE")
    assert gateway.address in waiting["reason"]


async def test_a_worker_that_waits_for_its_engine_can_be_stopped(app: App, port: int) -> None:
    async with running(lambda stop: run_worker(app, [], stop)):
        await until_ready(port, 503)

    assert await ask(port, "/livez") == (0, {})


async def test_a_relay_applies_events_while_its_engine_is_away_and_publishes_afterwards(
    app: App, gateway: FakeGateway, port: int, logs: list[EventDict]
) -> None:
    items = [{"sku": "honey", "quantity": 1, "unit_price_minor": 500}]
    for number in range(5):
        data = {"cart_id": f"cart-{number}", "currency": "EUR", "items": items}
        event = {"specversion": "1.0", "id": f"e-{number}", "type": "cart-updated", "data": data}
        await app.intake.accept("shop", [event])

    async with running(lambda stop: run_relay(app, stop)):
        await until_ready(port)
        await until_said(logs, "engine messages wait")
        assert await app.store.read(lambda tx: tx.events.count_pending()) == 0
        await gateway.start()
        async with asyncio.timeout(60):
            while len(gateway.messages) < 5:
                # What waits is due again later, on the journeys' clock.
                gateway.clock.advance(timedelta(seconds=1))
                await asyncio.sleep(0.02)

    assert len(said(logs, "engine messages wait")) == 1
    assert len(said(logs, "engine takes messages again")) == 1


async def test_a_part_waits_for_a_locked_database(
    app: App, sqlite_url: str, port: int, tmp_path: Path, logs: list[EventDict]
) -> None:
    file = tmp_path / "new.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        app.settings = load_settings(
            {
                "WAGGLE_HOME": str(tmp_path),
                "WAGGLE_DATABASE__URL": f"sqlite:///{file}",
                "WAGGLE_DATABASE__BUSY_TIMEOUT_S": "0.1",
                "WAGGLE_API__PORT": str(port),
            }
        )
        async with running(lambda stop: run_api(app, stop)):
            await until_said(logs, "waiting for what is away")
            other.execute("ROLLBACK")
            await until_ready(port)

    [waiting] = said(logs, "waiting for what is away")
    assert (waiting["what"], waiting["code"]) == ("database", "DATABASE_LOCKED")
    open_store(f"sqlite:///{file}").close()
