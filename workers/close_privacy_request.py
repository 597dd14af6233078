"""Task `close-privacy-request`: write down what became of a customer's request."""

from dataclasses import dataclass

from waggle.services.privacy_answers import PrivacyAnswers
from waggle.task import task


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosePrivacyRequest:
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyRequestClosed:
    request_outcome: str
    """erased, delivered, applied, refused or unconfirmed."""


@task("close-privacy-request")
async def close_privacy_request(job: ClosePrivacyRequest, answers: PrivacyAnswers) -> PrivacyRequestClosed:
    """Close it as what was done; one that a person closed stays as they did.

    Raises:
        PermanentFailure: PRIVACY_REQUEST_UNKNOWN.
    """
    return PrivacyRequestClosed(request_outcome=await answers.close(job.request_id))
