"""From a job to its outcome: read the input, call the task, write the output, name what went wrong."""

import asyncio
from collections.abc import Mapping

import msgspec
from pyzeebe.proto import gateway_pb2 as pb

from waggle.engine.backoff import Spread, at_least_s, job_wait_s
from waggle.engine.variables import checked, failure_text
from waggle.engine.worker.calling import Calling, TookTooLong
from waggle.engine.worker.counters import Counters
from waggle.engine.worker.outcome import Complete, Fail, Outcome, Throw
from waggle.engine.worker.reading import Unreadable, converted, decoded
from waggle.engine.worker.tracing import job_span, note_unexpected
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
        self._calling = Calling(task, counters)

    async def outcome_of(self, job: pb.ActivatedJob) -> Outcome:
        """Do the task; every error becomes an outcome, except that the caller cancels."""
        whose = enrolment_of(job)
        with job_span(self._task.task_type, job, whose) as span:
            outcome = await self._outcome(job, whose)
            match outcome:
                case Complete():
                    span.ended("completed")
                case Throw():
                    span.ended("thrown", outcome.code)
                case Fail():
                    span.failed("failed", outcome.code)
        return outcome

    async def _outcome(self, job: pb.ActivatedJob, whose: str) -> Outcome:
        try:
            given: object = converted(decoded(job.variables), self._task.input, strict=True)
        except Unreadable as fault:
            return self._refused("INPUT_REFUSED", job, whose, fault)
        try:
            further = {**self._services, **self._origin(job), **self._headers(job)}
        except Unreadable as fault:
            return self._refused("HEADERS_REFUSED", job, whose, fault)
        self._counters.started += 1
        try:
            result = await self._calling.result(given, further)
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - all that a task raises is an outcome
            return self._outcome_of_error(error, job, whose)
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            return self._outcome_of_error(error, job, whose)
        return self._outcome_of_result(result, job, whose)

    def close(self) -> None:
        """Begin nothing any more."""
        self._calling.close()

    def _origin(self, job: pb.ActivatedJob) -> dict[str, object]:
        if self._task.origin is None:
            return {}
        return {
            self._task.origin: JobOrigin(job.processInstanceKey, job.elementId, job.processDefinitionVersion or None)
        }

    def _headers(self, job: pb.ActivatedJob) -> dict[str, object]:
        if self._task.headers is None or self._task.headers_type is None:
            return {}
        return {self._task.headers: converted(decoded(job.customHeaders), self._task.headers_type, strict=False)}

    def _refused(self, code: str, job: pb.ActivatedJob, whose: str, fault: Unreadable) -> Fail:
        _log.error("job refused", **self._keys(job), code=code, reason=" ".join(fault.details))
        return Fail(0, self._text(code, whose, *fault.details))

    def _outcome_of_result(self, result: object, job: pb.ActivatedJob, whose: str) -> Outcome:
        try:
            written = msgspec.to_builtins(result)
            encoded = msgspec.json.encode(written)
        except Exception:  # noqa: BLE001 - what a result is made of may raise what it likes
            written, encoded = None, b""
        if not isinstance(written, dict):
            wanted, found = self._task.output.__name__, type(result).__name__
            _log.error("result refused", **self._keys(job), result_type=found)
            details = () if isinstance(result, self._task.output) else ("returned", found, "expected", wanted)
            return Fail(0, self._text("RESULT_REFUSED", whose, *details))
        if len(encoded) > _LARGEST_RESULT_BYTES:
            _log.error("result too large", **self._keys(job), size_bytes=len(encoded))
            return Fail(0, self._text("RESULT_TOO_LARGE", whose, f"{len(encoded)}", "bytes"))
        declared = {name: value for name, value in written.items() if name in self._task.results}
        try:
            allowed = checked(declared, self._task.results)
        except WaggleError as error:
            _log.error("result refused", **self._keys(job), code=error.code, reason=error.message)
            # Its message names the variable and the rule, as incidents may.
            return Fail(0, self._text(error.code, whose, *error.message.replace(",", "").split()))
        return Complete(msgspec.json.encode(allowed).decode())

    def _outcome_of_error(self, error: BaseException, job: pb.ActivatedJob, whose: str) -> Outcome:
        if isinstance(error, Rejected) and error.code in self._task.throws:
            return Throw(error.code, self._text(error.code, whose))
        if isinstance(error, TemporaryFailure):
            tell = _log.debug if error.expected else _log.warning
            tell("task failed for now", **self._keys(job), code=failure_text(error.code), reason=error.message)
            # Surely not done, so it costs no retry: an outage of an hour must not become a thousand incidents.
            wait_s = at_least_s(max(0.0, error.retry_after_s), self._spread)
            return Fail(job.retries, self._text(error.code, whose), wait_s)
        if isinstance(error, WaggleError):
            _log.error("task failed", **self._keys(job), code=failure_text(error.code), reason=error.message)
            details = ("is", "not", "in", "throws", "of", "the", "task") if isinstance(error, Rejected) else ()
            return Fail(0, self._text(error.code, whose, *details))
        if isinstance(error, TookTooLong):
            _log.error("task stopped", **self._keys(job), limit_s=self._task.timeout_s)
            return self._tried(job, self._text("TIMED_OUT", whose, "after", f"{self._task.timeout_s:g}", "s"))
        _log.error("task failed unexpectedly", **self._keys(job), exc_info=error)
        note_unexpected(error)
        return self._tried(job, failure_text("UNEXPECTED", type(error).__name__, self._task.task_type, whose))

    def _tried(self, job: pb.ActivatedJob, text: str) -> Fail:
        left = max(0, min(job.retries, self._task.retries) - 1)
        return Fail(left, text, job_wait_s(job.retries, self._spread))

    def _text(self, code: str, whose: str, *details: str) -> str:
        return failure_text(code, self._task.task_type, whose, *details)

    def _keys(self, job: pb.ActivatedJob) -> dict[str, object]:
        return {"task_type": self._task.task_type, "job_key": job.key, "instance_key": job.processInstanceKey}


def enrolment_of(job: pb.ActivatedJob) -> str:
    """Return the opaque id by which people find the journey of *job*, or a dash."""
    try:
        found = decoded(job.variables).get("enrolment_id")
    except Unreadable:
        return "-"
    return found if isinstance(found, str) else "-"


def _is_cancelled() -> bool:
    """Say whether somebody cancelled this task, rather than the handler something of its own."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
