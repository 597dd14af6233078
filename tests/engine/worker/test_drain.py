import asyncio

import grpc
import pytest

from tests.engine.worker.notes import Note, Noted
from waggle.task import task
from waggle.testing.bench import Diary, working
from waggle.testing.gateway import FakeGateway

pytestmark = pytest.mark.anyio


@task("note", concurrency=1)
async def note(given: Note, diary: Diary) -> Noted:
    await diary.visit(given)
    return Noted(is_noted=True)


async def test_what_runs_is_finished_and_told(gateway: FakeGateway, diary: Diary) -> None:
    job = await gateway.add_job("note")

    async with working(gateway, note, services={Diary: diary}) as work:
        await diary.until(lambda: diary.present == 1)
        work.stop.set()
        gateway.refuse("CompleteJob", grpc.StatusCode.RESOURCE_EXHAUSTED, times=5)
        diary.gate.set()
        await work.drain()

    assert job.state == "completed"


async def test_drain_hands_queued_jobs_back(gateway: FakeGateway, diary: Diary) -> None:
    async with working(gateway, note, services={Diary: diary}, stream=True) as work:
        await gateway.until(lambda: gateway.open_streams == 1)
        first = await gateway.add_job("note")
        await diary.until(lambda: diary.present == 1)
        second = await gateway.add_job("note", retries=2)
        await gateway.until(lambda: second.state == "activated")
        work.stop.set()
        await gateway.until(lambda: gateway.count("FailJob") == 1)
        diary.gate.set()
        await work.drain()

    [handed_back] = gateway.requests("FailJob")
    assert (handed_back.jobKey, handed_back.retries, handed_back.retryBackOff) == (second.key, 2, 0)
    assert handed_back.errorMessage == "HANDED_BACK note enr-2"
    assert first.state == "completed"
    assert len(diary.entries) == 1
    assert work.counters.handed_back == 1


async def test_no_pushed_job_stays_locked_in_the_buffer_of_the_connection(gateway: FakeGateway, diary: Diary) -> None:
    async with working(gateway, note, services={Diary: diary}, stream=True) as work:
        await gateway.until(lambda: gateway.open_streams == 1)
        jobs = [await gateway.add_job("note") for _ in range(30)]
        await gateway.until(lambda: all(job.state == "activated" for job in jobs))
        # Sent is not yet begun, and what has not begun when the end comes is handed back.
        await diary.until(lambda: diary.present == 1)
        work.stop.set()
        await gateway.until(lambda: gateway.count("FailJob") == 29)
        diary.gate.set()
        await work.drain()

    assert (work.counters.handed_back, work.counters.completed) == (29, 1)


async def test_the_poll_under_way_is_not_cut_off_and_what_it_brings_is_handed_back(
    gateway: FakeGateway, open_diary: Diary
) -> None:
    async with working(gateway, note, services={Diary: open_diary}, poll_s=3) as work:
        await gateway.until(lambda: gateway.count("ActivateJobs") == 1)
        work.stop.set()
        await asyncio.sleep(0)
        job = await gateway.add_job("note")
        await work.drain()

    assert job.state == "activatable"
    assert (job.activations, job.retries) == (1, 3)
    assert open_diary.entries == []


async def test_a_handler_that_does_not_end_is_cancelled_when_the_time_is_over(
    gateway: FakeGateway, diary: Diary
) -> None:
    job = await gateway.add_job("note")

    async with working(gateway, note, services={Diary: diary}, drain_s=0.2) as work:
        await diary.until(lambda: diary.present == 1)
        await work.drain()

    assert diary.present == 0
    assert job.state == "activated"


async def test_a_drain_ends_while_the_gateway_is_away(gateway: FakeGateway, open_diary: Diary) -> None:
    await gateway.add_job("note")
    gateway.ignore("CompleteJob", times=9)

    async with working(gateway, note, services={Diary: open_diary}, drain_s=0.3, rpc_timeout_s=0.1) as work:
        await gateway.until(lambda: gateway.count("CompleteJob") >= 1)
        await gateway.stop()
        await work.drain()
        await gateway.start()

    assert work.counters.unreported == 1


@pytest.mark.parametrize("stream", [False, True], ids=["polling", "streaming"])
async def test_a_drain_ends_while_jobs_keep_coming(gateway: FakeGateway, open_diary: Diary, *, stream: bool) -> None:
    async with working(gateway, note, services={Diary: open_diary}, stream=stream) as work:
        for _ in range(50):
            await gateway.add_job("note")
        await gateway.until(lambda: gateway.count("CompleteJob") >= 10)
        for _ in range(50):
            await gateway.add_job("note")
        await work.drain()

    assert work.counters.in_flight == 0
    assert len(open_diary.entries) == work.counters.completed < 100


async def test_a_worker_that_is_cancelled_leaves_no_task_behind(gateway: FakeGateway, diary: Diary) -> None:
    await gateway.add_job("note")

    async with working(gateway, note, services={Diary: diary}, stream=True) as work:
        await diary.until(lambda: diary.present == 1)
        work.run.cancel()
        await asyncio.wait([work.run])
        assert diary.present == 0
        work.run = asyncio.create_task(asyncio.sleep(0))
