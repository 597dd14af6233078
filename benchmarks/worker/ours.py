"""The client `ours`: Waggle's runtime with plain tasks, as a process of its own."""

import asyncio
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from benchmarks.worker.calls import CallLog
from benchmarks.worker.given import Given, given
from waggle.engine.channel import GatewayAddress, connect
from waggle.engine.worker import WorkerOptions, WorkerRuntime
from waggle.log import configure
from waggle.task import JobOrigin, Task, declared_task, task


@dataclass(frozen=True, slots=True)
class Work:
    journey_id: str


@dataclass(frozen=True, slots=True)
class Worked:
    """Nothing: a job that changes no variable is the cheapest there is."""


class WallClock:
    """The broker's time, for it runs on the same machine and its clock is not moved."""

    def now(self) -> datetime:
        """Return the present as aware UTC."""
        return datetime.now(UTC)


def handlers(asked: Given, log: CallLog) -> list[Task]:
    """Return a task for each task type: one that does nothing, or one that blocks a thread."""

    async def at_once(given: Work, origin: JobOrigin) -> Worked:
        log.note(given.journey_id, origin.element_id)
        return Worked()

    def blocking(given: Work, origin: JobOrigin) -> Worked:
        time.sleep(asked.block_s)
        log.note(given.journey_id, origin.element_id)
        return Worked()

    call: Callable[..., Any] = blocking if asked.block_s else at_once
    return [_declared(asked, task_type, call) for task_type in asked.task_types]


def _declared(asked: Given, task_type: str, call: Callable[..., Any]) -> Task:
    lease_half_s = asked.lease_s / 2
    task(task_type, concurrency=asked.at_once, timeout_s=lease_half_s)(call)
    declared = declared_task(call)
    if declared is None:
        raise AssertionError("it was declared on the line before")
    return declared


async def work(asked: Given, tasks: list[Task]) -> None:
    """Work on *tasks* until a signal asks for the end, then drain."""
    configure("json", "info")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    # The lease is what a handler may take and what a job may wait before it.
    options = WorkerOptions(name="ours", queue_wait_s=asked.lease_s / 2)
    async with connect(GatewayAddress(asked.address)) as channel:
        await WorkerRuntime(channel, tasks, {}, WallClock(), options).run(stop)


async def main(asked: Given) -> None:
    """Work until asked to end."""
    await work(asked, handlers(asked, CallLog(asked.calls)))


if __name__ == "__main__":
    asyncio.run(main(given("benchmarks.worker.ours")))
