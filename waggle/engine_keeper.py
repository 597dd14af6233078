"""Keep the embedded engine running: a broker that dies is started again on the same data and ports."""

import asyncio
import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

import psutil

from waggle.engine.local import EngineOptions, RunningEngine, start, status, stop
from waggle.engine.local.ports import Ports
from waggle.engine.local.progress import Progress, Silent
from waggle.errors import TemporaryFailure, WaggleError
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
        """Start the engine; raises as `waggle.engine.local.start` does. Cancelling it ends what was begun."""
        revocable = _Revocable(progress)
        starting = asyncio.ensure_future(asyncio.to_thread(start, self._options, revocable))
        try:
            self._engine = await asyncio.shield(starting)
        except asyncio.CancelledError:
            await self._give_up(starting, revocable)
            raise
        # Clients know its address: what comes back must come back there.
        self._options = replace(self._options, port_offset=_offset(self._engine.ports))

    async def keep(self, ending: asyncio.Event) -> None:
        """Start it again whenever one of its processes is gone, until *ending* is set."""
        while not await _set_within(ending, _LOOK_EVERY_S):
            if self._is_whole():
                continue
            log.warning("engine is gone, starting it again")
            gone = list(self.engine.pids.values())
            starting = asyncio.create_task(self.start(Silent()))
            waiting = asyncio.create_task(ending.wait())
            await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            starting.cancel()
            try:
                await starting
            except asyncio.CancelledError:
                return
            except WaggleError as error:
                log.warning("engine does not start", code=error.code, reason=error.message)
                await _set_within(ending, _PAUSE_S)
            else:
                log.info("engine is back", address=self.engine.grpc_address)
                # Not before: a number that is free may be given to somebody else, who would be taken for the engine.
                _reap(gone)

    async def stop(self, limit_s: float) -> None:
        """End it gracefully within *limit_s*; its data stays."""
        await asyncio.to_thread(stop, self._options.home, limit_s)

    async def _give_up(self, starting: "asyncio.Future[RunningEngine]", revocable: "_Revocable") -> None:
        """Have the thread that starts the engine come to an end: by its next word, or by the end of what it awaits."""
        revocable.revoke()
        while not starting.done():
            await asyncio.to_thread(_end_what_starts, self._options)
            await asyncio.wait([starting], timeout=_LOOK_EVERY_S)
        # Whatever it says now, nobody waits for it.
        starting.cancelled() or starting.exception()

    def _is_whole(self) -> bool:
        return all(not _is_dead(pid) for pid in self.engine.pids.values())


class _Revocable:
    """Passes progress on until it is revoked, and then stops whoever tells of any: a thread cannot be cancelled."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._is_revoked = False

    def revoke(self) -> None:
        self._is_revoked = True

    def began(self, what: str, total_bytes: int | None = None) -> None:
        self._stop_if_revoked()
        self._progress.began(what, total_bytes)

    def advanced(self, size_bytes: int) -> None:
        self._stop_if_revoked()
        self._progress.advanced(size_bytes)

    def _stop_if_revoked(self) -> None:
        if self._is_revoked:
            raise TemporaryFailure("START_REVOKED")


def _end_what_starts(options: EngineOptions) -> None:
    for pid in status(options.home).pids.values():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


def _is_dead(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _reap(pids: Iterable[int]) -> None:
    """Let the dead among *pids* go that are our children; others have a parent who does."""
    for pid in pids:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _offset(ports: Ports) -> int:
    return ports.search - Ports.at(0).search


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
