"""How jobs of one task type come in: pushed by the gateway, and polled for."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import grpc
from pyzeebe.proto import gateway_pb2 as pb

from waggle.engine.backoff import Backoff
from waggle.engine.status import BUSY, NO_ENTRY, UNREACHABLE
from waggle.engine.worker.counters import Pulse
from waggle.engine.worker.options import WorkerOptions
from waggle.engine.worker.slots import Slots
from waggle.log import get_logger
from waggle.task import Task

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

_log = get_logger(__name__)

_READ_REST_S = 0.2

Accept = Callable[[pb.ActivatedJob], None]
"""Takes a job together with the slot that is held for it."""

HandBack = Callable[[pb.ActivatedJob], None]
"""Takes a job for which no slot is held."""


class Intake:
    """Brings in no more jobs than there are free slots."""

    def __init__(  # noqa: PLR0913 - it stands between all these
        self,
        stub: "GatewayAsyncStub",
        task: Task,
        options: WorkerOptions,
        *,
        lease_s: float,
        slots: Slots,
        pulse: Pulse,
        accept: Accept,
        hand_back: HandBack,
    ) -> None:
        """Ask for the variables of *task* only, each job leased for *lease_s*."""
        self._stub = stub
        self._task = task
        self._options = options
        self._lease_ms = round(lease_s * 1000)
        self._slots = slots
        self._pulse = pulse
        self._accept = accept
        self._hand_back = hand_back
        self._is_streaming = False
        self._poll_under_way: asyncio.Task[int] | None = None

    async def poll(self) -> None:
        """Poll for ever. Cancelling stops further polls, never the one under way: see `settle`."""
        trouble = self._options.backoff()
        idle = Backoff(first_s=self._options.retry_first_s, cap_s=self._options.poll_s, spread=self._options.spread)
        while True:
            taken = await self._slots.take_all()
            began_s = time.monotonic()
            self._poll_under_way = asyncio.create_task(self._poll_once(taken))
            try:
                brought = await asyncio.shield(self._poll_under_way)
            except grpc.aio.AioRpcError as error:
                await self._pause("poll failed", error, trouble)
                continue
            trouble.reset()
            if brought or time.monotonic() - began_s > self._options.poll_s / 2:
                idle.reset()
            elif await self._slots.relieved(idle.next_s()):
                # While all slots were taken the gateway may have kept jobs back that it could not push.
                idle.reset()

    async def stream(self) -> None:
        """Take what the gateway pushes, for ever; returns only if this gateway cannot push."""
        trouble = self._options.backoff()
        while True:
            try:
                await self._read_stream(trouble)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                    _log.info("gateway cannot push jobs", task_type=self._task.task_type)
                    return
                await self._pause("stream failed", error, trouble)
            else:
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

    async def _poll_once(self, slots: int) -> int:
        # While jobs are pushed, a poll that waits would keep slots from them.
        wait_ms = -1 if self._is_streaming else round(self._options.poll_s * 1000)
        request = pb.ActivateJobsRequest(
            type=self._task.task_type,
            worker=self._options.name,
            timeout=self._lease_ms,
            maxJobsToActivate=slots,
            requestTimeout=wait_ms,
            fetchVariable=self._task.variables,
        )
        unused = slots
        try:
            async for answer in self._stub.ActivateJobs(
                request, timeout=self._options.poll_s + self._options.rpc_timeout_s
            ):
                self._pulse.heard()
                for job in answer.jobs:
                    unused -= 1
                    self._accept(job)
        finally:
            self._slots.give_back(unused)
        self._pulse.heard()
        return slots - unused

    async def _read_stream(self, trouble: Backoff) -> None:
        request = pb.StreamActivatedJobsRequest(
            type=self._task.task_type,
            worker=self._options.name,
            timeout=self._lease_ms,
            fetchVariable=self._task.variables,
        )
        call = self._stub.StreamActivatedJobs(request)
        self._is_streaming = True
        unstarted: list[pb.ActivatedJob] = []
        try:
            while True:
                # What is not read stays in a small buffer of the connection, or with the gateway, for others.
                await self._slots.wait_free()
                job = await call.read()
                if job is grpc.aio.EOF:
                    return
                self._pulse.heard()
                trouble.reset()
                unstarted.append(job)
                await self._slots.take_one()
                self._accept(unstarted.pop())
        except asyncio.CancelledError:
            unstarted += await _rest(call)
            raise
        finally:
            self._is_streaming = False
            # First the stream, else the gateway pushes what is handed back to us again.
            call.cancel()
            for job in unstarted:
                self._hand_back(job)

    async def _pause(self, event: str, error: grpc.aio.AioRpcError, trouble: Backoff) -> None:
        if error.code() not in UNREACHABLE:
            self._pulse.heard()
        # One line when trouble begins, which may last for hours; to be held back is no trouble.
        say = _log.debug if trouble.failures or error.code() in BUSY else _log.warning
        say(event, task_type=self._task.task_type, status=error.code().name)
        wait_s = trouble.next_s()
        await asyncio.sleep(max(wait_s, self._options.refused_wait_s) if error.code() in NO_ENTRY else wait_s)


async def _rest(call: Any) -> list[pb.ActivatedJob]:  # noqa: ANN401 - untyped library
    """Return the jobs that lie in the buffer of *call*; unread they would be locked until their leases are over."""
    found: list[pb.ActivatedJob] = []
    with suppress(TimeoutError, grpc.aio.AioRpcError):
        async with asyncio.timeout(_READ_REST_S):
            while (job := await call.read()) is not grpc.aio.EOF:
                found.append(job)
    return found
