"""Keep the embedded engine running: a broker that dies is started again on the same data and ports."""

import asyncio
from dataclasses import replace

import psutil

from waggle.engine.local import EngineOptions, RunningEngine, start, stop
from waggle.engine.local.ports import Ports
from waggle.engine.local.progress import Progress, Silent
from waggle.errors import WaggleError
from waggle.log import get_logger

log = get_logger(__name__)

_LOOK_EVERY_S = 0.5
_PAUSE_S = 2.0


class EngineKeeper:
    """One engine, from its start to its end."""

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self._engine: RunningEngine | None = None

    @property
    def engine(self) -> RunningEngine:
        """The engine as it was started last."""
        if self._engine is None:
            raise AssertionError("not started")
        return self._engine

    async def start(self, progress: Progress) -> None:
        """Start the engine; raises as `waggle.engine.local.start` does."""
        self._engine = await asyncio.to_thread(start, self._options, progress)
        # Clients know its address: what comes back must come back there.
        self._options = replace(self._options, port_offset=_offset(self._engine.ports))

    async def keep(self, ending: asyncio.Event) -> None:
        """Start it again whenever one of its processes is gone, until *ending* is set."""
        while not await _set_within(ending, _LOOK_EVERY_S):
            if self._is_whole():
                continue
            log.warning("engine is gone, starting it again")
            try:
                await self.start(Silent())
            except WaggleError as error:
                log.warning("engine does not start", code=error.code, detail=error.message)
                await _set_within(ending, _PAUSE_S)

    async def stop(self, limit_s: float) -> None:
        """End it gracefully within *limit_s*; its data stays."""
        await asyncio.to_thread(stop, self._options.home, limit_s)

    def _is_whole(self) -> bool:
        return all(not _is_dead(pid) for pid in self.engine.pids.values())


def _is_dead(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _offset(ports: Ports) -> int:
    return ports.search - Ports.at(0).search


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
