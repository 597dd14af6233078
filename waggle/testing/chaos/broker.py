"""The real broker, kept running, that can be killed."""

import asyncio
from typing import Self

import psutil

from waggle.engine.local import EngineOptions, RunningEngine, status
from waggle.engine.local.progress import Silent
from waggle.engine_keeper import EngineKeeper

_LOOK_EVERY_S = 0.2
_READY_WITHIN_S = 120.0
_ENDS_WITHIN_S = 10.0


class Broker:
    """Runs an engine while its context lasts; one that dies is started again on the same data and ports."""

    def __init__(self, options: EngineOptions) -> None:
        self.kills = 0
        self._options = options
        self._keeper = EngineKeeper(options)
        self._ending = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    @property
    def engine(self) -> RunningEngine:
        """The engine as it was started last."""
        return self._keeper.engine

    async def __aenter__(self) -> Self:
        await self._keeper.start(Silent())
        self._keeping = asyncio.create_task(self._keeper.keep(self._ending))
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._ending.set()
        try:
            if self._keeping is not None:
                await self._keeping
        finally:
            await self._keeper.stop(_ENDS_WITHIN_S)

    async def kill(self) -> int:
        """Kill the broker by SIGKILL, once it takes commands, and return the pid that it had.

        Raises:
            TimeoutError: it does not come to take any.
        """
        await self.ready()
        # By its time of birth as well: a number alone may be somebody else's by now.
        psutil.Process(self.engine.pid).kill()
        self.kills += 1
        return self.engine.pid

    async def ready(self, within_s: float = _READY_WITHIN_S) -> None:
        """Return once it takes commands.

        Raises:
            TimeoutError: it does not.
        """
        async with asyncio.timeout(within_s):
            while not await asyncio.to_thread(self._is_ready):  # noqa: ASYNC110 -- no event tells of it
                await asyncio.sleep(_LOOK_EVERY_S)

    def _is_ready(self) -> bool:
        found = status(self._options.home)
        return found.state == "running" and found.pids == self.engine.pids
