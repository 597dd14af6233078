"""Task `issue-coupon`: one coupon within its campaign's budget."""

from dataclasses import dataclass

from waggle.services.coupons import BUDGET_EXHAUSTED, Coupons
from waggle.task import task


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueCoupon:
    enrolment_id: str
    step: str
    """Names the effect: unique in the journey, so that a repeated job gets the coupon it got before."""
    coupon_campaign: str
    """A section of config/coupons.toml."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponIssued:
    coupon_id: str


@task("issue-coupon", throws=(BUDGET_EXHAUSTED,), side_effect=True)
async def issue_coupon(job: IssueCoupon, coupons: Coupons) -> CouponIssued:
    """Set a coupon aside; it counts as issued once its message has left and goes back to the budget if none does.

    Raises:
        Rejected: COUPON_BUDGET_EXHAUSTED, so that the diagram may go on without.
        PermanentFailure: CAMPAIGN_UNKNOWN or ENROLMENT_UNKNOWN.
    """
    coupon_id = await coupons.issue(enrolment_id=job.enrolment_id, step=job.step, campaign=job.coupon_campaign)
    return CouponIssued(coupon_id=coupon_id)
