"""All the work on one task type in this process."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from pyzeebe.proto import gateway_pb2 as pb

from waggle.engine.variables import failure_text
from waggle.engine.worker.attempts import MOST_ATTEMPTS, Attempt, Attempts, attempt_key
from waggle.engine.worker.capacity import Capacity
from waggle.engine.worker.counters import Counters, Pulse
from waggle.engine.worker.engine_time import EngineTime
from waggle.engine.worker.handling import Handling, enrolment_of
from waggle.engine.worker.intake import Intake
from waggle.engine.worker.keys import JobKeys
from waggle.engine.worker.lease import Lease, Lost
from waggle.engine.worker.options import WorkerOptions
from waggle.engine.worker.outcome import Complete, Fail, Outcome, Reporter, Throw, Told
from waggle.engine.worker.pace import Pace
from waggle.engine.worker.place import Place
from waggle.log import get_logger
from waggle.ports.clock import Clock
from waggle.task import Task

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

_log = get_logger(__name__)

# A lease that ends while the engine is being asked to extend it may already be another's.
_LAST_MOMENT_S = 0.5


class TaskWorker:
    """Takes jobs in, has them done, reports. A handler's place is free once it ends; telling goes on beside."""

    def __init__(  # noqa: PLR0913 - it wires one task type
        self,
        stub: "GatewayAsyncStub",
        task: Task,
        services: Mapping[str, object],
        *,
        clock: Clock,
        options: WorkerOptions,
        pulse: Pulse,
        attempts: Attempts,
    ) -> None:
        """Pass *services*, by parameter name, to the task; *clock* is the engine's, by which it dates leases."""
        self.task = task
        self.counters = Counters(capacity=task.concurrency)
        self._stub = stub
        self._options = options
        self._attempts = attempts
        self._lease_s = task.timeout_s + options.queue_wait_s
        self._time_there = EngineTime(clock, self._lease_s)
        self._capacity = Capacity(task.concurrency, None if task.rate_per_s is None else Pace(task.rate_per_s))
        self._keys = JobKeys(self._lease_s)
        self._handling = Handling(task, services, self.counters, options.spread)
        self._reporter = Reporter(stub, task.task_type, options, self.counters, pulse)
        self._intake = Intake(
            stub,
            task,
            options,
            lease_s=self._lease_s,
            capacity=self._capacity,
            time_there=self._time_there,
            pulse=pulse,
            accept=self._accept,
            hand_back=self._hand_back,
        )
        self._under_way: set[asyncio.Task[None]] = set()
        self._is_draining = False

    @property
    def intakes(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """What has to run so that jobs come in."""
        # What is pushed lies in buffers until its turn comes: with a rate that could be longer than a lease.
        is_pushed = self._options.stream and self.task.rate_per_s is None
        # The stream first: a poll that does not know of it would hold up the room for what is pushed.
        return [self._intake.stream, self._intake.poll] if is_pushed else [self._intake.poll]

    def stop_starting(self) -> None:
        """From now on hand back every job that has not started."""
        self._is_draining = True
        self._capacity.close()

    async def settle(self) -> None:
        """Return when the last poll has answered and no job is at hand."""
        await self._intake.settle()
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def abandon(self) -> int:
        """Cancel whatever still runs and return how many jobs that were."""
        await self._intake.abandon()
        left = list(self._under_way)
        for work in left:
            work.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        self._handling.close()
        return len(left)

    def _accept(self, job: pb.ActivatedJob) -> None:
        if self._is_draining:
            self._capacity.give_back()
            self._hand_back(job)
            return
        self.counters.activated += 1
        if not self._keys.take(job.key):
            self.counters.repeated += 1
            self._capacity.give_back()
            return
        self._start(self._work(job))

    def _hand_back(self, job: pb.ActivatedJob) -> None:
        self.counters.activated += 1
        self._start(self._give_up(job))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        started = asyncio.create_task(work)
        self._under_way.add(started)
        started.add_done_callback(self._under_way.discard)

    async def _give_up(self, job: pb.ActivatedJob) -> None:
        text = failure_text("HANDED_BACK", self.task.task_type, enrolment_of(job))
        _, told = await self._reporter.report(job.key, Fail(job.retries, text), may_go_on=lambda: True)
        if told == "taken":
            self.counters.handed_back += 1

    async def _work(self, job: pb.ActivatedJob) -> None:
        arrived_s = time.monotonic()
        is_done = False
        try:
            if await self._entered():
                is_done = await self._do(job, arrived_s)
            else:
                await self._give_up(job)
        except Exception as error:  # noqa: BLE001 - a mistake of ours must cost one lease and not the worker
            _log.error("job dropped", **self._names(job), exc_info=error)
        finally:
            self._keys.drop(job.key, is_done=is_done)

    async def _entered(self) -> bool:
        """Wait for a place; if there is none to be had any more, give the room back."""
        is_in = False
        self.counters.waiting += 1
        try:
            is_in = await self._capacity.enter()
        finally:
            self.counters.waiting -= 1
            if not is_in:
                self._capacity.give_back()
        return is_in

    async def _do(self, job: pb.ActivatedJob, arrived_s: float) -> bool:
        """Do and report *job*, for which a place is held; True if the engine will not hand it out again."""
        with Place(self._capacity, self.counters) as place:
            left_s = self._time_there.left_s(job.deadline)
            lease = Lease(self._stub, job.key, lease_s=self._lease_s, left_s=left_s, options=self._options)
            if not await self._has_time(lease):
                self.counters.expired += 1
                _log.info("job not started, its lease is over", **self._names(job))
                return False
            self.counters.queue_wait.observe(time.monotonic() - arrived_s)
            attempt = self._attempts.of(attempt_key(self.task.task_type, _whose(job), job.elementId))
            with attempt:
                handling = asyncio.create_task(self._outcome_of(job, attempt))
                with lease.kept(partial(self._let_go, handling)):
                    outcome = await _unless_cancelled(handling)
                    self.counters.handler_time.observe(place.free())
                    attempt.over()
                    if outcome is None or (lease.is_lost and not self.task.side_effect):
                        self.counters.lease_lost += 1
                        _log.warning("lease lost, work thrown away", **self._names(job))
                        return False
                    told = await self._tell(job, outcome, lease)
                if told in ("taken", "late"):
                    attempt.told()
            return told == "late" or (told == "taken" and not isinstance(outcome, Fail))

    async def _has_time(self, lease: Lease) -> bool:
        """Say whether the lease lasts for the handler, if need be after it was extended."""
        if lease.left_s >= self.task.timeout_s:
            return True
        # The engine extends a lease that is over and given to another just as well, so a late job is not asked for;
        # only a clock that nothing has confirmed yet may be the one that is wrong.
        if self._time_there.is_confirmed and lease.left_s < min(_LAST_MOMENT_S, self._lease_s / 10):
            return False
        return await lease.extend() == "held"

    async def _outcome_of(self, job: pb.ActivatedJob, attempt: Attempt) -> Outcome:
        if attempt.lost_before >= MOST_ATTEMPTS:
            self.counters.used_up += 1
            _log.error("job not started, attempts used up", **self._names(job), attempts=attempt.lost_before)
            words = ("died", "or", "lost", "its", "lease", f"{attempt.lost_before}", "times")
            return Fail(0, failure_text("ATTEMPTS_USED_UP", self.task.task_type, enrolment_of(job), *words))
        return await self._handling.outcome_of(job)

    def _let_go(self, handling: asyncio.Task[Outcome], lost: Lost) -> None:
        if lost == "gone" and self.task.side_effect:
            # The journey went on without us. What has begun is finished and noted: cut off between handing over and
            # noting it, it would be in doubt for ever.
            return
        # A thread would not hear of it: its place is held until it ends.
        if not self.task.is_sync:
            handling.cancel()

    async def _tell(self, job: pb.ActivatedJob, outcome: Outcome, lease: Lease) -> Told:
        began_s = time.monotonic()
        try:
            outcome, told = await self._reporter.report(
                job.key, outcome, may_go_on=lambda: self.task.side_effect or lease.left_s > 0
            )
        except asyncio.CancelledError:
            self.counters.unreported += 1
            raise
        self.counters.report_time.observe(time.monotonic() - began_s)
        self._count(outcome, told)
        if told in ("refused", "given up"):
            _log.warning("outcome not taken", **self._names(job), outcome=type(outcome).__name__, told=told)
        return told

    def _count(self, outcome: Outcome, told: Told) -> None:
        match told, outcome:
            case "taken", Complete():
                self.counters.completed += 1
            case "taken", Fail():
                self.counters.failed += 1
            case "taken", Throw():
                self.counters.thrown += 1
            case "late", _:
                self.counters.late += 1
            case "refused", _:
                self.counters.refused += 1
            case _:
                self.counters.unreported += 1

    def _names(self, job: pb.ActivatedJob) -> dict[str, object]:
        return {"task_type": self.task.task_type, "job_key": job.key, "instance_key": job.processInstanceKey}


def _whose(job: pb.ActivatedJob) -> str:
    enrolment_id = enrolment_of(job)
    return f"instance {job.processInstanceKey}" if enrolment_id == "-" else enrolment_id


async def _unless_cancelled(handling: asyncio.Task[Outcome]) -> Outcome | None:
    """Return what *handling* returns, or None if it was cancelled while its caller was not."""
    try:
        return await handling
    except asyncio.CancelledError:
        caller = asyncio.current_task()
        if caller is None or caller.cancelling():
            raise
        return None
