from typing import TYPE_CHECKING, cast

import grpc
import pytest
from pyzeebe.proto.gateway_pb2_grpc import GatewayStub

from tests.engine.worker.notes import Note, Noted
from waggle.engine.channel import GatewayAddress, connect
from waggle.engine.worker.lease import Lease
from waggle.task import task
from waggle.testing.bench import QUICK, Diary, working
from waggle.testing.gateway import FakeGateway

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

pytestmark = pytest.mark.anyio


@task("note", timeout_s=3)
async def note(given: Note, diary: Diary) -> Noted:
    await diary.visit(given)
    return Noted(is_noted=True)


@task("note", timeout_s=3, side_effect=True)
async def note_for_good(given: Note, diary: Diary) -> Noted:
    await diary.visit(given)
    return Noted(is_noted=True)


async def test_the_lease_of_a_long_job_is_extended_in_time(gateway: FakeGateway, diary: Diary) -> None:
    job = await gateway.add_job("note")

    async with working(gateway, note, services={Diary: diary}, queue_wait_s=0) as work:
        await gateway.until(lambda: gateway.count("UpdateJobTimeout") == 2)
        diary.gate.set()
        await gateway.until(lambda: job.state == "completed")

    assert {request.timeout for request in gateway.requests("UpdateJobTimeout")} == {3000}
    assert work.counters.lease_lost == 0


async def test_work_on_a_job_that_is_gone_is_cancelled(gateway: FakeGateway, diary: Diary) -> None:
    job = await gateway.add_job("note")

    async with working(gateway, note, services={Diary: diary}, queue_wait_s=0) as work:
        await diary.until(lambda: diary.present == 1)
        await gateway.cancel_job(job)
        await gateway.until(lambda: work.counters.lease_lost == 1)

    assert diary.present == 0
    assert gateway.count("CompleteJob") == gateway.count("FailJob") == 0


async def test_a_side_effect_that_has_begun_is_finished_though_its_job_is_gone(
    gateway: FakeGateway, diary: Diary
) -> None:
    job = await gateway.add_job("note")

    async with working(gateway, note_for_good, services={Diary: diary}, queue_wait_s=0) as work:
        await diary.until(lambda: diary.present == 1)
        await gateway.cancel_job(job)
        await gateway.until(lambda: gateway.count("UpdateJobTimeout") == 1)
        diary.gate.set()
        await gateway.until(lambda: work.counters.late == 1)

    assert work.counters.lease_lost == 0


async def test_without_a_word_from_the_gateway_a_lease_is_over_by_our_own_clock(gateway: FakeGateway) -> None:
    gateway.refuse("UpdateJobTimeout", grpc.StatusCode.UNAVAILABLE, times=999)
    async with connect(GatewayAddress(gateway.address)) as channel:
        stub = cast("GatewayAsyncStub", GatewayStub(channel))
        lease = Lease(stub, 1, lease_s=1.0, left_s=1.0, options=QUICK)

        assert await lease.keep() == "over"

    assert lease.left_s <= 0
    assert gateway.count("UpdateJobTimeout") > 1


async def test_a_lease_outlasts_a_short_silence_of_the_gateway(gateway: FakeGateway) -> None:
    job = await gateway.add_job("note")
    job.state = "activated"
    gateway.refuse("UpdateJobTimeout", grpc.StatusCode.UNAVAILABLE, times=3)
    gateway.refuse("UpdateJobTimeout", grpc.StatusCode.NOT_FOUND, times=0)
    async with connect(GatewayAddress(gateway.address)) as channel:
        stub = cast("GatewayAsyncStub", GatewayStub(channel))
        lease = Lease(stub, job.key, lease_s=60, left_s=1.0, options=QUICK)

        answers = [await lease.extend() for _ in range(4)]

    assert answers == ["unknown", "unknown", "unknown", "held"]
    assert lease.left_s > 1.0
