"""All the work on one task type in this process."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from pyzeebe.proto import gateway_pb2 as pb

from waggle.engine.variables import failure_text
from waggle.engine.worker.counters import Counters, Pulse
from waggle.engine.worker.handling import Handling, enrolment_of
from waggle.engine.worker.intake import Intake
from waggle.engine.worker.keys import JobKeys
from waggle.engine.worker.lease import Lease
from waggle.engine.worker.options import WorkerOptions
from waggle.engine.worker.outcome import Complete, Fail, Outcome, Reporter, Throw, Told
from waggle.engine.worker.slots import Slots
from waggle.log import get_logger
from waggle.ports.clock import Clock
from waggle.task import Task

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

_log = get_logger(__name__)


class TaskWorker:
    """Takes jobs in, has them done, reports; every job holds one slot from its arrival until the engine knows."""

    def __init__(  # noqa: PLR0913 - it wires one task type
        self,
        stub: "GatewayAsyncStub",
        task: Task,
        services: Mapping[str, object],
        *,
        clock: Clock,
        options: WorkerOptions,
        pulse: Pulse,
    ) -> None:
        """Pass *services*, by parameter name, to the task; *clock* is the engine's, by which it dates leases."""
        self.task = task
        self.counters = Counters()
        self._stub = stub
        self._clock = clock
        self._options = options
        self._lease_s = task.timeout_s + options.queue_wait_s
        self._slots = Slots(task.concurrency)
        self._keys = JobKeys(self._lease_s)
        self._handling = Handling(task, services, self.counters, options.spread)
        self._reporter = Reporter(stub, task.task_type, options, self.counters, pulse)
        self._intake = Intake(
            stub,
            task,
            options,
            lease_s=self._lease_s,
            slots=self._slots,
            pulse=pulse,
            accept=self._accept,
            hand_back=self._hand_back,
        )
        self._under_way: set[asyncio.Task[None]] = set()
        self._is_draining = False

    @property
    def intakes(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """What has to run so that jobs come in."""
        return [self._intake.poll, self._intake.stream] if self._options.stream else [self._intake.poll]

    def stop_starting(self) -> None:
        """From now on hand back every job that has not started."""
        self._is_draining = True

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
        return len(left)

    def _accept(self, job: pb.ActivatedJob) -> None:
        if self._is_draining:
            self._slots.give_back()
            self._hand_back(job)
            return
        self.counters.activated += 1
        if not self._keys.take(job.key):
            self.counters.repeated += 1
            self._slots.give_back()
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
        self.counters.in_flight += 1
        is_done = False
        try:
            is_done = await self._do(job)
        except Exception as error:  # noqa: BLE001 - a mistake of ours must cost one lease and not the worker
            _log.error("job dropped", **self._names(job), exc_info=error)
        finally:
            self.counters.in_flight -= 1
            self._keys.drop(job.key, is_done=is_done)
            self._slots.give_back()

    async def _do(self, job: pb.ActivatedJob) -> bool:
        """Do and report *job*; True if the engine will not hand it out again."""
        left_s = min(self._lease_s, job.deadline / 1000 - self._clock.now().timestamp())
        lease = Lease(self._stub, job.key, lease_s=self._lease_s, left_s=left_s, options=self._options)
        # It waited in a buffer, or our clock is ahead of the engine's: the engine knows which.
        if left_s < self.task.timeout_s and await lease.extend() != "held":
            self.counters.expired += 1
            _log.info("job not started, its lease is over", **self._names(job))
            return False
        handling = asyncio.create_task(self._handling.outcome_of(job))
        keeper = asyncio.create_task(self._keep(lease, handling))
        try:
            outcome = await _unless_cancelled(handling)
            if outcome is None:
                self.counters.lease_lost += 1
                _log.warning("lease lost, handler cancelled", **self._names(job))
                return False
            return await self._tell(job, outcome, lease)
        finally:
            keeper.cancel()

    async def _keep(self, lease: Lease, handling: asyncio.Task[Outcome]) -> None:
        lost = await lease.keep()
        if lost == "gone" and self.task.side_effect:
            # The journey went on without us. What has begun is finished and noted: cut off between handing over and
            # noting it, it would be in doubt for ever.
            return
        handling.cancel()

    async def _tell(self, job: pb.ActivatedJob, outcome: Outcome, lease: Lease) -> bool:
        try:
            outcome, told = await self._reporter.report(
                job.key, outcome, may_go_on=lambda: self.task.side_effect or lease.left_s > 0
            )
        except asyncio.CancelledError:
            self.counters.unreported += 1
            raise
        self._count(outcome, told)
        if told in ("refused", "given up"):
            _log.warning("outcome not taken", **self._names(job), outcome=type(outcome).__name__, told=told)
        return told == "late" or (told == "taken" and not isinstance(outcome, Fail))

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


async def _unless_cancelled(handling: asyncio.Task[Outcome]) -> Outcome | None:
    """Return what *handling* returns, or None if it was cancelled while its caller was not."""
    try:
        return await handling
    except asyncio.CancelledError:
        caller = asyncio.current_task()
        if caller is None or caller.cancelling():
            raise
        return None
