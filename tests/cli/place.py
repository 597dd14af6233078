"""A home of Waggle, and real processes in it."""

import asyncio
import codecs
import contextlib
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
WITHIN_S = 100
"""How long whatever takes seconds is waited for, on a machine with much else to do."""


@dataclass(frozen=True)
class Place:
    """Where everything of one test lies and listens."""

    home: Path
    api_port: int
    smtp_port: int
    page_port: int
    engine_port: int
    """Nobody listens there unless the test does."""

    @property
    def environment(self) -> dict[str, str]:
        """Settings under which nothing meets anything else on this machine; the engine is one that is away."""
        return {
            "WAGGLE_HOME": str(self.home),
            "WAGGLE_CONFIG_DIR": str(ROOT / "config"),
            "WAGGLE_BPMN_DIR": str(ROOT / "bpmn"),
            "WAGGLE_API__PORT": str(self.api_port),
            "WAGGLE_MAILBOX__SMTP_PORT": str(self.smtp_port),
            "WAGGLE_MAILBOX__PAGE_PORT": str(self.page_port),
            "WAGGLE_SMTP__PORT": str(self.smtp_port),
            "WAGGLE_ENGINE__OPERATE": "false",
            "WAGGLE_ENGINE__ADDRESS": f"127.0.0.1:{self.engine_port}",
            "WAGGLE_DATABASE__BUSY_TIMEOUT_S": "0.5",
        }

    def processes(self) -> dict[int, str]:
        """Return every process that works in this home, however it came to be: number -> command."""
        found = {}
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                words = process.cmdline()
                ours = process.environ().get("WAGGLE_HOME") == str(self.home) or str(self.home) in " ".join(words)
                if ours and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                    found[process.pid] = " ".join(words)
        return found

    def clear(self) -> None:
        """Let nothing outlive the test."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def parts(self) -> dict[str, int]:
        """Return the processes that a supervisor started, by name of the part."""
        return {
            command.split()[3]: pid
            for pid, command in self.processes().items()
            if " -m waggle " in command and command.split()[3] in {"mailbox", "api", "relay", "worker"}
        }

    def brokers(self) -> list[int]:
        """Return the engine's processes."""
        # A process that is just being started has no words yet.
        return [pid for pid, command in self.processes().items() if "java" in command.partition(" ")[0]]


class Command:
    """A `waggle` that runs on its own; what it says is kept."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.said = ""
        self._reading = asyncio.create_task(self._read())

    @property
    def pid(self) -> int:
        return self.process.pid

    async def says(self, text: str, *, within_s: float = 300) -> None:
        """Return once *text* was said."""
        # Its last words may be read after its end.
        await until(lambda: text in self.said or self._reading.done(), within_s)
        assert text in self.said, self.said

    async def ended(self, within_s: float = WITHIN_S) -> int:
        """Return the exit code."""
        async with asyncio.timeout(within_s):
            await self._reading
            return await self.process.wait()

    def ctrl_c(self) -> None:
        """Do what a terminal does: tell the whole process group."""
        os.killpg(self.pid, signal.SIGINT)

    async def _read(self) -> None:
        assert self.process.stdout is not None
        # A piece may end in the middle of a letter.
        decoder = codecs.getincrementaldecoder("utf-8")()
        while piece := await self.process.stdout.read(4096):
            self.said += decoder.decode(piece)


@asynccontextmanager
async def started(place: Place, *arguments: str, **settings: str) -> AsyncIterator[Command]:
    """Run `waggle` with *arguments* while the context lasts; *settings* as in the environment, "" for none."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WAGGLE_")}
    own = {name: value for name, value in {**place.environment, **settings}.items() if value}
    cache = {name: os.environ[name] for name in ("WAGGLE_CACHE",) if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "waggle", *arguments),
        cwd=place.home.parent,
        env={**inherited, **cache, **own},
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    command = Command(process)
    try:
        yield command
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        await command.ended()


async def until(condition: Callable[[], bool], within_s: float = WITHIN_S) -> None:
    """Return once *condition* holds."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 -- as a person would look
            await asyncio.sleep(0.05)
