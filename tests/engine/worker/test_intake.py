import asyncio
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

import grpc
import pytest

from tests.engine.worker.notes import Note, Noted
from waggle.errors import BadSettings
from waggle.task import task
from waggle.testing.bench import Diary, working
from waggle.testing.clock import HandClock
from waggle.testing.gateway import FakeGateway

pytestmark = pytest.mark.anyio


@task("note", concurrency=4)
async def note(given: Note, diary: Diary) -> Noted:
    await diary.visit(given)
    return Noted(is_noted=True)


@task("note", concurrency=1)
async def note_alone(given: Note, diary: Diary) -> Noted:
    await diary.visit(given)
    return Noted(is_noted=True)


@task("note", concurrency=1, timeout_s=6)
async def note_in_time(given: Note, diary: Diary) -> Noted:
    await diary.visit(given)
    return Noted(is_noted=True)


@task("note", rate_per_s=8)
async def note_seldom(given: Note, diary: Diary) -> Noted:
    await diary.visit(given)
    return Noted(is_noted=True)


@dataclass(frozen=True)
class ClockAhead:
    clock: HandClock
    by_s: float

    def now(self) -> datetime:
        return self.clock.now() + timedelta(seconds=self.by_s)


def pushed_beside(gateway: FakeGateway) -> bool:
    """Say whether the newest poll leaves the waiting to a stream."""
    polls = gateway.requests("ActivateJobs")
    return bool(polls) and polls[-1].requestTimeout == -1


def all_done(gateway: FakeGateway) -> bool:
    return all(job.state == "completed" for job in gateway.jobs.values())


@pytest.mark.parametrize("stream", [False, True], ids=["polling", "streaming"])
async def test_never_more_handlers_than_capacity(gateway: FakeGateway, diary: Diary, *, stream: bool) -> None:
    async with working(gateway, note, services={Diary: diary}, stream=stream) as work:
        for _ in range(60):
            await gateway.add_job("note")
        await diary.until(lambda: diary.present == 4)
        diary.gate.set()
        await gateway.until(lambda: all_done(gateway))

    assert diary.most_present == 4
    assert len(diary.entries) == 60
    assert work.counters.completed == 60


async def test_never_more_handlers_than_capacity_when_streaming(gateway: FakeGateway, diary: Diary) -> None:
    async with working(gateway, note, services={Diary: diary}, stream=True) as work:
        await gateway.until(lambda: gateway.open_streams == 1)
        for _ in range(60):
            await gateway.add_job("note")
        await diary.until(lambda: diary.present == 4)

        assert work.counters.in_flight == 4
        assert work.counters.started == 4

        diary.gate.set()
        await gateway.until(lambda: all_done(gateway))


async def test_a_busy_worker_keeps_few_pushed_jobs_from_others(gateway: FakeGateway, diary: Diary) -> None:
    async with working(gateway, note, services={Diary: diary}, stream=True):
        await gateway.until(lambda: gateway.open_streams == 1)
        for _ in range(600):
            await gateway.add_job("note")
        await diary.until(lambda: diary.present == 4)

        assert sum(job.activations for job in gateway.jobs.values()) < 150

        diary.gate.set()


async def test_a_poll_asks_for_exactly_what_is_free(gateway: FakeGateway, diary: Diary) -> None:
    for _ in range(3):
        await gateway.add_job("note")

    async with working(gateway, note, services={Diary: diary}):
        await diary.until(lambda: diary.present == 3)
        await gateway.until(lambda: gateway.count("ActivateJobs") == 2)
        diary.gate.set()

    assert [request.maxJobsToActivate for request in gateway.requests("ActivateJobs")[:2]] == [4, 1]


@pytest.mark.parametrize("stream", [False, True], ids=["polling", "streaming"])
async def test_a_freed_slot_is_filled_at_once(gateway: FakeGateway, open_diary: Diary, *, stream: bool) -> None:
    for _ in range(400):
        await gateway.add_job("note")

    # Filled at the next poll only, they would take 100 times two seconds: nobody waits for that here.
    async with working(gateway, note, services={Diary: open_diary}, stream=stream, poll_s=2):
        await gateway.until(lambda: all_done(gateway))


async def test_an_idle_worker_asks_seldom(gateway: FakeGateway, open_diary: Diary) -> None:
    began_s = time.monotonic()
    async with working(gateway, note, services={Diary: open_diary}):
        await gateway.until(lambda: gateway.count("ActivateJobs") >= 5)

        # Four polls of a fifth of a second had an end before the fifth.
        assert time.monotonic() - began_s > 0.7


async def test_while_jobs_are_pushed_polls_do_not_keep_slots(gateway: FakeGateway, open_diary: Diary) -> None:
    async with working(gateway, note, services={Diary: open_diary}, stream=True):
        # A poll from before the stream was open may wait.
        await gateway.until(lambda: gateway.open_streams == 1 and pushed_beside(gateway))
        asked = gateway.count("ActivateJobs")
        await gateway.until(lambda: gateway.count("ActivateJobs") > asked + 2)

        assert {request.requestTimeout for request in gateway.requests("ActivateJobs")[asked:]} == {-1}


async def test_a_gateway_that_cannot_push_is_polled(gateway: FakeGateway, open_diary: Diary) -> None:
    gateway.refuse("StreamActivatedJobs", grpc.StatusCode.UNIMPLEMENTED)

    async with working(gateway, note, services={Diary: open_diary}, stream=True):
        await gateway.until(lambda: gateway.count("StreamActivatedJobs") == 1)
        job = await gateway.add_job("note")
        await gateway.until(lambda: job.state == "completed")
        # A poll from before the refusal was known does not wait; later ones do.
        await gateway.until(lambda: gateway.requests("ActivateJobs")[-1].requestTimeout == 200)

    assert gateway.count("StreamActivatedJobs") == 1


@pytest.mark.parametrize(
    "status",
    [
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
    ],
    ids=lambda status: status.name,
)
async def test_no_answer_of_the_gateway_ends_the_worker(
    gateway: FakeGateway, open_diary: Diary, status: grpc.StatusCode
) -> None:
    gateway.refuse("ActivateJobs", status, times=20)
    gateway.refuse("StreamActivatedJobs", status, times=20)

    async with working(gateway, note, services={Diary: open_diary}, stream=True, refused_wait_s=0.01):
        job = await gateway.add_job("note")
        await gateway.until(lambda: job.state == "completed" and gateway.open_streams == 1)


async def test_a_worker_goes_on_when_the_engine_is_back(gateway: FakeGateway, open_diary: Diary) -> None:
    async with working(gateway, note, services={Diary: open_diary}, stream=True) as work:
        for _ in range(3):
            await gateway.until(lambda: gateway.open_streams == 1)
            await gateway.stop()
            await gateway.start()
            job = await gateway.add_job("note")
            await gateway.until(lambda job=job: job.state == "completed")  # type: ignore[misc]

        await gateway.until(lambda: work.runtime.silence_s < 5)

    assert work.counters.completed == 3


async def test_jobs_that_waited_before_the_stream_was_open_are_polled(gateway: FakeGateway, open_diary: Diary) -> None:
    gateway.ignore("StreamActivatedJobs")
    job = await gateway.add_job("note")

    async with working(gateway, note, services={Diary: open_diary}, stream=True):
        await gateway.until(lambda: job.state == "completed")


async def test_a_job_that_comes_again_while_it_is_done_is_done_once(gateway: FakeGateway, diary: Diary) -> None:
    job = await gateway.add_job("note")

    async with working(gateway, note, services={Diary: diary}) as work:
        await diary.until(lambda: diary.present == 1)
        await gateway.expire_leases()
        await gateway.until(lambda: job.activations == 2)
        await gateway.until(lambda: work.counters.repeated == 1)
        diary.gate.set()
        await gateway.until(lambda: job.state == "completed")

    assert len(diary.entries) == 1


async def test_a_job_whose_lease_was_over_before_its_turn_came_is_left_to_others(
    gateway: FakeGateway, diary: Diary
) -> None:
    gateway.mute("StreamActivatedJobs")
    polled = await gateway.add_job("note")
    async with working(gateway, note_alone, services={Diary: diary}, stream=True) as work:
        await diary.until(lambda: diary.present == 1)
        await gateway.unmute()
        await gateway.until(lambda: gateway.open_streams == 1)
        pushed = await gateway.add_job("note")
        await gateway.until(lambda: pushed.state == "activated")
        gateway.clock.advance(timedelta(hours=1))
        diary.gate.set()
        await gateway.until(lambda: polled.state == "completed" and work.counters.expired == 1)

    assert [entry.enrolment_id for entry in diary.entries if isinstance(entry, Note)] == ["enr-1"]
    assert gateway.count("UpdateJobTimeout") == 0


async def test_a_clock_that_is_wrong_costs_nothing_once_a_poll_has_shown_it(
    gateway: FakeGateway, open_diary: Diary
) -> None:
    job = await gateway.add_job("note")

    async with working(gateway, note, services={Diary: open_diary}, clock=ClockAhead(gateway.clock, 3600)):
        await gateway.until(lambda: job.state == "completed")

    assert gateway.count("UpdateJobTimeout") == 0


async def test_a_clock_that_is_wrong_costs_a_question_and_not_the_work(gateway: FakeGateway, open_diary: Diary) -> None:
    clock = ClockAhead(gateway.clock, 3600)
    async with working(gateway, note, services={Diary: open_diary}, clock=clock, stream=True):
        await gateway.until(lambda: gateway.open_streams == 1 and gateway.count("ActivateJobs") > 0)
        job = await gateway.add_job("note")
        await gateway.until(lambda: job.state == "completed")

    assert gateway.count("UpdateJobTimeout") <= 1


async def test_the_lease_is_longer_than_the_handler_may_run(gateway: FakeGateway, open_diary: Diary) -> None:
    async with working(gateway, note, services={Diary: open_diary}, stream=True, queue_wait_s=7):
        await gateway.until(lambda: gateway.count("ActivateJobs") > 0 and gateway.open_streams == 1)

    assert gateway.requests("ActivateJobs")[0].timeout == 37_000
    assert gateway.requests("StreamActivatedJobs")[0].timeout == 37_000


async def test_a_task_type_cannot_be_given_twice(gateway: FakeGateway, open_diary: Diary) -> None:
    with pytest.raises(BadSettings, match="TASK_TYPE_TWICE"):
        async with working(gateway, note, note, services={Diary: open_diary}):
            pass


@pytest.mark.parametrize("stream", [False, True], ids=["polling", "streaming"])
async def test_a_worker_of_a_tenant_asks_for_its_jobs_only(
    gateway: FakeGateway, open_diary: Diary, *, stream: bool
) -> None:
    others = await gateway.add_job("note")
    own = await gateway.add_job("note")
    own.tenant_id = "shop-1"

    async with working(gateway, note, services={Diary: open_diary}, stream=stream, tenant_id="shop-1"):
        await gateway.until(lambda: own.state == "completed")

    assert others.activations == 0


async def test_without_a_tenant_none_is_named(gateway: FakeGateway, open_diary: Diary) -> None:
    async with working(gateway, note, services={Diary: open_diary}, stream=True):
        await gateway.until(lambda: gateway.open_streams == 1 and gateway.count("ActivateJobs") > 0)

    for rpc in ("ActivateJobs", "StreamActivatedJobs"):
        assert list(gateway.requests(rpc)[0].tenantIds) == []


async def test_a_gateway_that_goes_mute_is_noticed_and_work_goes_on_when_it_speaks_again(
    gateway: FakeGateway, open_diary: Diary
) -> None:
    async with working(gateway, note, services={Diary: open_diary}, stream=True, rpc_timeout_s=0.1) as work:
        await gateway.until(lambda: gateway.open_streams == 1)
        gateway.mute()
        job = await gateway.add_job("note")
        asked = gateway.count("ActivateJobs")
        await gateway.until(lambda: gateway.count("ActivateJobs") >= asked + 3)
        assert work.runtime.silence_s > 0.3
        await gateway.unmute()
        await gateway.until(lambda: job.state == "completed" and work.runtime.silence_s < 0.3)


async def test_a_stream_that_died_without_a_word_leaves_jobs_to_polls(gateway: FakeGateway, open_diary: Diary) -> None:
    async with working(gateway, note, services={Diary: open_diary}, stream=True):
        await gateway.until(lambda: gateway.open_streams == 1)
        gateway.mute("StreamActivatedJobs")
        job = await gateway.add_job("note")
        await gateway.until(lambda: job.state == "completed")


async def test_a_slow_answer_to_an_outcome_does_not_keep_the_next_job_waiting(
    gateway: FakeGateway, open_diary: Diary
) -> None:
    gateway.mute("CompleteJob")
    for _ in range(3):
        await gateway.add_job("note")

    async with working(gateway, note_alone, services={Diary: open_diary}) as work:
        await gateway.until(lambda: gateway.count("CompleteJob") == 3)
        assert len(open_diary.entries) == 3
        assert (work.counters.in_flight, work.counters.reporting) == (0, 3)
        await gateway.unmute()
        await gateway.until(lambda: all_done(gateway))


async def test_an_engine_that_takes_no_outcomes_is_given_no_more_work(gateway: FakeGateway, open_diary: Diary) -> None:
    gateway.mute("CompleteJob")
    for _ in range(30):
        await gateway.add_job("note")

    async with working(gateway, note_alone, services={Diary: open_diary}, stream=True) as work:
        await gateway.until(lambda: gateway.count("CompleteJob") == 5)
        await asyncio.sleep(0.3)
        assert (len(open_diary.entries), work.counters.reporting) == (5, 5)
        await gateway.unmute()
        await gateway.until(lambda: all_done(gateway))

    assert work.counters.completed == 30


async def test_jobs_that_a_rate_holds_back_are_not_taken_from_the_engine(
    gateway: FakeGateway, open_diary: Diary
) -> None:
    for _ in range(30):
        await gateway.add_job("note")

    async with working(gateway, note_seldom, services={Diary: open_diary}, stream=True) as work:
        await open_diary.until(lambda: len(open_diary.entries) >= 2)
        assert sum(job.activations for job in gateway.jobs.values()) <= len(open_diary.entries) + 3
        assert work.counters.handed_back == 0

    assert gateway.count("StreamActivatedJobs") == 0


async def test_what_takes_time_is_measured(gateway: FakeGateway, diary: Diary) -> None:
    for _ in range(2):
        await gateway.add_job("note")

    async with working(gateway, note_alone, services={Diary: diary}, stream=True) as work:
        await diary.until(lambda: diary.present == 1)
        await asyncio.sleep(0.1)
        diary.gate.set()
        await gateway.until(lambda: all_done(gateway))

    counters = work.counters
    assert [sum(each.counts) for each in (counters.queue_wait, counters.handler_time, counters.report_time)] == [
        2,
        2,
        2,
    ]
    assert counters.handler_time.sum_s >= 0.1
    assert (counters.capacity, counters.in_flight, counters.waiting, counters.reporting) == (1, 0, 0, 0)


async def test_what_is_pushed_faster_than_done_is_handed_back_before_it_grows_old_and_then_polled(
    gateway: FakeGateway, diary: Diary
) -> None:
    async with working(gateway, note_in_time, services={Diary: diary}, stream=True, queue_wait_s=0) as work:
        await gateway.until(lambda: gateway.open_streams == 1)
        for _ in range(20):
            await gateway.add_job("note")
        await gateway.until(lambda: work.counters.handed_back == 19 and gateway.open_streams == 0)
        diary.gate.set()
        await gateway.until(lambda: all_done(gateway) and gateway.open_streams == 1)

    assert gateway.count("StreamActivatedJobs") == 2
    assert (work.counters.expired, work.counters.completed) == (0, 20)
