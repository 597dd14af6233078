"""What our journeys came to, as others may hear of it: ids and words of ours, never a person, nor a code to use."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from waggle.domain.coupon import Coupon
from waggle.domain.enrolment import Enrolment
from waggle.domain.message import Message

OUTCOMES = (
    "enrolment-ended",
    "message-sent",
    "message-suppressed",
    "message-failed",
    "message-in-doubt",
    "coupon-issued",
    "coupon-redeemed",
    "coupon-reversed",
)
"""Every type of outcome."""

Value = str | int | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One step that cannot be taken back, told once when it is stored."""

    type: str
    subject: str
    """The customer once known, else the enrolment."""
    customer_id: str | None
    at: datetime
    data: Mapping[str, Value]


def of_enrolment(before: Enrolment | None, after: Enrolment) -> Outcome | None:
    """Return what it means that *after* takes the place of *before*; None: nothing for others."""
    if after.ended_at is None or after.live or (before is not None and not before.live):
        return None
    return Outcome(
        type="enrolment-ended",
        subject=after.customer_id or after.enrolment_id,
        customer_id=after.customer_id,
        at=after.ended_at,
        data={
            "enrolment_id": after.enrolment_id,
            "journey": after.journey,
            "business_key": after.business_key,
            "customer_id": after.customer_id,
            "cart_id": after.cart_id,
            "held_out": after.held_out,
            "outcome": after.outcome,
            "reason": after.outcome_reason,
            "entered_at": after.entered_at.isoformat(),
        },
    )


def of_message(before: Message | None, after: Message) -> Outcome | None:
    """Return what it means that *after* takes the place of *before*; a doubt that was settled is told again."""
    if not after.final or (before is not None and before.state == after.state):
        return None
    return Outcome(
        type=f"message-{after.state.replace('_', '-')}",
        subject=after.customer_id or after.enrolment_id,
        customer_id=after.customer_id,
        at=after.settled_at or after.planned_at,
        data={
            "message_id": after.message_id,
            "enrolment_id": after.enrolment_id,
            "step": after.step,
            "customer_id": after.customer_id,
            "cart_id": after.cart_id,
            "channel": after.channel,
            "purpose": after.purpose,
            "template": after.template,
            "coupon_id": after.coupon_id,
            "reason": after.reason,
            "attempts": after.attempts,
        },
    )


def of_coupon(before: Coupon | None, after: Coupon) -> Outcome | None:
    """Return what it means that *after* takes the place of *before*; its code is money and is not told."""
    if after.state == "reserved" or (before is not None and before.state == after.state):
        return None
    return Outcome(
        type=f"coupon-{after.state}",
        subject=after.customer_id or after.enrolment_id,
        customer_id=after.customer_id,
        at=after.closed_at or after.issued_at or after.reserved_at,
        data={
            "coupon_id": after.coupon_id,
            "enrolment_id": after.enrolment_id,
            "step": after.step,
            "campaign": after.campaign,
            "percent": after.percent,
            "cost_minor": after.cost_minor,
            "customer_id": after.customer_id,
            "order_id": after.order_id,
        },
    )
