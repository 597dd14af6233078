"""Starting the engine can be cancelled, although a thread cannot."""

import asyncio
import threading
from pathlib import Path

import pytest

from waggle import engine_keeper
from waggle.engine.local import EngineOptions, RunningEngine
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
    await asyncio.to_thread(fetching.began.wait, 10)

    starting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await starting
    assert isinstance(fetching.stopped_by, TemporaryFailure)
    assert fetching.stopped_by.code == "START_REVOKED"
