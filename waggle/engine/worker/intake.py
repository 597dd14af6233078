"""How jobs of one task type come in: pushed by the gateway, and polled for."""

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import grpc
from pyzeebe.proto import gateway_pb2 as pb

from waggle.engine.backoff import Backoff
from waggle.engine.status import BUSY, UNREACHABLE, is_no_entry
from waggle.engine.worker.capacity import Capacity
from waggle.engine.worker.counters import Pulse
from waggle.engine.worker.engine_time import EngineTime
from waggle.engine.worker.options import WorkerOptions
from waggle.log import get_logger
from waggle.task import Task

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

_log = get_logger(__name__)

# No pace at which a clock begins journeys: the next job would come in the instant in which the stream is closed.
_QUIET_S = 0.07
_LONGEST_REST_S = 1.0
_DRY_AFTER_S = 0.01
_LONGEST_FLOW_S = 1.0
_LONGEST_BUSY_WAIT_S = 0.4

Accept = Callable[[pb.ActivatedJob], None]
"""Takes a job together with the room that is held for it."""

HandBack = Callable[[pb.ActivatedJob], None]
"""Takes a job for which no room is held."""


class Intake:
    """Brings in no more jobs than there is room for.

    While the gateway pushes, polls are for what it could not push: they are asked at the start, then seldom, and at
    once when pushing had been held up here and has run dry. When it pushes faster than we work, what lies in buffers
    grows old: then the stream is closed, and opened again when polls bring less than there is room for.
    """

    def __init__(  # noqa: PLR0913 - it stands between all these
        self,
        stub: "GatewayAsyncStub",
        task: Task,
        options: WorkerOptions,
        *,
        lease_s: float,
        capacity: Capacity,
        time_there: EngineTime,
        pulse: Pulse,
        accept: Accept,
        hand_back: HandBack,
    ) -> None:
        """Ask for the variables of *task* only, each job leased for *lease_s*."""
        self._stub = stub
        self._task = task
        self._options = options
        self._lease_ms = round(lease_s * 1000)
        self._capacity = capacity
        self._time_there = time_there
        self._pulse = pulse
        self._accept = accept
        self._hand_back = hand_back
        self._tenants = [options.tenant_id] if options.tenant_id else []
        self._is_streaming = False
        self._has_caught_up = asyncio.Event()
        self._reads_since_s: float | None = None
        self._poll_under_way: asyncio.Task[int] | None = None

    async def poll(self) -> None:
        """Poll for ever. Cancelling stops further polls, never the one under way: see `settle`."""
        trouble = self._options.backoff()
        idle = Backoff(first_s=self._options.retry_first_s, cap_s=self._options.poll_s, spread=self._options.spread)
        while True:
            await self._capacity.wait_for_room()
            await self._run_dry()
            taken = self._capacity.take_all()
            if taken == 0:
                continue
            began_s = time.monotonic()
            self._poll_under_way = asyncio.create_task(self._poll_once(taken))
            try:
                brought = await asyncio.shield(self._poll_under_way)
            except grpc.aio.AioRpcError as error:
                await self._pause("poll failed", error, trouble)
                continue
            trouble.reset()
            if brought < taken:
                self._has_caught_up.set()
            if brought or time.monotonic() - began_s > self._options.poll_s / 2:
                idle.reset()
            elif await self._capacity.held_up(idle.next_s()):
                # Meanwhile the gateway may have kept jobs back that it could not push.
                idle.reset()

    async def stream(self) -> None:
        """Take what the gateway pushes, for ever; returns only if this gateway cannot push."""
        trouble = self._options.backoff()
        while True:
            try:
                is_flooded = await self._read_stream(trouble)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                    _log.info("gateway cannot push jobs", task_type=self._task.task_type)
                    return
                await self._pause("stream failed", error, trouble)
            else:
                if is_flooded:
                    _log.info("jobs are pushed faster than done, polling", task_type=self._task.task_type)
                    await self._has_caught_up.wait()
                await asyncio.sleep(trouble.next_s())

    async def settle(self) -> None:
        """Return when the poll under way, if any, has brought what it brings."""
        if self._poll_under_way is not None:
            await asyncio.wait([self._poll_under_way])

    async def abandon(self) -> None:
        """Cut off the poll under way; a job it was about to bring comes again when its lease is over."""
        if self._poll_under_way is not None:
            self._poll_under_way.cancel()
            await asyncio.gather(self._poll_under_way, return_exceptions=True)

    async def _run_dry(self) -> None:
        """Return when nothing is pushed though there is room, or when the gateway has pushed for a while."""
        until_s = time.monotonic() + _LONGEST_FLOW_S
        while self._is_streaming and (now_s := time.monotonic()) < until_s:
            reads_since_s = now_s if self._reads_since_s is None else self._reads_since_s
            if now_s - reads_since_s >= _DRY_AFTER_S:
                return
            await asyncio.sleep(_DRY_AFTER_S - (now_s - reads_since_s))

    async def _poll_once(self, room: int) -> int:
        # While jobs are pushed, a poll that waits would keep room from them.
        wait_ms = -1 if self._is_streaming else round(self._options.poll_s * 1000)
        request = pb.ActivateJobsRequest(
            type=self._task.task_type,
            worker=self._options.name,
            timeout=self._lease_ms,
            maxJobsToActivate=room,
            requestTimeout=wait_ms,
            fetchVariable=self._task.variables,
            tenantIds=self._tenants,
        )
        unused = room
        asked_s = self._time_there.now_s()
        try:
            async for answer in self._stub.ActivateJobs(
                request, timeout=self._options.poll_s + self._options.rpc_timeout_s
            ):
                self._pulse.heard()
                for job in answer.jobs:
                    unused -= 1
                    self._time_there.polled(job.deadline, asked_s)
                    self._accept(job)
        finally:
            self._capacity.give_back(unused)
        self._pulse.heard()
        return room - unused

    async def _read_stream(self, trouble: Backoff) -> bool:
        """Take what is pushed until the gateway ends it, or until there is too much of it: then return True."""
        request = pb.StreamActivatedJobsRequest(
            type=self._task.task_type,
            worker=self._options.name,
            timeout=self._lease_ms,
            fetchVariable=self._task.variables,
            tenantIds=self._tenants,
        )
        call = self._stub.StreamActivatedJobs(request)
        self._is_streaming = True
        unstarted: list[pb.ActivatedJob] = []
        reading: asyncio.Future[Any] | None = None
        try:
            while True:
                # One is read ahead, to be at hand when room frees. The others stay in a small buffer of the connection,
                # or with the gateway, for other workers.
                self._reads_since_s = time.monotonic()
                # A read that is cancelled loses what it was about to bring.
                reading = asyncio.ensure_future(call.read())
                job = await asyncio.shield(reading)
                self._reads_since_s, reading = None, None
                if job is grpc.aio.EOF:
                    return False
                self._pulse.heard()
                trouble.reset()
                unstarted.append(job)
                if await self._has_room_in_time():
                    self._accept(unstarted.pop())
                if unstarted or self._time_there.is_old(job.deadline):
                    self._has_caught_up.clear()
                    # Polls need a moment to bring their first: until then those that work live on what is here.
                    reading = await _read_rest(call, None, lambda job: self._keep(job, unstarted))
                    return True
        except asyncio.CancelledError:
            reading = await _read_rest(call, reading, unstarted.append)
            raise
        finally:
            self._is_streaming = False
            # First the stream, else the gateway pushes what is handed back to us again.
            call.cancel()
            unstarted += await _brought_at_last(reading)
            for job in unstarted:
                self._hand_back(job)

    def _keep(self, job: pb.ActivatedJob, others: list[pb.ActivatedJob]) -> None:
        """Accept *job* if there is room, else leave it to others."""
        if self._capacity.take_now():
            self._accept(job)
        else:
            others.append(job)

    async def _has_room_in_time(self) -> bool:
        try:
            async with asyncio.timeout(self._time_there.old_after_s):
                await self._capacity.take_one()
        except TimeoutError:
            return False
        return True

    async def _pause(self, event: str, error: grpc.aio.AioRpcError, trouble: Backoff) -> None:
        self._pulse.turned()
        if error.code() not in UNREACHABLE:
            self._pulse.heard()
        # One line when trouble begins, which may last for hours; to be held back is no trouble.
        say = _log.debug if trouble.failures or error.code() in BUSY else _log.warning
        say(event, task_type=self._task.task_type, status=error.code().name)
        wait_s = trouble.next_s()
        if is_no_entry(error):
            wait_s = max(wait_s, self._options.refused_wait_s)
        elif error.code() in BUSY:
            # A busy engine says no to some calls and yes to others: who waits for long gets nothing.
            wait_s = min(wait_s, _LONGEST_BUSY_WAIT_S)
        await asyncio.sleep(wait_s)


async def _read_rest(
    call: Any,  # noqa: ANN401 - untyped library
    reading: asyncio.Future[Any] | None,
    take: Callable[[pb.ActivatedJob], None],
) -> asyncio.Future[Any] | None:
    """Have *take* get the jobs in the buffer of *call* or on their way to it, from the one that *reading* brings on.

    Unread they would be locked until their leases are over. What is pushed without end is cut off in a gap. Return the
    read that is then under way: it may yet bring one.
    """
    began_s = time.monotonic()
    while (passed_s := time.monotonic() - began_s) < _LONGEST_REST_S:
        reading = reading or asyncio.ensure_future(call.read())
        ended, _ = await asyncio.wait([reading], timeout=_QUIET_S if passed_s < _LONGEST_REST_S / 2 else _DRY_AFTER_S)
        if not ended:
            return reading
        if reading.cancelled() or reading.exception() is not None or reading.result() is grpc.aio.EOF:
            return None
        take(reading.result())
        reading = None
    return None


async def _brought_at_last(reading: asyncio.Future[Any] | None) -> list[pb.ActivatedJob]:
    """Return the job that *reading* brings although its call is cancelled: it had come, and was not yet noticed."""
    if reading is None:
        return []
    ended, _ = await asyncio.wait([reading], timeout=_LONGEST_REST_S)
    if not ended:
        reading.cancel()
        return []
    if reading.cancelled() or reading.exception() is not None or reading.result() is grpc.aio.EOF:
        return []
    return [reading.result()]
