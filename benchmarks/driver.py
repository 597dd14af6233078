"""Starts journeys: the same for whatever is measured."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import grpc
import msgspec
from pyzeebe.proto import gateway_pb2 as pb
from pyzeebe.proto.gateway_pb2_grpc import GatewayStub

from waggle.engine.backoff import Backoff
from waggle.engine.status import BUSY, UNREACHABLE

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

IN_FLIGHT = 32
_TIME_TO_LIVE_MS = 60_000
_RPC_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Start:
    """One journey to be started."""

    message: str
    """Name of the engine message."""
    journey_id: str
    """Correlation key and message id: a start that is repeated is refused."""
    variables: dict[str, object] = field(default_factory=dict)


class Driver:
    """Publishes starts on one channel, again until each is taken."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.began_ns: dict[str, int] = {}
        """By journey: when its start was first tried, as `time.time_ns` has it."""
        self.held_back = 0
        """How often the engine asked us to come again."""
        self._stub = cast("GatewayAsyncStub", GatewayStub(channel))

    async def deploy(self, name: str, diagram: bytes) -> None:
        """Deploy *diagram* under the file name *name*."""
        request = pb.DeployResourceRequest(resources=[pb.Resource(name=name, content=diagram)])
        await self._stub.DeployResource(request, timeout=30)

    async def start(self, starts: Sequence[Start], *, per_s: float | None = None) -> None:
        """Start all, at most 32 under way at once and, if said, at most *per_s* begun in a second.

        Raises:
            grpc.aio.AioRpcError: the engine refused one for good.
        """
        line = iter(starts)
        pace = _Pace(per_s)
        async with asyncio.TaskGroup() as group:
            for _ in range(IN_FLIGHT):
                group.create_task(self._start_in_turn(line, pace))

    async def _start_in_turn(self, line: Iterator[Start], pace: "_Pace") -> None:
        for start in line:
            await pace.turn()
            self.began_ns[start.journey_id] = time.time_ns()
            await self._publish(start)

    async def _publish(self, start: Start) -> None:
        request = pb.PublishMessageRequest(
            name=start.message,
            correlationKey=start.journey_id,
            messageId=start.journey_id,
            timeToLive=_TIME_TO_LIVE_MS,
            variables=msgspec.json.encode(start.variables).decode(),
        )
        backoff = Backoff(first_s=0.02, cap_s=1.0)
        while True:
            try:
                await self._stub.PublishMessage(request, timeout=_RPC_TIMEOUT_S)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.ALREADY_EXISTS:
                    return
                if error.code() not in BUSY | UNREACHABLE:
                    raise
                self.held_back += 1
                await asyncio.sleep(backoff.next_s())
            else:
                return


class _Pace:
    """Lets one pass every so often; whoever comes late makes nobody wait."""

    def __init__(self, per_s: float | None) -> None:
        self._every_s = 1 / per_s if per_s else 0.0
        self._next_s = time.monotonic()

    async def turn(self) -> None:
        if not self._every_s:
            return
        mine_s = self._next_s = max(self._next_s + self._every_s, time.monotonic())
        await asyncio.sleep(mine_s - time.monotonic())


class Broom:
    """Does whatever jobs lie about, quickly and without any meaning, until no journey is left from a round before."""

    def __init__(self, channel: grpc.aio.Channel, task_types: Sequence[str]) -> None:
        self._stub = cast("GatewayAsyncStub", GatewayStub(channel))
        self._task_types = task_types

    async def sweep(self) -> None:
        """Sweep for ever; to be cancelled."""
        await asyncio.gather(*(self._sweep(task_type) for task_type in self._task_types))

    async def _sweep(self, task_type: str) -> None:
        request = pb.ActivateJobsRequest(
            type=task_type,
            worker="broom",
            timeout=10_000,
            maxJobsToActivate=IN_FLIGHT,
            requestTimeout=1_000,
            fetchVariable=["nothing"],
        )
        while True:
            try:
                async for answer in self._stub.ActivateJobs(request, timeout=15):
                    done: Any = [self._stub.CompleteJob(pb.CompleteJobRequest(jobKey=job.key)) for job in answer.jobs]
                    await asyncio.gather(*done, return_exceptions=True)
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0.1)
