"""One span per job, in the trace of its journey."""

from opentelemetry.trace import SpanKind, get_current_span
from pyzeebe.proto import gateway_pb2 as pb

from waggle.engine.tracing import NO_SPAN, TRACER, JourneySpan, below, journey_root, safe_id

JobSpan = JourneySpan


def job_span(task_type: str, job: pb.ActivatedJob, enrolment_id: str) -> JobSpan:
    """Return the span of one try at *job*, to be entered where its handler is called.

    A job that names no enrolment belongs to the trace of its process instance.
    """
    tracer = TRACER.get()
    if tracer is None:
        return NO_SPAN
    enrolment_id = safe_id(enrolment_id)
    root = journey_root(f"instance {job.processInstanceKey}" if enrolment_id == "-" else enrolment_id)
    attributes: dict[str, str | int] = {
        "waggle.enrolment_id": enrolment_id,
        "waggle.task_type": task_type,
        "zeebe.job_key": job.key,
        "zeebe.retries": job.retries,
        "zeebe.process_instance_key": job.processInstanceKey,
        "zeebe.element_id": job.elementId,
        "zeebe.process_id": job.bpmnProcessId,
    }
    return JobSpan(tracer.start_span(task_type, below(root), SpanKind.CONSUMER, attributes))


def note_unexpected(error: BaseException) -> None:
    """Note on the span of the job that runs what its handler raised; its text may quote a person and is left out."""
    get_current_span().add_event("exception", {"exception.type": type(error).__name__})
