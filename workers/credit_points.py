"""Task `credit-points`: the loyalty points of an order."""

from dataclasses import dataclass

from waggle.services.loyalty import Loyalty
from waggle.task import task


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditPoints:
    enrolment_id: str
    """The journey must have been started by an event of an order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsCredited:
    points_credited: int
    """0: the order was cancelled or returned, or is too small."""


@task("credit-points")
async def credit_points(job: CreditPoints, loyalty: Loyalty) -> PointsCredited:
    """Credit them once per order, however often the job is worked; a level that is reached is told as an event.

    Raises:
        PermanentFailure: ENROLMENT_UNKNOWN.
    """
    return PointsCredited(points_credited=await loyalty.credit(job.enrolment_id))
