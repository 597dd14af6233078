"""What came of a job, and how the engine is told until it knows."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import grpc
from pyzeebe.proto import gateway_pb2 as pb

from waggle.engine.status import BUSY, NO_ENTRY, UNREACHABLE, is_too_large
from waggle.engine.variables import failure_text
from waggle.engine.worker.counters import Counters, Pulse
from waggle.engine.worker.options import WorkerOptions
from waggle.log import get_logger

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

_log = get_logger(__name__)

_MAY_PASS = UNREACHABLE | BUSY | NO_ENTRY
# Faults of the gateway: worth a few tries, no more.
_FAULTS = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS})
_FAULT_TRIES = 4


@dataclass(frozen=True, slots=True)
class Complete:
    """The task did its work."""

    variables: str
    """JSON."""


@dataclass(frozen=True, slots=True)
class Fail:
    """The task did not; no retries left makes an incident."""

    retries: int
    text: str
    wait_s: float = 0.0
    """The engine hands the job out again after this long."""

    @property
    def code(self) -> str:
        """The first word of the text."""
        return self.text.partition(" ")[0]


@dataclass(frozen=True, slots=True)
class Throw:
    """The business said no; the diagram catches the code."""

    code: str
    text: str


Outcome = Complete | Fail | Throw

Told = Literal["taken", "late", "refused", "given up"]
"""Late: the job was done elsewhere, or interrupted, or this very outcome was taken and the answer got lost."""


class Reporter:
    """Tells the engine outcomes of one task type."""

    def __init__(
        self, stub: "GatewayAsyncStub", task_type: str, options: WorkerOptions, counters: Counters, pulse: Pulse
    ) -> None:
        """Count retries in *counters*."""
        self._stub = stub
        self._task_type = task_type
        self._options = options
        self._counters = counters
        self._pulse = pulse

    async def report(self, job_key: int, outcome: Outcome, *, may_go_on: Callable[[], bool]) -> tuple[Outcome, Told]:
        """Tell *outcome* until it is taken or can never be, or *may_go_on* says no; return what was told in the end.

        A completion that is not taken never becomes a failure: that would have the work done again. Only one that the
        engine can never take, being too large or malformed, becomes an incident.
        """
        backoff = self._options.backoff()
        while True:
            try:
                await self._send(job_key, outcome)
            except grpc.aio.AioRpcError as error:
                self._pulse.turned()
                if error.code() not in UNREACHABLE:
                    self._pulse.heard()
                instead = self._instead(outcome, error)
                if instead is not None:
                    outcome = instead
                    continue
                told = _told(error, backoff.failures)
                if told is None and not may_go_on():
                    told = "given up"
                if told is not None:
                    return outcome, told
                self._counters.outcome_retries += 1
                await asyncio.sleep(backoff.next_s())
            else:
                self._pulse.heard()
                return outcome, "taken"

    async def _send(self, job_key: int, outcome: Outcome) -> None:
        timeout_s = self._options.rpc_timeout_s
        match outcome:
            case Complete():
                complete = pb.CompleteJobRequest(jobKey=job_key, variables=outcome.variables)
                await self._stub.CompleteJob(complete, timeout=timeout_s)
            case Fail():
                fail = pb.FailJobRequest(
                    jobKey=job_key,
                    retries=outcome.retries,
                    errorMessage=outcome.text,
                    retryBackOff=round(outcome.wait_s * 1000),
                )
                await self._stub.FailJob(fail, timeout=timeout_s)
            case Throw():
                throw = pb.ThrowErrorRequest(jobKey=job_key, errorCode=outcome.code, errorMessage=outcome.text)
                await self._stub.ThrowError(throw, timeout=timeout_s)

    def _instead(self, outcome: Outcome, error: grpc.aio.AioRpcError) -> Fail | None:
        if not isinstance(outcome, Complete):
            return None
        if is_too_large(error):
            return Fail(0, failure_text("RESULT_TOO_LARGE", self._task_type))
        if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
            return Fail(0, failure_text("RESULT_REFUSED", self._task_type))
        return None


def _told(error: grpc.aio.AioRpcError, tries_before: int) -> Told | None:
    """Return what *error* means for an outcome; None: try again."""
    code = error.code()
    if is_too_large(error):
        return "refused"
    if code in _MAY_PASS or (code in _FAULTS and tries_before < _FAULT_TRIES):
        return None
    if code is grpc.StatusCode.NOT_FOUND:
        return "late"
    if code is grpc.StatusCode.FAILED_PRECONDITION and tries_before:
        return "late"
    return "refused"
