"""Task `unsuppress-customer`: write again to somebody who came back."""

from dataclasses import dataclass

from waggle.services.suppressing import Suppressing
from waggle.task import task


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsuppressCustomer:
    enrolment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerUnsuppressed:
    unsuppressed: bool
    """False: there was nothing to undo, or what keeps them out is not what suppress-customer did."""


@task("unsuppress-customer")
async def unsuppress_customer(job: UnsuppressCustomer, suppressing: Suppressing) -> CustomerUnsuppressed:
    """Undo suppress-customer and nothing else: who complained, or whose address bounced, stays out.

    Raises:
        PermanentFailure: ENROLMENT_UNKNOWN.
    """
    return CustomerUnsuppressed(unsuppressed=await suppressing.let_in(job.enrolment_id))
