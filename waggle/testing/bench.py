"""A worker against the fake gateway, for tests of the runtime and of tasks."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from waggle.engine.channel import GatewayAddress, connect
from waggle.engine.worker import Counters, WorkerOptions, WorkerRuntime
from waggle.ports.clock import Clock
from waggle.task import Task, declared_task
from waggle.testing.gateway import FakeGateway

_PATIENCE_S = 60.0

QUICK = WorkerOptions(
    name="bench", stream=False, poll_s=0.2, drain_s=5.0, retry_first_s=0.001, retry_cap_s=0.01, spread=lambda: 0.5
)
"""Waits of milliseconds; polling only."""


@dataclass(slots=True)
class Work:
    """A worker that runs."""

    runtime: WorkerRuntime
    stop: asyncio.Event
    run: asyncio.Task[None]

    @property
    def counters(self) -> Counters:
        """Counters of the only task."""
        [counters] = self.runtime.counters.values()
        return counters

    async def drain(self) -> None:
        """Ask for the stop and wait for it."""
        self.stop.set()
        async with asyncio.timeout(_PATIENCE_S):
            await self.run


@asynccontextmanager
async def working(
    gateway: FakeGateway,
    *tasks: object,
    services: Mapping[type, object] | None = None,
    clock: Clock | None = None,
    **options: object,
) -> AsyncIterator[Work]:
    """Run *tasks* (functions under `@task`) while the context is open, with `QUICK` options and *options* on top."""
    async with connect(GatewayAddress(gateway.address)) as channel:
        declared = [_declared(each) for each in tasks]
        quick = replace(QUICK, **options)  # type: ignore[arg-type]
        runtime = WorkerRuntime(channel, declared, services or {}, clock or gateway.clock, quick)
        stop = asyncio.Event()
        work = Work(runtime, stop, asyncio.create_task(runtime.run(stop)))
        try:
            yield work
        finally:
            await work.drain()


@dataclass(slots=True)
class Diary:
    """A service that remembers who came and, while its gate is shut, lets nobody go on."""

    entries: list[object] = field(default_factory=list)
    present: int = 0
    most_present: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def visit(self, entry: object) -> None:
        """Note *entry* and pass the gate."""
        self.entries.append(entry)
        self.present += 1
        self.most_present = max(self.most_present, self.present)
        await self._tell()
        try:
            await self.gate.wait()
        finally:
            self.present -= 1

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return once *condition* holds; it is looked at whenever somebody comes.

        Raises:
            TimeoutError: it never did.
        """
        async with asyncio.timeout(_PATIENCE_S), self._changed:
            await self._changed.wait_for(condition)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def _declared(thing: object) -> Task:
    found = thing if isinstance(thing, Task) else declared_task(thing)
    assert found is not None, f"{thing} is no task"
    return found
