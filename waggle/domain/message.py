"""What a shopper gets, and how far it has come."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

MessageState = Literal["planned", "claimed", "handed_over", "sent", "suppressed", "failed", "in_doubt"]
FINAL: frozenset[MessageState] = frozenset({"sent", "suppressed", "failed", "in_doubt"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """The one row of one message; (enrolment_id, step) names it for ever.

    planned -> claimed(token, lease_until) -> handed_over -> sent. From `planned` and `claimed` also to
    suppressed(reason) or failed(reason); from `handed_over` without a known answer to in_doubt. A temporary refusal, or
    a lease that is over in `claimed`, leads back to planned.
    """

    message_id: str
    enrolment_id: str
    step: str
    customer_id: str | None
    cart_id: str | None
    channel: str
    purpose: str
    template: str
    coupon_id: str | None
    state: MessageState
    reason: str
    planned_at: datetime
    not_before_at: datetime
    expires_at: datetime
    token: str | None = None
    lease_until: datetime | None = None
    attempts: int = 0
    handed_over_at: datetime | None = None
    settled_at: datetime | None = None
    """When the state became final; for `sent` the time of the mail server's acceptance."""
    provider_answer: str | None = None

    @property
    def final(self) -> bool:
        """Whether nothing more happens to it by itself."""
        return self.state in FINAL
