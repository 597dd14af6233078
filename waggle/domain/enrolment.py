"""One run of one customer's business (a cart, an order, ...) through one journey."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from waggle.domain.money import Money

EnrolmentState = Literal["entering", "running", "ended"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """`entering` until the journey's first task has claimed it, then `running`, then `ended` with an outcome.

    At most one enrolment that is not ended exists per (journey, business_key).
    """

    enrolment_id: str
    journey: str
    business_key: str
    entry: int
    """1 for the first enrolment of this business key in this journey."""
    customer_id: str | None
    cart_id: str | None
    held_out: bool
    """Goes through the journey but gets no message, so that the effect of messages can be measured."""
    state: EnrolmentState
    entered_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: str | None = None
    outcome_reason: str | None = None
    order_id: str | None = None
    """The order it is about, if it is about one."""
    sku: str | None = None
    """The product it is about, if it is about one."""
    watched_price_minor: int | None = None
    """What the product cost when its customer began to wait for a lower price."""
    watched_currency: str | None = None
    instance_key: int | None = None
    """The newest engine instance that claimed it: for people to look up, never compared."""
    process_version: int | None = None
    """The engine's number of the diagram that it runs on, noted when it was claimed or moved."""

    @property
    def watched_price(self) -> Money | None:
        """What the product cost when its customer began to wait for a lower price; None: they wait for none."""
        if self.watched_price_minor is None or self.watched_currency is None:
            return None
        return Money.from_minor(self.watched_price_minor, self.watched_currency)

    @property
    def live(self) -> bool:
        """Whether messages may still be sent for it."""
        return self.state != "ended"


def is_held_out(journey: str, person: str, percent: int) -> bool:
    """Say whether *person* belongs to the *percent* held out of *journey*: for the same words always the same."""
    drawn = int(hashlib.sha256(f"{journey}:{person}".encode()).hexdigest()[:8], 16) % 100
    return drawn < percent
