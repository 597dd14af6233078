"""Task `report-privacy-request`: tell people on duty that a customer's request waits for one of them."""

from dataclasses import dataclass

from waggle.services.privacy_answers import PrivacyAnswers
from waggle.task import task


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPrivacyRequest:
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyRequestReported:
    request_waits: bool
    """False: it was closed meanwhile."""


@task("report-privacy-request")
async def report_privacy_request(job: ReportPrivacyRequest, answers: PrivacyAnswers) -> PrivacyRequestReported:
    """Warn in the log and the audit log, once; the metric of overdue requests tells the rest.

    Raises:
        PermanentFailure: PRIVACY_REQUEST_UNKNOWN.
    """
    return PrivacyRequestReported(request_waits=await answers.report(job.request_id))
