import asyncio
import threading
from contextvars import ContextVar
from dataclasses import dataclass, field

import grpc
import pytest

from tests.engine.worker.notes import Note, Noted
from waggle.engine.worker.lease import Lost
from waggle.engine.worker.outcome import Outcome
from waggle.engine.worker.task_worker import TaskWorker
from waggle.task import task
from waggle.testing.bench import working
from waggle.testing.gateway import FakeGateway
from waggle.testing.tasks import call

pytestmark = pytest.mark.anyio

_PATIENCE_S = 60.0

WHO = ContextVar("WHO", default="nobody")


@dataclass(slots=True)
class Desk:
    """Where handlers sit, in threads, until the bell rings."""

    seated: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    bell: threading.Event = field(default_factory=threading.Event)
    threads: list[str] = field(default_factory=list)
    present: int = 0
    most_present: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def sit(self) -> None:
        with self._lock:
            self.threads.append(threading.current_thread().name)
            self.present += 1
            self.most_present = max(self.most_present, self.present)
        self.seated.release()
        try:
            assert self.bell.wait(_PATIENCE_S)
        finally:
            with self._lock:
                self.present -= 1

    async def until_seated(self) -> None:
        assert await asyncio.to_thread(self.seated.acquire, timeout=_PATIENCE_S)


@task("note", concurrency=3)
def note(given: Note, desk: Desk) -> Noted:
    desk.sit()
    return Noted(is_noted=True)


@task("note", concurrency=1, timeout_s=0.2)
def note_slowly(given: Note, desk: Desk) -> Noted:
    desk.sit()
    return Noted(is_noted=True)


@task("note", concurrency=1, timeout_s=0.2, side_effect=True)
def note_for_good(given: Note, desk: Desk) -> Noted:
    desk.sit()
    return Noted(is_noted=True)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def loss(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set once a worker has heard that a job is lost."""
    heard, let_go = asyncio.Event(), TaskWorker._let_go

    def noted(worker: TaskWorker, handling: asyncio.Task[Outcome], lost: Lost) -> None:
        let_go(worker, handling, lost)
        heard.set()

    monkeypatch.setattr(TaskWorker, "_let_go", noted)
    return heard


async def test_a_task_that_blocks_runs_in_threads_of_its_own_and_blocks_nobody(
    gateway: FakeGateway, desk: Desk
) -> None:
    jobs = [await gateway.add_job("note") for _ in range(9)]

    async with working(gateway, note, services={Desk: desk}) as work:
        for _ in range(3):
            await desk.until_seated()
        assert work.counters.in_flight == 3
        desk.bell.set()
        await gateway.until(lambda: all(job.state == "completed" for job in jobs))

    assert desk.most_present == 3
    assert {name.partition("_")[0] for name in desk.threads} == {"note"}


async def test_a_thread_sees_the_context_of_its_job() -> None:
    @task("note")
    def sign(given: Note) -> Noted:
        return Noted(is_noted=WHO.get() == "somebody")

    WHO.set("somebody")

    assert await call(sign, {"enrolment_id": "enr-1"}) == {"completed": {"is_noted": True}}


@pytest.mark.parametrize("error", [ValueError("x"), StopIteration(), SystemExit("x"), KeyboardInterrupt()], ids=repr)
async def test_whatever_a_thread_raises_is_an_outcome(error: BaseException) -> None:
    @task("note")
    def fail(given: Note) -> Noted:
        raise error

    outcome = await call(fail, {"enrolment_id": "enr-1"})

    assert (outcome["failed"], outcome["retries"]) == ("UNEXPECTED", 2)


async def test_a_thread_that_overruns_its_time_keeps_place_and_lease_and_its_result_counts(
    gateway: FakeGateway, desk: Desk
) -> None:
    first, second = [await gateway.add_job("note") for _ in range(2)]

    async with working(gateway, note_slowly, services={Desk: desk}, queue_wait_s=1.3) as work:
        await desk.until_seated()
        await gateway.until(lambda: gateway.count("UpdateJobTimeout") >= 3)
        assert (work.counters.overdue, second.activations) == (1, 0)
        desk.bell.set()
        await gateway.until(lambda: first.state == second.state == "completed")

    assert len(desk.threads) == 2


async def test_what_a_thread_did_after_its_job_was_lost_is_thrown_away(
    gateway: FakeGateway, desk: Desk, loss: asyncio.Event
) -> None:
    job = await gateway.add_job("note")
    gateway.refuse("UpdateJobTimeout", grpc.StatusCode.FAILED_PRECONDITION)

    async with working(gateway, note_slowly, services={Desk: desk}, queue_wait_s=2.8) as work:
        await desk.until_seated()
        await asyncio.wait_for(loss.wait(), _PATIENCE_S)
        assert work.counters.in_flight == 1
        desk.bell.set()

    assert work.counters.lease_lost == 1
    assert (job.state, gateway.count("CompleteJob")) == ("activated", 0)


async def test_a_side_effect_in_a_thread_is_told_though_its_job_was_lost(
    gateway: FakeGateway, desk: Desk, loss: asyncio.Event
) -> None:
    job = await gateway.add_job("note")
    gateway.refuse("UpdateJobTimeout", grpc.StatusCode.FAILED_PRECONDITION)

    async with working(gateway, note_for_good, services={Desk: desk}, queue_wait_s=2.8):
        await desk.until_seated()
        await asyncio.wait_for(loss.wait(), _PATIENCE_S)
        desk.bell.set()

    assert job.state == "completed"
