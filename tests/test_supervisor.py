"""Parts that end are started again, and all end when they are asked to."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from structlog.testing import capture_logs

from waggle.supervisor import Part, Supervisor

pytestmark = pytest.mark.anyio

STAYS = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); print('up', flush=True); time.sleep(600)"
DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
ENDS = "print('up', flush=True); os._exit(7)"


def part(folder: Path, name: str, script: str) -> Part:
    """Return a part that runs *script* in place of Waggle: Python reads this file before anything else."""
    (folder / name).mkdir()
    (folder / name / "sitecustomize.py").write_text(f"import os, signal, sys, time\n{script}\n", encoding="utf-8")
    return Part(name, ["--help"], {"PYTHONPATH": str(folder / name)})


@asynccontextmanager
async def running(supervisor: Supervisor, end_within_s: float = 5.0) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(supervisor.run(stop, end_within_s=end_within_s))
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(60):
            await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 -- processes tell nobody
            await asyncio.sleep(0.02)


def starts(logs: Path, name: str) -> int:
    file = logs / f"{name}.log"
    return file.read_text().count("up\n") if file.exists() else 0


async def test_a_part_that_is_killed_is_started_again_and_the_others_stay(tmp_path: Path) -> None:
    supervisor = Supervisor([part(tmp_path, "one", STAYS), part(tmp_path, "two", STAYS)], tmp_path / "logs")
    async with running(supervisor):
        await until(lambda: starts(tmp_path / "logs", "one") == 1 and starts(tmp_path / "logs", "two") == 1)
        before = dict(supervisor.pids)
        os.kill(before["one"], signal.SIGKILL)
        await until(lambda: starts(tmp_path / "logs", "one") == 2)

        assert supervisor.pids["one"] != before["one"]
        assert supervisor.pids["two"] == before["two"]
        running_then = list(supervisor.pids.values())

    assert not any(psutil.pid_exists(pid) for pid in running_then)


async def test_a_part_that_keeps_ending_is_started_ever_more_seldom_and_its_log_is_named(tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with running(Supervisor([part(tmp_path, "one", ENDS)], tmp_path / "logs")):
            await until(lambda: starts(tmp_path / "logs", "one") == 3)

    first, second = logs[:2]
    assert first["event"] == "part ended, starting again"
    assert (first["part"], first["exit_code"]) == ("one", 7)
    assert first["log"] == str(tmp_path / "logs" / "one.log")
    assert second["pause_s"] == 2 * first["pause_s"]


async def test_a_part_that_does_not_listen_is_ended_by_force(tmp_path: Path) -> None:
    supervisor = Supervisor([part(tmp_path, "one", DEAF)], tmp_path / "logs")
    async with running(supervisor, end_within_s=0.2):
        await until(lambda: starts(tmp_path / "logs", "one") == 1)
        [pid] = supervisor.pids.values()

    assert not psutil.pid_exists(pid)


async def test_what_is_asked_to_end_while_it_pauses_ends_at_once(tmp_path: Path) -> None:
    async with running(Supervisor([part(tmp_path, "one", ENDS)], tmp_path / "logs")):
        await until(lambda: starts(tmp_path / "logs", "one") == 1)

    assert starts(tmp_path / "logs", "one") == 1
