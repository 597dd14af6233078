"""Task `return-coupon`: take back a coupon that its customer has not used, and free its budget."""

from dataclasses import dataclass

from waggle.services.coupons import Coupons
from waggle.task import task


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnCoupon:
    enrolment_id: str
    step: str
    """Names the effect: unique in the journey."""
    coupon_id: str | None
    """The coupon of this journey to take back; null if it made none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponReturned:
    coupon_returned: bool
    """False: there was none, it was used, or a message with it is under way."""


@task("return-coupon", side_effect=True)
async def return_coupon(job: ReturnCoupon, coupons: Coupons) -> CouponReturned:
    """Take it back once; what is taken back already stays so.

    Raises:
        PermanentFailure: COUPON_OF_ANOTHER, it was not made for this journey.
    """
    returned = await coupons.take_back_of(enrolment_id=job.enrolment_id, coupon_id=job.coupon_id)
    return CouponReturned(coupon_returned=returned)
