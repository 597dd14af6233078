"""Task `check-eligibility`: may this customer be written to at all."""

from dataclasses import dataclass

from waggle.services.eligibility import Eligibility
from waggle.task import task


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckEligibility:
    enrolment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EligibilityChecked:
    eligible: bool
    eligibility_reason: str
    """`eligible`, or the first rule that says no: no_contact, no_consent, suppressed, holdout, ..."""


@task("check-eligibility", concurrency=16)
async def check_eligibility(job: CheckEligibility, eligibility: Eligibility) -> EligibilityChecked:
    """Ask before a coupon is spent; everything is asked again at the moment of sending.

    Raises:
        PermanentFailure: ENROLMENT_UNKNOWN.
    """
    found = await eligibility.check(job.enrolment_id)
    return EligibilityChecked(eligible=found.eligible, eligibility_reason=found.reason)
