"""Task `record-outcome`: the last of every journey."""

from dataclasses import dataclass

from waggle.services.enrolments import Enrolments
from waggle.task import task


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOutcome:
    enrolment_id: str
    outcome: str
    outcome_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRecorded:
    outcome_recorded: bool


@task("record-outcome", concurrency=16)
async def record_outcome(job: RecordOutcome, enrolments: Enrolments) -> OutcomeRecorded:
    """End the enrolment and all that it had not sent yet.

    Raises:
        PermanentFailure: ENROLMENT_UNKNOWN.
    """
    await enrolments.end(job.enrolment_id, job.outcome, job.outcome_reason)
    return OutcomeRecorded(outcome_recorded=True)
