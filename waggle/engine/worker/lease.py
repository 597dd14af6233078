"""Our right to work on one job."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import grpc
from pyzeebe.proto import gateway_pb2 as pb

from waggle.engine.worker.options import WorkerOptions

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

_GONE = frozenset({grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION})


Lost = Literal["gone", "over"]
"""The job is done, interrupted or free for all; or the time we last knew of has passed."""


class Lease:
    """What we know of the lease on a job by our own clock.

    The engine extends a lease for whoever asks, even when the job has gone to another worker, so its yes proves nothing
    once the time we last knew of is over.
    """

    def __init__(
        self, stub: "GatewayAsyncStub", job_key: int, *, lease_s: float, left_s: float, options: WorkerOptions
    ) -> None:
        """Begin with *left_s* seconds; each extension gives *lease_s* from when it was asked for."""
        self._stub = stub
        self._job_key = job_key
        self._lease_s = lease_s
        self._until_s = time.monotonic() + left_s
        self._options = options
        self._is_lost = False

    @property
    def is_lost(self) -> bool:
        """Whether it ended while it was kept."""
        return self._is_lost

    @property
    def left_s(self) -> float:
        """Seconds that surely remain; negative when it is over."""
        return self._until_s - time.monotonic()

    async def extend(self) -> Literal["held", "gone", "unknown"]:
        """Ask for a full lease from now on. Gone: the job is done, interrupted, or free for all."""
        asked_s = time.monotonic()
        request = pb.UpdateJobTimeoutRequest(jobKey=self._job_key, timeout=round(self._lease_s * 1000))
        try:
            await self._stub.UpdateJobTimeout(request, timeout=min(self._options.rpc_timeout_s, self._lease_s / 3))
        except grpc.aio.AioRpcError as error:
            return "gone" if error.code() in _GONE else "unknown"
        self._until_s = asked_s + self._lease_s
        return "held"

    @contextmanager
    def kept(self, on_lost: Callable[[Lost], None]) -> Iterator[None]:
        """Extend it as long as the context is open; call *on_lost* if that fails for good."""
        keeper = asyncio.create_task(self._keep_or_tell(on_lost))
        try:
            yield
        finally:
            keeper.cancel()

    async def keep(self) -> Lost:
        """Extend each time a third of the lease has passed; return when there is nothing left to extend."""
        backoff = self._options.backoff()
        while True:
            await asyncio.sleep(max(0.0, self.left_s - self._lease_s * 2 / 3))
            answer = await self.extend()
            while answer == "unknown":
                if self.left_s <= 0:
                    return "over"
                await asyncio.sleep(min(backoff.next_s(), max(0.0, self.left_s)))
                answer = await self.extend()
            if answer == "gone":
                return "gone"
            backoff.reset()

    async def _keep_or_tell(self, on_lost: Callable[[Lost], None]) -> None:
        lost = await self.keep()
        self._is_lost = True
        on_lost(lost)
