"""What all rounds stand on, and the burst of journeys that each of them is."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.child import Child
from benchmarks.driver import Broom, Driver, Start
from benchmarks.effort import Effort
from benchmarks.engine import Broker, EngineCounts

_LOOK_EVERY_S = 0.25
_LOOK_OFTEN_S = 0.05
_NEARLY = 0.9
_WARM_LIMIT_S = 120.0
_SWEEP_LIMIT_S = 60.0
_QUOTED = 300


class NotWarm(Exception):
    """A client did not even do the few journeys before the measurement; quotes the end of its log."""


@dataclass(frozen=True, slots=True)
class Ground:
    """One broker, one driver, one folder for logs and notes."""

    broker: Broker
    driver: Driver
    folder: Path

    async def warm(self, worker: Child, starts: Sequence[Start], log: Path) -> None:
        """Have *worker* do a few journeys, so that nothing is measured while it starts.

        Raises:
            NotWarm: it does not.
        """
        wanted = settled(await self.broker.counts()) + len(starts)
        await self.driver.start(starts)
        counts, _ = await self._until(wanted, _WARM_LIMIT_S, worker)
        if settled(counts) < wanted:
            raise NotWarm(_end_of(log))

    async def burst(
        self, worker: Child, starts: Sequence[Start], window_s: float, others: Mapping[str, int] | None = None
    ) -> dict[str, Any]:
        """Start journeys as fast as the engine takes them; return what was done by the end of all or of the time.

        *others* are processes, by name, whose processor time is wanted too.
        """
        pids = {"worker": worker.pid, "broker": self.broker.running.pid, **(others or {})}
        before, held_back, effort = await self.broker.counts(), self.driver.held_back, Effort(pids)
        began_s = time.monotonic()
        starting = asyncio.create_task(self.driver.start(starts))
        try:
            after, ended_s = await self._until(settled(before) + len(starts), window_s, worker)
        finally:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
        completed, elapsed_s, spent = after.completed - before.completed, ended_s - began_s, effort.spent()
        return {
            "journeys": len(starts),
            "completed": completed,
            "elapsed_s": round(elapsed_s, 2),
            "journeys_per_s": round(completed / elapsed_s, 2),
            **spent,
            "worker_cpu_ms_per_journey": round(spent["worker_cpu_s"] * 1000 / completed, 2) if completed else None,
            "rss_mb": round(worker.rss_bytes() / 1e6, 1),
            "incidents": after.incidents - before.incidents,
            "jobs_timed_out": after.jobs_timed_out - before.jobs_timed_out,
            "starts_held_back": self.driver.held_back - held_back,
            "worker_ended": not worker.is_alive,
        }

    async def clear(self, task_types: Sequence[str]) -> None:
        """Have every journey end that a round left behind, unless an incident holds it, or a minute does not suffice.

        A journey that stays costs the next round next to nothing: counts are compared with those at its beginning.
        """
        broom = asyncio.create_task(Broom(self.driver.channel, sorted(set(task_types))).sweep())
        try:
            with suppress(TimeoutError):
                await self._cleared()
        finally:
            broom.cancel()
            await asyncio.gather(broom, return_exceptions=True)

    async def _cleared(self) -> None:
        async with asyncio.timeout(_SWEEP_LIMIT_S):
            while (counts := await self.broker.counts()).started > settled(counts):  # noqa: ASYNC110 -- no event tells
                await asyncio.sleep(_LOOK_EVERY_S)

    async def _until(self, wanted: int, within_s: float, worker: Child) -> tuple[EngineCounts, float]:
        """Return what the broker counted, and when: so many have settled, the time is over or *worker* has ended."""
        give_up_s = time.monotonic() + within_s
        first = settled(await self.broker.counts())
        while True:
            counts, now_s = await self.broker.counts(), time.monotonic()
            if settled(counts) >= wanted or now_s >= give_up_s or not worker.is_alive:
                return counts, now_s
            nearly = settled(counts) - first >= _NEARLY * (wanted - first)
            await asyncio.sleep(min(_LOOK_OFTEN_S if nearly else _LOOK_EVERY_S, give_up_s - now_s))


def _end_of(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").splitlines()
    return lines[-1][:_QUOTED] if lines else "nothing"


def settled(counts: EngineCounts) -> int:
    """Return how many journeys nobody has to do anything for: they ended, or wait for a person."""
    return counts.ended + counts.incidents
