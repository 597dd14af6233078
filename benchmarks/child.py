"""A program that is measured, as a process of its own."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil

_END_LIMIT_S = 20.0


class Child:
    """It runs until it ends by itself or the context is left; what it says goes to a log."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._seen = psutil.Process(process.pid)
        self._cpu_s = 0.0
        self._rss_bytes = 0

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._process.returncode is None

    @property
    def pid(self) -> int:
        """Return its process number."""
        return self._process.pid

    def cpu_s(self) -> float:
        """Return processor seconds used so far, as last seen if it is gone."""
        with suppress(psutil.Error):
            times = self._seen.cpu_times()
            self._cpu_s = float(times.user + times.system)
        return self._cpu_s

    def rss_bytes(self) -> int:
        """Return resident memory, as last seen if it is gone."""
        with suppress(psutil.Error):
            self._rss_bytes = int(self._seen.memory_info().rss)
        return self._rss_bytes

    async def end(self, limit_s: float = _END_LIMIT_S) -> None:
        """Ask it to end; kill it after *limit_s*."""
        if not self.is_alive:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(limit_s):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def child(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None, *, limit_s: float = _END_LIMIT_S
) -> AsyncIterator[Child]:
    """Run *command* while the context lasts, with *environment* on top of ours."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={**os.environ, **(environment or {})},
            cwd=Path(__file__).parents[1],
            # Ctrl-C reaches every process of a terminal's group; we end this one in our order.
            start_new_session=True,
        )
    running = Child(process)
    try:
        yield running
    finally:
        await running.end(limit_s)


def python(module: str, *arguments: str) -> list[str]:
    """Return the command that runs *module* with this interpreter."""
    return [sys.executable, "-m", module, *arguments]
