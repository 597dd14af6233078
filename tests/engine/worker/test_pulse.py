"""What a worker knows of its gateway's silence, and of its own."""

import asyncio

import grpc
import pytest

from tests.engine.worker.notes import Note, Noted
from waggle.task import task
from waggle.testing.bench import Work, working
from waggle.testing.gateway import FakeGateway

pytestmark = pytest.mark.anyio

SILENT_S = 1.0


@task("take-note")
async def take_note(note: Note) -> Noted:
    return Noted(is_noted=bool(note))


async def silent(work: Work) -> None:
    """Return once the gateway is silent and the worker had its turn: a machine may have kept both from it."""
    async with asyncio.timeout(60):
        while work.runtime.silence_s < SILENT_S or work.runtime.stillness_s >= SILENT_S:  # noqa: ASYNC110 -- silence tells nobody
            await asyncio.sleep(0.05)


async def test_a_gateway_that_refuses_connections_is_silent_and_the_worker_is_not_still(gateway: FakeGateway) -> None:
    async with working(gateway, take_note) as work:
        await gateway.until(lambda: gateway.count("ActivateJobs") > 0)
        await gateway.stop()
        await silent(work)

        assert work.runtime.stillness_s < SILENT_S
        assert work.runtime.is_listening
        await gateway.start()
        await gateway.until(lambda: work.runtime.silence_s < SILENT_S)


async def test_a_black_hole_is_silent_and_the_worker_is_not_still(gateway: FakeGateway) -> None:
    gateway.ignore("ActivateJobs", times=1000)
    async with working(gateway, take_note, poll_s=0.05, rpc_timeout_s=0.05) as work:
        await silent(work)

        assert work.runtime.stillness_s < SILENT_S
        assert work.runtime.is_listening


async def test_a_gateway_that_says_no_is_heard(gateway: FakeGateway) -> None:
    gateway.refuse("ActivateJobs", grpc.StatusCode.RESOURCE_EXHAUSTED, times=1000)
    async with working(gateway, take_note, stream=True) as work:
        await gateway.until(lambda: gateway.count("ActivateJobs") > 20 and work.runtime.silence_s < SILENT_S)


async def test_a_stream_that_the_gateway_does_not_offer_may_end(gateway: FakeGateway) -> None:
    gateway.refuse("StreamActivatedJobs", grpc.StatusCode.UNIMPLEMENTED)
    async with working(gateway, take_note, stream=True) as work:
        await gateway.until(lambda: gateway.count("StreamActivatedJobs") == 1 and gateway.count("ActivateJobs") > 3)

        assert work.runtime.is_listening


async def test_a_loop_that_breaks_off_is_seen(gateway: FakeGateway) -> None:
    async with working(gateway, take_note) as work:
        await gateway.until(lambda: gateway.count("ActivateJobs") > 0)
        [intake] = work.runtime._intakes
        intake.cancel()
        await asyncio.wait([intake])

        assert not work.runtime.is_listening
