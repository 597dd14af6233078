"""From a job to its outcome: read the input, call the task, write the output, name what went wrong."""

import asyncio
from collections.abc import Mapping

import msgspec
from pyzeebe.proto import gateway_pb2 as pb

from waggle.engine.backoff import Spread, at_least_s, job_wait_s
from waggle.engine.variables import checked, failure_text
from waggle.engine.worker.counters import Counters
from waggle.engine.worker.outcome import Complete, Fail, Outcome, Throw
from waggle.errors import Rejected, TemporaryFailure, WaggleError
from waggle.log import get_logger
from waggle.task import JobOrigin, Task

_log = get_logger(__name__)

# The engine was measured to take 1.9 MB and to refuse 3.5 MB; what comes with the command counts too.
_LARGEST_RESULT_BYTES = 1_000_000


class Handling:
    """Calls one task with its services."""

    def __init__(self, task: Task, services: Mapping[str, object], counters: Counters, spread: Spread) -> None:
        """Pass *services*, by parameter name, to every call."""
        self._task = task
        self._services = services
        self._counters = counters
        self._spread = spread

    async def outcome_of(self, job: pb.ActivatedJob) -> Outcome:
        """Do the task; every error becomes an outcome, except that the caller cancels."""
        variables = _decoded(job.variables)
        try:
            given: object = msgspec.convert(variables, self._task.input, strict=True)
        except msgspec.ValidationError as error:
            # Its text may quote a value; the fields it speaks of are enough to find the mistake in the diagram.
            wrong = [name for name in self._task.variables if f"`{name}`" in str(error) or f"$.{name}" in str(error)]
            _log.error("input refused", **self._keys(job), fields=wrong)
            return Fail(0, self._text("INPUT_REFUSED", variables, *wrong))
        self._counters.started += 1
        try:
            async with asyncio.timeout(self._task.timeout_s):
                result = await self._task.call(given, **self._services, **self._origin(job))
        except Exception as error:  # noqa: BLE001 - whatever a task raises is an outcome of the job
            return self._outcome_of_error(error, job, variables)
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            return self._outcome_of_error(error, job, variables)
        return self._outcome_of_result(result, job, variables)

    def _origin(self, job: pb.ActivatedJob) -> dict[str, JobOrigin]:
        if self._task.origin is None:
            return {}
        return {self._task.origin: JobOrigin(job.processInstanceKey, job.elementId)}

    def _outcome_of_result(self, result: object, job: pb.ActivatedJob, variables: Mapping[str, object]) -> Outcome:
        try:
            written = msgspec.to_builtins(result)
            encoded = msgspec.json.encode(written)
        except (TypeError, ValueError, RecursionError, OverflowError):
            written, encoded = None, b""
        if not isinstance(written, dict):
            _log.error("result refused", **self._keys(job), result_type=type(result).__name__)
            return Fail(0, self._text("RESULT_REFUSED", variables))
        if len(encoded) > _LARGEST_RESULT_BYTES:
            _log.error("result too large", **self._keys(job), size_bytes=len(encoded))
            return Fail(0, self._text("RESULT_TOO_LARGE", variables))
        declared = {name: value for name, value in written.items() if name in self._task.results}
        try:
            allowed = checked(declared, self._task.results)
        except WaggleError as error:
            return self._outcome_of_error(error, job, variables)
        return Complete(msgspec.json.encode(allowed).decode())

    def _outcome_of_error(self, error: BaseException, job: pb.ActivatedJob, variables: Mapping[str, object]) -> Outcome:
        if isinstance(error, Rejected) and error.code in self._task.throws:
            return Throw(error.code, self._text(error.code, variables))
        if isinstance(error, TemporaryFailure):
            _log.warning("task failed for now", **self._keys(job), code=error.code, reason=error.message)
            # Surely not done, so it costs no retry: an outage of an hour must not become a thousand incidents.
            wait_s = at_least_s(max(0.0, error.retry_after_s), self._spread)
            return Fail(job.retries, self._text(error.code, variables), wait_s)
        if isinstance(error, WaggleError):
            _log.error("task failed", **self._keys(job), code=error.code, reason=error.message)
            return Fail(0, self._text(error.code, variables))
        _log.error("task failed unexpectedly", **self._keys(job), exc_info=error)
        retries = max(0, job.retries - 1)
        text = failure_text("UNEXPECTED", type(error).__name__, self._task.task_type, _enrolment(variables))
        return Fail(retries, text, job_wait_s(job.retries, self._spread))

    def _text(self, code: str, variables: Mapping[str, object], *details: str) -> str:
        return failure_text(code, self._task.task_type, _enrolment(variables), *details)

    def _keys(self, job: pb.ActivatedJob) -> dict[str, object]:
        return {"task_type": self._task.task_type, "job_key": job.key, "instance_key": job.processInstanceKey}


def enrolment_of(job: pb.ActivatedJob) -> str:
    """Return the opaque id by which people find the journey of *job*, or a dash."""
    return _enrolment(_decoded(job.variables))


def _enrolment(variables: Mapping[str, object]) -> str:
    found = variables.get("enrolment_id")
    return found if isinstance(found, str) else "-"


def _decoded(variables: str) -> dict[str, object]:
    try:
        decoded = msgspec.json.decode(variables or "{}")
    except msgspec.DecodeError:
        return {}
    return decoded if isinstance(decoded, dict) else {}


def _is_cancelled() -> bool:
    """Say whether somebody cancelled this task, rather than the handler something of its own."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
