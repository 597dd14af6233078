"""Task `apply-privacy-request`: correct, restrict or stop what a customer asked for."""

from dataclasses import dataclass

from waggle.services.privacy_answers import PrivacyAnswers
from waggle.task import task


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyPrivacyRequest:
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyRequestApplied:
    request_applied: bool


@task("apply-privacy-request")
async def apply_privacy_request(job: ApplyPrivacyRequest, answers: PrivacyAnswers) -> PrivacyRequestApplied:
    """Tell it as facts, and wait until they are applied.

    Raises:
        TemporaryFailure: FACTS_PENDING.
        PermanentFailure: PRIVACY_REQUEST_UNKNOWN; or NOT_FOR_A_MACHINE, a person has to do what it asks for.
    """
    await answers.apply(job.request_id)
    return PrivacyRequestApplied(request_applied=True)
