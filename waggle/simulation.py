"""Let journeys' time pass faster than the wall's: move the engine's clock on whenever nothing is under way."""

import asyncio
import time
from datetime import datetime
from pathlib import Path

from waggle.engine.fence import Fence
from waggle.engine.local import advance_clock
from waggle.engine.records import RecordStream
from waggle.errors import TemporaryFailure
from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import UnitOfWork
from waggle.services.overview import Overview, look

_LOOK_EVERY_S = 0.02
# A record is seen some ten milliseconds after the fact: quiet counts only if nothing has changed for this long.
_QUIET_S = 0.08
_PATIENCE_S = 90.0


class Simulation:
    """The journeys of one store on one embedded engine whose clock is controlled."""

    def __init__(
        self,
        store: UnitOfWork,
        records: RecordStream,
        engine_home: Path,
        clock: Clock,
        fence: Fence | None = None,
    ) -> None:
        """*fence* shows when all that the engine did was seen; without one, a moment of silence counts as that."""
        self._fence = fence
        self._store = store
        self._records = records
        self._engine_home = engine_home
        self._clock = clock

    def now(self) -> datetime:
        """Return the time on the journeys' clock."""
        return self._clock.now()

    async def idle(self) -> None:
        """Return once inbox, relay, timers and jobs have nothing to do at the present time.

        Raises:
            TemporaryFailure: STILL_BUSY, naming what goes on, after a minute and a half on the wall's clock.
        """
        end_s = time.monotonic() + _PATIENCE_S
        before, since_s = None, time.monotonic()
        while True:
            # First the store: what the relay took from there before, the records below are sure to hold.
            overview = await look(self._store)
            is_fenced = await self._fenced(overview)
            busy, mark = self._in_engine(overview.running)
            picture = None if busy or overview.under_way else (overview, mark)
            if picture is None or picture != before:
                before, since_s = picture, time.monotonic()
            elif is_fenced or time.monotonic() - since_s >= _QUIET_S:
                return
            if time.monotonic() > end_s:
                raise TemporaryFailure("STILL_BUSY", f"{_told(overview)}; in the engine: {busy or 'nothing'}")
            if picture is None or not is_fenced:
                await asyncio.sleep(_LOOK_EVERY_S)

    async def advance(self, seconds: float) -> None:
        """Move the clock forward. Only while idle: else leases on jobs run out."""
        await asyncio.to_thread(advance_clock, self._engine_home, seconds)

    async def next_due(self) -> datetime | None:
        """Return when the next timer fires, or None if no journey waits for one."""
        with self._records.ledger() as ledger:
            return ledger.next_due_at()

    async def open_journeys(self) -> int:
        """Return how many enrolments have not ended."""
        return (await look(self._store)).live

    def incidents(self) -> int:
        """Return how many steps wait for a person."""
        with self._records.ledger() as ledger:
            return len(ledger.incidents)

    async def _fenced(self, overview: Overview) -> bool:
        """Let the records show all that the engine has done, where that can matter, and return whether they do."""
        if self._fence is None or overview.under_way:
            return False
        # Records that come one by one show soon enough that something goes on.
        if not self._fence.hurries and self._in_engine(overview.running)[0]:
            return False
        await self._fence.passed()
        return True

    def _in_engine(self, running: int) -> tuple[str, object]:
        """Say what goes on in the engine without any timer, and give a mark that changes whenever something happens.

        A journey that does not rest is between two elements, or its newest records are still on their way.
        """
        with self._records.ledger() as ledger:
            doing = ledger.jobs_under_way()
            due = ledger.next_due_at()
            if due is not None and due <= self._clock.now():
                doing.append(f"a timer that is due ({', '.join(ledger.due_by(self._clock.now()))})")
            begun = sum(instance.parent_key is None for instance in ledger.open_instances.values())
            if ledger.open_instances.keys() - ledger.resting() or begun < running:
                doing.append("journeys on their way")
            seen = (ledger.open_instances, ledger.jobs, ledger.timers, ledger.subscriptions)
            mark = (ledger.ended_instances, *(len(each) for each in seen))
        return ", ".join(doing), mark


def _told(overview: Overview) -> str:
    return f"{overview.events_pending} events to apply, {overview.engine_messages_due} engine messages to publish"
