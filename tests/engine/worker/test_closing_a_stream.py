"""A job that comes in the instant in which its stream is closed is handed back, not left to its lease."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from pyzeebe.proto import gateway_pb2 as pb

from tests.engine.worker.notes import Note, Noted
from waggle.engine.worker.capacity import Capacity
from waggle.engine.worker.counters import Pulse
from waggle.engine.worker.engine_time import EngineTime
from waggle.engine.worker.intake import Intake
from waggle.engine.worker.options import WorkerOptions
from waggle.task import declared_task, task
from waggle.testing.clock import HandClock

pytestmark = pytest.mark.anyio


@task("note")
async def note(given: Note) -> Noted:
    return Noted(is_noted=bool(given))


class LateStream:
    """Stands for a call whose last message is noticed only when the call is cancelled."""

    def __init__(self, last: object) -> None:
        self._last = last
        self._is_cancelled = asyncio.Event()
        self.is_read = asyncio.Event()

    async def read(self) -> object:
        """Return the last message once the call is cancelled."""
        self.is_read.set()
        await self._is_cancelled.wait()
        return self._last

    def cancel(self) -> None:
        """Close the stream."""
        self._is_cancelled.set()


class Gateway:
    """Pushes by one stream."""

    def __init__(self, stream: LateStream) -> None:
        self._stream = stream

    def StreamActivatedJobs(self, _request: object) -> LateStream:  # noqa: N802 -- as the protocol calls it
        return self._stream


@pytest.mark.parametrize(
    ("last", "handed_back"), [(pb.ActivatedJob(key=7), [7]), (grpc.aio.EOF, [])], ids=["a job", "nothing"]
)
async def test_what_had_come_unnoticed_when_a_stream_is_closed_is_handed_back(
    last: object, handed_back: list[int]
) -> None:
    stream, back = LateStream(last), list[int]()
    stub: Any = Gateway(stream)
    known = declared_task(note)
    assert known is not None
    intake = Intake(
        stub,
        known,
        WorkerOptions(),
        lease_s=60,
        capacity=Capacity(4, None),
        time_there=EngineTime(HandClock(datetime(2026, 5, 4, tzinfo=UTC)), 60),
        pulse=Pulse(),
        accept=lambda job: back.append(-job.key),
        hand_back=lambda job: back.append(job.key),
    )
    streaming = asyncio.create_task(intake.stream())
    await stream.is_read.wait()

    streaming.cancel()
    await asyncio.gather(streaming, return_exceptions=True)

    assert back == handed_back
