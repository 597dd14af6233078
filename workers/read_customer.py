"""Task `read-customer`: how the customer stands, so that a decision can weigh whether, how and how often to write."""

from dataclasses import dataclass

from waggle.services.customer_reading import CustomerReader
from waggle.task import task


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCustomer:
    enrolment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerRead:
    order_count: int
    """Orders so far, without those that were cancelled or came back."""
    days_since_order: int | None
    """Days since the newest order; null without one."""
    messages_30_days: int
    """Marketing messages that the customer got in the last 30 days."""
    clicks_30_days: int
    """Of these, how many the customer followed a link of."""
    email_allowed: bool
    """Whether a marketing e-mail may be sent."""
    sms_allowed: bool
    """Whether a marketing text message may be sent."""
    push_allowed: bool
    """Whether a marketing push message may be sent."""
    tier: str | None
    """Level of the loyalty programme; null without one."""
    other_priority: int | None
    """The highest priority among the customer's other marketing journeys; null if there is none."""
    own_priority: int
    """The priority of this journey."""


@task("read-customer", concurrency=16)
async def read_customer(job: ReadCustomer, customers: CustomerReader) -> CustomerRead:
    """Look, and decide nothing; who objects to being looked at is told as somebody unknown.

    Raises:
        PermanentFailure: ENROLMENT_UNKNOWN.
    """
    found = await customers.read(job.enrolment_id)
    return CustomerRead(
        order_count=found.order_count,
        days_since_order=found.days_since_order,
        messages_30_days=found.messages_30_days,
        clicks_30_days=found.clicks_30_days,
        email_allowed=found.email_allowed,
        sms_allowed=found.sms_allowed,
        push_allowed=found.push_allowed,
        tier=found.tier,
        other_priority=found.other_priority,
        own_priority=found.own_priority,
    )
