"""Task `suppress-customer`: write no more advertising to somebody who does not care for it."""

from dataclasses import dataclass

from waggle.services.suppressing import Suppressing
from waggle.task import task


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressCustomer:
    enrolment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerSuppressed:
    suppressed: bool
    """False: they were kept out for another reason already (a bounce, a complaint), which stays."""


@task("suppress-customer")
async def suppress_customer(job: SuppressCustomer, suppressing: Suppressing) -> CustomerSuppressed:
    """Keep the customer out of every marketing message; mails about their orders go on. Undone by unsuppress-customer.

    Raises:
        PermanentFailure: ENROLMENT_UNKNOWN.
    """
    return CustomerSuppressed(suppressed=await suppressing.suppress(job.enrolment_id))
