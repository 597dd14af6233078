"""Task `open-enrolment`: the first of every journey."""

from dataclasses import dataclass

from waggle.ports.journey_engine import Scalar
from waggle.services.enrolments import Enrolments
from waggle.task import JobOrigin, task


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenEnrolment:
    enrolment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentOpened:
    proceed: bool
    """False: the enrolment ended before its journey came; the diagram ends at once."""
    cart_id: str | None
    customer_id: str | None
    order_id: str | None
    """The order that the journey is about, if it is about one."""
    sku: str | None
    """The product that the journey is about, if it is about one."""
    settings: dict[str, Scalar]
    """The [settings] of the journey's file in config/journeys, as they stand now."""


@task("open-enrolment")
async def open_enrolment(job: OpenEnrolment, origin: JobOrigin, enrolments: Enrolments) -> EnrolmentOpened:
    """Claim the enrolment, so that it is not started again.

    Raises:
        PermanentFailure: ENROLMENT_UNKNOWN, when the instance was started by hand with an invented id.
    """
    opened = await enrolments.open(job.enrolment_id, origin.instance_key, origin.version)
    return EnrolmentOpened(
        proceed=opened.proceed,
        cart_id=opened.cart_id,
        customer_id=opened.customer_id,
        order_id=opened.order_id,
        sku=opened.sku,
        settings=dict(opened.settings),
    )
