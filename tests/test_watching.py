"""What somebody sees who watches the processes from outside: `/metrics` and spans."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.collector import Collector
from waggle.app import App
from waggle.engine.worker import WorkerOptions
from waggle.processes import _silent_limit_s, run_api, run_relay, run_worker
from waggle.settings import load_settings
from waggle.testing.gateway import FakeGateway
from waggle.testing.ports import kept_ports

pytestmark = pytest.mark.anyio

EVENT = {
    "specversion": "1.0",
    "id": "e-1",
    "type": "cart-updated",
    "data": {"cart_id": "c-1", "currency": "EUR", "items": [{"sku": "honey", "quantity": 1, "unit_price_minor": 500}]},
}


class House:
    """An installation whose processes run in this one."""

    def __init__(
        self, gateway: FakeGateway, database_url: str, home: Path, ports: Sequence[int], otlp_endpoint: str = ""
    ) -> None:
        self.watch, self.door = ports
        self.app = App(
            load_settings(
                {
                    "WAGGLE_HOME": str(home),
                    "WAGGLE_DATABASE__URL": database_url,
                    "WAGGLE_ENGINE__ADDRESS": gateway.address,
                    "WAGGLE_API__PORT": str(self.door),
                    "WAGGLE_TELEMETRY__OTLP_ENDPOINT": otlp_endpoint,
                    **{f"WAGGLE_{part}__HEALTH_PORT": str(self.watch) for part in ("API", "RELAY", "WORKER")},
                }
            )
        )
        self.app.clock = gateway.clock

    @asynccontextmanager
    async def running(self, part: Callable[[App, asyncio.Event], Any]) -> AsyncIterator[None]:
        stop = asyncio.Event()
        task = asyncio.create_task(part(self.app, stop))
        try:
            async with asyncio.timeout(60):
                while await self.get("/readyz") != 200:  # noqa: ASYNC110 -- as those who ask do
                    await asyncio.sleep(0.05)
            yield
        finally:
            stop.set()
            async with asyncio.timeout(60):
                await task

    async def get(self, path: str) -> int:
        async with httpx.AsyncClient(trust_env=False) as client:
            try:
                return (await client.get(f"http://127.0.0.1:{self.watch}{path}")).status_code
            except httpx.ConnectError:
                return 0

    async def shown(self) -> dict[str, float]:
        """'name label ...' -> value."""
        async with httpx.AsyncClient(trust_env=False) as client:
            text = (await client.get(f"http://127.0.0.1:{self.watch}/metrics")).text
        return {
            " ".join((sample.name, *sample.labels.values())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


async def one_worker(app: App, stop: asyncio.Event, task_type: str = "score-customer") -> None:
    await run_worker(app, [task_type], stop)


@pytest.fixture
async def gateway() -> AsyncIterator[FakeGateway]:
    async with FakeGateway.serving() as gateway:
        yield gateway


@pytest.fixture
def house(gateway: FakeGateway, sqlite_url: str, tmp_path: Path) -> Iterator[House]:
    with kept_ports(2) as ports:
        house = House(gateway, sqlite_url, tmp_path, ports)
        yield house
        house.app.close()


async def test_a_worker_shows_what_it_did_and_what_it_can_do(house: House, gateway: FakeGateway) -> None:
    async with house.running(one_worker):
        before = await house.shown()
        job = await gateway.add_job("score-customer")
        await gateway.until(lambda: job.state == "incident")  # nobody knows the enrolment: it was worked on
        async with asyncio.timeout(60):
            while (after := await house.shown())["waggle_job_failed_total score-customer"] < 1:  # noqa: ASYNC110 -- as a scraper does
                await asyncio.sleep(0.02)

    assert before["waggle_job_activated_total score-customer"] == 0
    assert before["waggle_jobs_capacity score-customer"] == house.app.tasks["score-customer"].concurrency
    assert before["waggle_provider_breaker smtp closed"] == 1
    assert after["waggle_job_activated_total score-customer"] == 1
    assert after["waggle_job_handler_seconds_count score-customer"] == 1
    assert after["waggle_gateway_silence_seconds"] < 20
    assert after["process_resident_memory_bytes"] > 0


async def test_the_relay_shows_what_waits(house: House, gateway: FakeGateway) -> None:
    await house.app.intake.accept("shop", [EVENT])
    async with house.running(run_relay):
        await gateway.until(lambda: len(gateway.messages) == 1)
        async with asyncio.timeout(60):
            # A scrape does not wait for a database that is slow to count.
            while not (shown := await house.shown())["waggle_database_answers"]:  # noqa: ASYNC110 -- as a scraper does
                await asyncio.sleep(0.1)

    assert shown["waggle_database_answers"] == 1
    assert shown["waggle_messages in_doubt"] == 0
    assert shown["waggle_enrolments entering"] == 1


async def test_the_api_shows_what_came(house: House) -> None:
    key = await house.app.accounts.write_keys.create("shop")
    async with house.running(run_api), httpx.AsyncClient(trust_env=False) as client:
        door = f"http://127.0.0.1:{house.door}"
        await client.post(f"{door}/v1/events", json=EVENT, headers={"Authorization": f"Bearer {key}"})
        shown = await house.shown()
        at_the_door = await client.get(f"{door}/metrics")

    assert shown["waggle_api_events_total accepted"] == 1
    assert shown["waggle_api_request_seconds_count /v1/events 202"] == 1
    assert at_the_door.status_code == 404


async def test_relay_and_worker_tell_one_trace_of_one_enrolment(
    gateway: FakeGateway, sqlite_url: str, tmp_path: Path
) -> None:
    with Collector.serving() as collector, kept_ports(2) as ports:
        house = House(gateway, sqlite_url, tmp_path, ports, collector.url)
        await house.app.intake.accept("shop", [EVENT])
        async with house.running(run_relay):
            await gateway.until(lambda: len(gateway.messages) == 1)
        [(_, enrolment_id, _)] = gateway.messages
        async with house.running(partial(one_worker, task_type="open-enrolment")):
            job = await gateway.add_job("open-enrolment", enrolment_id=enrolment_id)
            await gateway.until(lambda: job.state != "activated" and bool(job.activations))
        house.app.close()

    published, opened = collector.named("publish cart-updated"), collector.named("open-enrolment")
    assert collector.services == {"waggle-relay", "waggle-worker"}
    assert opened.trace_id == published.trace_id
    assert opened.parent_span_id == published.span_id


def test_neither_long_tasks_nor_a_low_rate_nor_a_refused_login_make_a_worker_look_deaf() -> None:
    options = WorkerOptions()
    score = App(load_settings({})).tasks["score-customer"]

    assert _silent_limit_s([replace(score, timeout_s=1)], options) > options.refused_wait_s
    assert _silent_limit_s([score, replace(score, timeout_s=900)], options) > 900
    assert _silent_limit_s([replace(score, rate_per_s=0.001)], options) > 1000


async def test_a_worker_lives_on_while_its_engine_refuses_connections(house: House, gateway: FakeGateway) -> None:
    async with house.running(one_worker):
        await gateway.stop()
        # Silence grows while calls go on coming back, each with nothing.
        async with asyncio.timeout(60):
            while (await house.shown())["waggle_gateway_silence_seconds"] < 1.5:  # noqa: ASYNC110 -- as above
                await asyncio.sleep(0.2)

        assert await house.get("/livez") == 200
        assert await house.get("/readyz") == 503
