"""The engine is started again when it dies; starting it can be cancelled, although a thread cannot."""

import asyncio
import os
import signal
import threading
from pathlib import Path

import psutil
import pytest

from waggle import engine_keeper
from waggle.engine.local import EngineOptions, RunningEngine, processes
from waggle.engine.local.ports import Ports
from waggle.engine.local.progress import Progress, Silent
from waggle.engine_keeper import EngineKeeper
from waggle.errors import TemporaryFailure

pytestmark = pytest.mark.anyio


class Fetching:
    """Stands in for a start that downloads for ever, telling of each piece."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.stopped_by: Exception | None = None

    def __call__(self, options: EngineOptions, progress: Progress) -> RunningEngine:
        progress.began("Fetching the engine files", 1000)
        self.began.set()
        try:
            while not threading.Event().wait(0.01):
                progress.advanced(1)
        except TemporaryFailure as error:
            self.stopped_by = error
            raise
        raise AssertionError("unreachable")


async def test_a_cancelled_download_stops_at_its_next_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetching = Fetching()
    monkeypatch.setattr(engine_keeper, "start", fetching)
    starting = asyncio.create_task(EngineKeeper(EngineOptions(tmp_path)).start(Silent()))
    await asyncio.to_thread(fetching.began.wait, 60)

    starting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await starting
    assert isinstance(fetching.stopped_by, TemporaryFailure)
    assert fetching.stopped_by.code == "START_REVOKED"


async def test_an_engine_that_was_killed_is_started_again_and_leaves_no_zombie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []

    def start(options: EngineOptions, _progress: Progress) -> RunningEngine:
        child = processes.spawn("broker", ["/bin/sleep", "60"], {}, tmp_path / "log")
        started.append(child.pid)
        return RunningEngine(options, Ports.at(0), {"broker": child.pid}, 0.0, was_adopted=False, operate_password=None)

    monkeypatch.setattr(engine_keeper, "start", start)
    keeper, ending = EngineKeeper(EngineOptions(tmp_path)), asyncio.Event()
    await keeper.start(Silent())
    keeping = asyncio.create_task(keeper.keep(ending))

    os.kill(started[0], signal.SIGKILL)
    async with asyncio.timeout(60):
        while len(started) == 1 or psutil.pid_exists(started[0]):  # noqa: ASYNC110 -- as whoever watches processes sees it
            await asyncio.sleep(0.05)

    ending.set()
    await keeping
    for pid in started[1:]:
        os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(os.waitpid, pid, 0)
    assert len(started) == 2
