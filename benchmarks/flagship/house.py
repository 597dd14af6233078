"""A whole Waggle for one measurement: real durable broker, real database, every part a process of its own."""

import asyncio
import os
import re
import shutil
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks import databases
from benchmarks.child import Child, child, python
from benchmarks.databases import Database
from benchmarks.engine import Broker, broker
from benchmarks.flagship.mails import Mails
from benchmarks.flagship.shoppers import Event, Shopper
from benchmarks.flagship.usage import Usage, own_usage, usage
from waggle.app import App
from waggle.reaching import engine_client
from waggle.registry import find_tasks
from waggle.resources import shipped
from waggle.services.deployment import deploy_all
from waggle.services.overview import look
from waggle.settings import load_settings
from waggle.supervisor import Part, Supervisor
from waggle.testing.ports import own_ports

_PARTS_END_WITHIN_S = 10.0
_OPENS_WITHIN_S = 60.0
_LOOK_EVERY_S = 0.5
_REST_S = 2.0
"""Nothing new for this long counts as rest: what the engine is told is seen in its counters within moments."""
_BATCH = 100
"""Shoppers of one request; the API takes 500 events."""
_BATCHES_AT_ONCE = 4


class UnrestError(Exception):
    """Something is still under way though it had time enough; the text says what."""


@dataclass(slots=True, kw_only=True)
class House:
    """Runs; `workers` processes share all task types."""

    app: App
    database: Database
    broker: Broker
    mails: Mails
    client: httpx.AsyncClient
    key: str
    workers: int
    _supervisor: Supervisor
    _sink: Child

    def usage(self) -> dict[str, Usage]:
        """Return what each part has used; what drives the measurement is `driver`."""
        pids = {**self._supervisor.pids, "broker": self.broker.running.pid, "sink": self._sink.pid}
        if self.database.pid is not None:
            pids["postgresql"] = self.database.pid
        return {**usage(pids), "driver": own_usage()}

    async def post(self, events: Event | list[Event]) -> None:
        """Hand *events* in; again, as any shop would, until they are accepted."""
        async with asyncio.timeout(_OPENS_WITHIN_S):
            while not await self._accepted(events):  # noqa: ASYNC110 -- the answer tells
                await asyncio.sleep(0.1)

    async def post_all(self, batches: Sequence[list[Event]]) -> None:
        """Hand many batches in, a few at a time."""
        gate = asyncio.Semaphore(_BATCHES_AT_ONCE)

        async def one(batch: list[Event]) -> None:
            async with gate:
                await self.post(batch)

        async with asyncio.TaskGroup() as posting:
            for batch in batches:
                posting.create_task(one(batch))

    async def sign_up(self, people: Sequence[Shopper]) -> None:
        """Let *people* sign up, and wait until everybody is known."""
        await self.post_all([[event for each in some for event in each.signs_up()] for some in batched(people)])
        await self.rest(len(people))

    async def rest(self, expected: int, *, running: int | None = None) -> None:
        """Return once nothing is under way and, if *running* is given, so many journeys wait for a timer.

        Raises:
            UnrestError: not within a time that suits *expected* shoppers.
        """
        give_up_s = time.monotonic() + 120 + expected * 0.2
        before, since_s = None, time.monotonic()
        while True:
            overview = await look(self.app.store)
            counted = await self.broker.counts()
            picture = (overview, counted)
            busy = (
                overview.under_way
                or counted.jobs_created > counted.jobs_ended
                or (running is not None and overview.running < running)
            )
            if busy or picture != before:
                before, since_s = picture, time.monotonic()
            elif time.monotonic() - since_s >= _REST_S:
                return
            if time.monotonic() > give_up_s:
                raise UnrestError(f"{overview}, {counted}")
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _accepted(self, events: Event | list[Event]) -> bool:
        try:
            answer = await self.client.post("/v1/events", json=events, headers={"Authorization": f"Bearer {self.key}"})
        except httpx.TransportError:
            return False
        if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            return False
        answer.raise_for_status()
        if isinstance(events, list) and any(each["status"] == "refused" for each in answer.json()["results"]):
            raise AssertionError(answer.text)
        return True


@asynccontextmanager
async def opened(
    folder: Path,
    kind: databases.Kind,
    *,
    workers: int,
    controlled_clock: bool = False,
    cart_idle: str | None = None,
    prepare: Callable[[Path], None] = lambda _config_dir: None,
) -> AsyncIterator[House]:
    """Run a house in the empty *folder* while the context lasts; *cart_idle* (ISO 8601) replaces what is shipped.

    *prepare* may change the copy of the settings' folder that all parts read.
    Settings in the environment (WAGGLE_SECTION__KEY) hold for all parts.
    """
    with (
        databases.opened(kind, folder) as database,
        broker(folder / "engine", controlled_clock=controlled_clock) as engine,
    ):
        config = _config(folder / "config", cart_idle)
        prepare(config)
        environment = _environment(folder, database, config)
        app = App(load_settings({**os.environ, **environment}))
        try:
            await asyncio.to_thread(app.services)
            async with (
                _sink(folder, environment["WAGGLE_SMTP__PORT"]) as (mails, sink),
                _parts(app, environment, workers) as supervisor,
                httpx.AsyncClient(base_url=app.settings.api.public_url, trust_env=False, timeout=30.0) as client,
            ):
                yield House(
                    app=app, database=database, broker=engine, mails=mails, client=client,
                    key=await app.accounts.write_keys.create("shop"), workers=workers,
                    _supervisor=supervisor, _sink=sink,
                )  # fmt: skip
        finally:
            app.close()


@asynccontextmanager
async def _sink(folder: Path, port: str) -> AsyncIterator[tuple[Mails, Child]]:
    file = folder / "mails.txt"
    command = python("benchmarks.sink", "--port", port, "--arrivals", str(file))
    async with child(command, folder / "logs" / "sink.log") as sink:
        yield Mails(file), sink


def batched(people: Sequence[Shopper]) -> list[Sequence[Shopper]]:
    """Return *people* in groups that fit into one request."""
    return [people[begin : begin + _BATCH] for begin in range(0, len(people), _BATCH)]


@asynccontextmanager
async def _parts(app: App, environment: Mapping[str, str], workers: int) -> AsyncIterator[Supervisor]:
    async with engine_client(app) as engine:
        await deploy_all(engine, app.settings.bpmn_dir, app.settings.config_dir, find_tasks())
    names = {"api": "api", "relay": "relay", **{f"worker-{number}": "worker" for number in range(1, workers + 1)}}
    parts = [Part(name, [part], environment) for name, part in names.items()]
    supervisor = Supervisor(parts, app.settings.home / "logs")
    ending = asyncio.Event()
    running = asyncio.create_task(supervisor.run(ending, end_within_s=_PARTS_END_WITHIN_S))
    try:
        yield supervisor
    finally:
        ending.set()
        await running


def _environment(folder: Path, database: Database, config: Path) -> dict[str, str]:
    return {
        **own_ports(),
        "WAGGLE_HOME": str(folder),
        "WAGGLE_CONFIG_DIR": str(config),
        "WAGGLE_DATABASE__URL": database.url,
        "WAGGLE_MAILBOX__ENABLED": "false",
        # It is measured at any hour.
        "WAGGLE_POLICY__QUIET_FROM": "00:00:00",
        "WAGGLE_POLICY__QUIET_UNTIL": "00:00:00",
    }


def _config(folder: Path, cart_idle: str | None) -> Path:
    shutil.copytree(shipped("config"), folder)
    if cart_idle is not None:
        file = folder / "journeys" / "abandoned-cart.toml"
        text, count = re.subn(r'(?m)^cart_idle = ".*"$', f'cart_idle = "{cart_idle}"', file.read_text("utf-8"))
        if count != 1:
            raise AssertionError(f"{file} has no cart_idle")
        file.write_text(text, "utf-8")
    return folder
