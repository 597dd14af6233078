"""Task `erase-customer`: forget whoever asked for it."""

from dataclasses import dataclass

from waggle.services.erasing import Erasing
from waggle.task import task


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseCustomer:
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerForgotten:
    customer_erased: bool


@task("erase-customer", side_effect=True)
async def erase_customer(job: EraseCustomer, erasing: Erasing) -> CustomerForgotten:
    """Tell it as a fact, and wait until the customer's key is destroyed and their journeys are told.

    Raises:
        TemporaryFailure: ERASURE_UNDER_WAY, the fact is not yet applied.
        PermanentFailure: PRIVACY_REQUEST_UNKNOWN, NOT_CONFIRMED, or LEGAL_HOLD.
    """
    await erasing.erase(job.request_id)
    return CustomerForgotten(customer_erased=True)
