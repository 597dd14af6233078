"""Keep the parts of Waggle running as child processes: start, watch, start again, end in order."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from waggle.log import get_logger
from waggle.processes import SUPERVISED

log = get_logger(__name__)

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_STEADY_S = 30.0
"""A part that ran this long had a good start: the pause before its next start is short again."""


@dataclass(frozen=True, slots=True)
class Part:
    """One child process: `python -m waggle <arguments>`."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


class Supervisor:
    """Runs parts until stopped; a part that ends is started again after a pause that grows while it keeps ending."""

    def __init__(self, parts: Sequence[Part], logs: Path) -> None:
        self._parts = parts
        self._logs = logs
        self._children: dict[str, asyncio.subprocess.Process] = {}

    @property
    def pids(self) -> Mapping[str, int]:
        """The processes that run now, by the name of their part."""
        return {name: child.pid for name, child in self._children.items() if child.returncode is None}

    async def run(self, stop: asyncio.Event, *, end_within_s: float) -> None:
        """Keep all parts running until *stop* is set, then end them, by force after *end_within_s*."""
        keepers = [asyncio.create_task(self._keep(part, stop)) for part in self._parts]
        try:
            await stop.wait()
        finally:
            stop.set()
            await self._end(end_within_s)
            await asyncio.gather(*keepers)

    async def _keep(self, part: Part, stop: asyncio.Event) -> None:
        pause_s = _FIRST_PAUSE_S
        loop = asyncio.get_running_loop()
        while not stop.is_set():
            began = loop.time()
            code = await self._run_once(part, stop)
            if stop.is_set():
                return
            pause_s = _FIRST_PAUSE_S if loop.time() - began > _STEADY_S else min(2 * pause_s, _LONGEST_PAUSE_S)
            log.warning(
                "part ended, starting again",
                part=part.name,
                exit_code=code,
                pause_s=pause_s,
                log=str(self._logs / f"{part.name}.log"),
            )
            try:
                async with asyncio.timeout(pause_s):
                    await stop.wait()
            except TimeoutError:
                pass

    async def _run_once(self, part: Part, stop: asyncio.Event) -> int:
        self._logs.mkdir(parents=True, exist_ok=True)
        with (self._logs / f"{part.name}.log").open("ab") as out:
            child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "waggle",
                *part.arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, **part.environment, SUPERVISED: str(os.getpid())},
                # Ctrl-C at a terminal reaches every process of its group; the order of ending is ours to choose.
                start_new_session=True,
            )
        self._children[part.name] = child
        if stop.is_set():
            child.terminate()
        return await child.wait()

    async def _end(self, within_s: float) -> None:
        running = [child for child in self._children.values() if child.returncode is None]
        for child in running:
            child.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(within_s):
                await asyncio.gather(*(child.wait() for child in running))
        except TimeoutError:
            for child in running:
                if child.returncode is None:
                    child.kill()
            await asyncio.gather(*(child.wait() for child in running))
