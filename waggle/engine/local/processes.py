"""Operating-system processes that outlive their parent and are found again, never mistaken for another."""

import contextlib
import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_CREATED_TOLERANCE_S = 0.02
"""The creation time is kept in clock ticks of 10 ms."""
_KILL_LIMIT_S = 5.0


@dataclass(frozen=True, slots=True)
class Child:
    """A process known by its number and creation time, since numbers are used again."""

    name: str
    pid: int
    created_at_s: float
    """Seconds since the epoch, as psutil gives them."""

    def process(self) -> psutil.Process | None:
        """Return the process if it is still this one and alive."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created_at_s) < _CREATED_TOLERANCE_S
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def spawn(name: str, command: Sequence[str], environment: Mapping[str, str], output: Path) -> Child:
    """Start *command* in a session of its own, so that a Ctrl-C meant for us does not end it first."""
    output.parent.mkdir(parents=True, exist_ok=True)
    pid = os.posix_spawn(
        command[0],
        list(command),
        dict(environment),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(output), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    return Child(name, pid, psutil.Process(pid).create_time())


def end(children: Iterable[Child], limit_s: float) -> None:
    """End *children* together: ask first, kill what is left after *limit_s*."""
    processes = [process for child in children if (process := child.process())]
    for process in processes:
        _signal(process, signal.SIGTERM)
    _, left = psutil.wait_procs(processes, timeout=limit_s)
    for process in left:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(left, timeout=_KILL_LIMIT_S)


def with_argument(argument: str) -> list[Child]:
    """Return the processes of this user that were started with exactly *argument*."""
    found = []
    for process in psutil.process_iter(["uids", "cmdline", "create_time", "name"]):
        uids, cmdline = process.info["uids"], process.info["cmdline"]
        if uids and uids.real == os.getuid() and cmdline and argument in cmdline:
            found.append(Child(process.info["name"], process.pid, process.info["create_time"]))
    return found


def listened_on(child: Child) -> set[int]:
    """Return the TCP ports that *child* listens on."""
    process = child.process()
    if process is None:
        return set()
    try:
        connections = process.net_connections("tcp")
    except psutil.NoSuchProcess:
        return set()
    return {found.laddr.port for found in connections if found.status == psutil.CONN_LISTEN}


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)
