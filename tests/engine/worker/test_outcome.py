import grpc
import pytest

from tests.engine.worker.notes import Note, Noted
from waggle.task import task
from waggle.testing.bench import Diary, working
from waggle.testing.gateway import FakeGateway

pytestmark = pytest.mark.anyio


@task("note")
async def note(given: Note, diary: Diary) -> Noted:
    await diary.visit(given)
    return Noted(is_noted=True)


@task("note", timeout_s=1)
async def note_quickly(given: Note, diary: Diary) -> Noted:
    await diary.visit(given)
    return Noted(is_noted=True)


@task("note", timeout_s=1, side_effect=True)
async def note_for_good(given: Note, diary: Diary) -> Noted:
    await diary.visit(given)
    return Noted(is_noted=True)


@pytest.mark.parametrize(
    "status",
    [
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAUTHENTICATED,
    ],
    ids=lambda status: status.name,
)
async def test_one_rejected_completion_is_tried_again_and_the_handler_runs_once(
    gateway: FakeGateway, open_diary: Diary, status: grpc.StatusCode
) -> None:
    job = await gateway.add_job("note")
    gateway.refuse("CompleteJob", status)

    async with working(gateway, note, services={Diary: open_diary}) as work:
        await gateway.until(lambda: job.state == "completed")

    assert gateway.count("CompleteJob") == 2
    assert len(open_diary.entries) == 1
    assert (work.counters.completed, work.counters.outcome_retries) == (1, 1)


async def test_a_completion_outlasts_more_rejections_than_any_service_config_allows(
    gateway: FakeGateway, open_diary: Diary
) -> None:
    job = await gateway.add_job("note")
    gateway.refuse("CompleteJob", grpc.StatusCode.RESOURCE_EXHAUSTED, times=40)

    async with working(gateway, note, services={Diary: open_diary}):
        await gateway.until(lambda: job.state == "completed")

    assert len(open_diary.entries) == 1


async def test_a_completion_without_any_answer_is_tried_again(gateway: FakeGateway, open_diary: Diary) -> None:
    job = await gateway.add_job("note")
    gateway.ignore("CompleteJob")

    async with working(gateway, note, services={Diary: open_diary}, rpc_timeout_s=0.1):
        await gateway.until(lambda: job.state == "completed")

    assert len(open_diary.entries) == 1


async def test_a_completion_whose_answer_was_lost_counts_as_late_and_the_handler_runs_once(
    gateway: FakeGateway, open_diary: Diary
) -> None:
    job = await gateway.add_job("note")
    gateway.lose_answer("CompleteJob")

    async with working(gateway, note, services={Diary: open_diary}) as work:
        await gateway.until(lambda: gateway.count("CompleteJob") == 2)

    assert job.state == "completed"
    assert (work.counters.completed, work.counters.late) == (0, 1)
    assert len(open_diary.entries) == 1


async def test_a_job_that_was_interrupted_meanwhile_is_late_and_nothing_else(
    gateway: FakeGateway, diary: Diary
) -> None:
    job = await gateway.add_job("note")

    async with working(gateway, note, services={Diary: diary}) as work:
        await diary.until(lambda: diary.present == 1)
        await gateway.cancel_job(job)
        diary.gate.set()

    assert work.counters.late == 1
    assert gateway.count("FailJob") == 0


async def test_a_completion_that_is_never_taken_does_not_become_a_failure(
    gateway: FakeGateway, open_diary: Diary
) -> None:
    await gateway.add_job("note")
    gateway.refuse("CompleteJob", grpc.StatusCode.INTERNAL, times=99)

    async with working(gateway, note, services={Diary: open_diary}) as work:
        await gateway.until(lambda: work.counters.refused == 1)

    assert gateway.count("CompleteJob") == 5
    assert gateway.count("FailJob") == 0
    assert len(open_diary.entries) == 1


async def test_an_outcome_for_a_job_in_the_wrong_state_is_left_alone(gateway: FakeGateway, open_diary: Diary) -> None:
    await gateway.add_job("note")
    gateway.refuse("CompleteJob", grpc.StatusCode.FAILED_PRECONDITION)

    async with working(gateway, note, services={Diary: open_diary}) as work:
        await gateway.until(lambda: work.counters.refused == 1)

    assert (gateway.count("CompleteJob"), gateway.count("FailJob")) == (1, 0)


@pytest.mark.parametrize(
    ("status", "details"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "gRPC message exceeds maximum size 4194304"),
        (grpc.StatusCode.UNKNOWN, "Expected to handle command, but EXCEEDED_BATCH_RECORD_SIZE"),
    ],
)
async def test_a_completion_too_large_for_the_engine_is_an_incident_and_not_a_loop(
    gateway: FakeGateway, open_diary: Diary, status: grpc.StatusCode, details: str
) -> None:
    job = await gateway.add_job("note")
    gateway.refuse("CompleteJob", status, details, times=99)

    async with working(gateway, note, services={Diary: open_diary}) as work:
        await gateway.until(lambda: job.state == "incident")

    assert (gateway.count("CompleteJob"), job.text) == (1, "RESULT_TOO_LARGE note")
    assert work.counters.failed == 1


async def test_a_side_effect_is_told_even_after_the_lease_is_over(gateway: FakeGateway, open_diary: Diary) -> None:
    job = await gateway.add_job("note")
    # With ten milliseconds between them these take longer than the lease.
    gateway.refuse("CompleteJob", grpc.StatusCode.RESOURCE_EXHAUSTED, times=150)
    gateway.refuse("UpdateJobTimeout", grpc.StatusCode.RESOURCE_EXHAUSTED, times=999)

    async with working(gateway, note_for_good, services={Diary: open_diary}, queue_wait_s=0.05):
        await gateway.until(lambda: job.state == "completed")

    assert len(open_diary.entries) == 1


async def test_work_without_side_effects_is_left_to_others_once_the_lease_is_over(
    gateway: FakeGateway, open_diary: Diary
) -> None:
    await gateway.add_job("note")
    gateway.refuse("CompleteJob", grpc.StatusCode.RESOURCE_EXHAUSTED, times=999)
    gateway.refuse("UpdateJobTimeout", grpc.StatusCode.RESOURCE_EXHAUSTED, times=999)

    async with working(gateway, note_quickly, services={Diary: open_diary}, queue_wait_s=0.05) as work:
        await gateway.until(lambda: work.counters.unreported == 1)

    assert gateway.count("FailJob") == 0


async def test_an_outcome_that_waits_keeps_its_lease(gateway: FakeGateway, open_diary: Diary) -> None:
    job = await gateway.add_job("note")
    # With ten milliseconds between them these take more than two thirds of the lease.
    gateway.refuse("CompleteJob", grpc.StatusCode.RESOURCE_EXHAUSTED, times=130)

    async with working(gateway, note_quickly, services={Diary: open_diary}, queue_wait_s=0.5) as work:
        await gateway.until(lambda: job.state == "completed")

    assert gateway.count("UpdateJobTimeout") >= 2
    assert work.counters.unreported == 0
