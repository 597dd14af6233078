"""Keep child processes running as an init system would, kill them on demand, and know what each one died of."""

import asyncio
import multiprocessing
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, Self

from waggle.processes import SUPERVISED
from waggle.testing.chaos.crash_points import CrashPoints

_PAUSE_S = 0.1
_PAUSE_AFTER_A_FALL_S = 1.0
"""What ends by itself may do so at once, for ever."""
_LOOK_EVERY_S = 0.02
_RUNNING_WITHIN_S = 60.0

_PRELOADED = "waggle.testing.chaos.crashing"

Cause = Literal["killed", "crash point", "other"]
"""Killed by `Keeper.kill`; by its own hand at an armed point; or in a way that nobody asked for, which is a finding."""


@dataclass(frozen=True, slots=True)
class Child:
    """One process to keep."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    """On top of the environment of this process."""
    user: str | None = None
    """Who runs it, if not the user of this process."""
    end_by: signal.Signals = signal.SIGTERM
    """What asks it to end in good order."""
    ready_to_start: Callable[[], Awaitable[None]] | None = None
    """Awaited before each start; returns once nothing of the life before is in the way."""
    is_part: bool = False
    """A part of Waggle with crash points, of which *command* says which; its modules are loaded once for all starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """The end of one process that was to go on."""

    part: str
    pid: int
    cause: Cause
    point: str | None
    """Where, if at a crash point."""
    exit_code: int
    """Minus the signal's number, for a process that was killed."""
    died_at_ns: int


def part(name: str, command: Sequence[str], environment: Mapping[str, str]) -> Child:
    """Return a part of Waggle with crash points: *command* is `api`, `relay`, or `worker` and maybe task types.

    It gives its *name* to the mail server, so that this knows whom it talks to.
    """
    return Child(name, command, {**environment, "WAGGLE_SMTP__HELLO_NAME": name}, is_part=True)


class Process(Protocol):
    """What is kept of a running child."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | None: ...
    def send_signal(self, signal: int, /) -> None: ...
    async def wait(self) -> int: ...


class Forked:
    """A part in a fork of a process that has loaded all modules: loading them is most of what a start costs.

    The fork server has no thread, and has done nothing but load; it ends with this process.
    """

    def __init__(self, child: Child, log: Path) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["__main__", _PRELOADED])
        self._process = context.Process(
            target=_run_part, args=(list(child.command), {**os.environ, **child.environment}, log), name=child.name
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """As of an asyncio subprocess."""
        return self._process.exitcode

    def send_signal(self, signal: int, /) -> None:
        """Send *signal*, unless it has ended."""
        if self.returncode is None:
            os.kill(self.pid, signal)

    async def wait(self) -> int:
        """Return the exit code, once it has ended."""
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        if self.returncode is None:
            loop.add_reader(self._process.sentinel, ended.set)
            try:
                await ended.wait()
            finally:
                loop.remove_reader(self._process.sentinel)
        code = self.returncode
        assert code is not None
        return code


def _run_part(command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
    # Ctrl-C at a terminal is for the keeper to hear; it ends the others in order.
    os.setsid()
    with log.open("ab") as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    os.environ.clear()
    os.environ.update(environment)
    os.environ[SUPERVISED] = str(os.getppid())
    from waggle.testing.chaos.crashing import main  # noqa: PLC0415 -- it is loaded in the fork server

    main(command, os.environ)


class Keeper:
    """Runs *children* while its context lasts; whoever dies is started again at once.

    Each writes to `<folder>/logs/<name>.log`, and its pid stands in `<folder>/pids/<name>`. In the end all are asked to
    end, and killed if they have not after *end_within_s*.
    """

    def __init__(
        self,
        children: Sequence[Child],
        folder: Path,
        *,
        points: CrashPoints | None = None,
        end_within_s: float = 10.0,
    ) -> None:
        self.deaths: list[Death] = []
        """Of all children, oldest first; ends that the keeper brought about at its own end do not count."""
        self._children = children
        self._logs = folder / "logs"
        self._pids = folder / "pids"
        self._points = points
        self._end_within_s = end_within_s
        self._running: dict[str, Process] = {}
        self._killed: set[int] = set()
        self._ending = asyncio.Event()
        self._keeping: list[asyncio.Task[None]] = []

    @property
    def pids(self) -> Mapping[str, int]:
        """Who runs now, by name."""
        return {name: process.pid for name, process in self._running.items() if process.returncode is None}

    @property
    def falls(self) -> list[Death]:
        """The deaths that nobody asked for."""
        return [death for death in self.deaths if death.cause == "other"]

    def count(self, cause: Cause, name: str | None = None) -> int:
        """Return how many died of *cause*, of all children or of one."""
        return sum(death.cause == cause and name in {None, death.part} for death in self.deaths)

    async def __aenter__(self) -> Self:
        for folder in (self._logs, self._pids):
            folder.mkdir(parents=True, exist_ok=True)
        self._keeping = [asyncio.create_task(self._keep(child)) for child in self._children]
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._ending.set()
        await asyncio.gather(*self._keeping)

    async def kill(self, name: str) -> int:
        """Kill the child by SIGKILL, once it runs, and return the pid that it had.

        Raises:
            TimeoutError: it does not run, and does not come back either.
        """
        pid = await self.running(name)
        self._killed.add(pid)
        self._running[name].send_signal(signal.SIGKILL)
        return pid

    async def running(self, name: str) -> int:
        """Return the child's pid, once it runs.

        Raises:
            TimeoutError: it does not, for a minute.
        """
        async with asyncio.timeout(_RUNNING_WITHIN_S):
            while name not in self.pids:  # noqa: ASYNC110 -- no event tells of it
                await asyncio.sleep(_LOOK_EVERY_S)
        return self.pids[name]

    async def _keep(self, child: Child) -> None:
        while not self._ending.is_set():
            if child.ready_to_start is not None:
                await child.ready_to_start()
            process = await self._start(child)
            exit_code = await self._ended(child, process)
            if self._ending.is_set():
                return
            death = self._death(child.name, process.pid, exit_code)
            self.deaths.append(death)
            await self._pause(_PAUSE_AFTER_A_FALL_S if death.cause == "other" else _PAUSE_S)

    async def _start(self, child: Child) -> Process:
        log = self._logs / f"{child.name}.log"
        process: Process = Forked(child, log) if child.is_part else await _executed(child, log)
        self._running[child.name] = process
        (self._pids / child.name).write_text(str(process.pid))
        return process

    async def _ended(self, child: Child, process: Process) -> int:
        """Return the exit code, once the process has died or everything ends."""
        life = asyncio.create_task(process.wait())
        ending = asyncio.create_task(self._ending.wait())
        await asyncio.wait({life, ending}, return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        for last_word in (child.end_by, signal.SIGKILL):
            if life.done():
                break
            with suppress(ProcessLookupError):
                process.send_signal(last_word)
            await asyncio.wait({life}, timeout=self._end_within_s)
        return await life

    def _death(self, name: str, pid: int, exit_code: int) -> Death:
        fired = {} if self._points is None else {its: point for point, its in self._points.fired().items()}
        point = fired.get(pid)
        cause: Cause = "other"
        if exit_code == -signal.SIGKILL:
            cause = "crash point" if point is not None else "killed" if pid in self._killed else "other"
        return Death(part=name, pid=pid, cause=cause, point=point, exit_code=exit_code, died_at_ns=time.time_ns())

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._ending.wait()
        except TimeoutError:
            pass


async def _executed(child: Child, log: Path) -> Process:
    with log.open("ab") as out:
        return await asyncio.create_subprocess_exec(
            *child.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={**os.environ, **child.environment, SUPERVISED: str(os.getpid())},
            # Ctrl-C at a terminal is for this process to hear; it ends the others in order.
            start_new_session=True,
            user=child.user,
            group=child.user,
            extra_groups=None if child.user is None else [],
        )
