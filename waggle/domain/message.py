"""What a shopper gets, and how far it has come."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

MessageState = Literal["planned", "claimed", "handed_over", "sent", "suppressed", "failed", "in_doubt"]
FINAL: frozenset[MessageState] = frozenset({"sent", "suppressed", "failed", "in_doubt"})
InDoubt = Literal["listed", "sent again"]
MOST_DOUBTS = 3
"""So often an order message may be in doubt before it stays so: twice sent again, then listed."""


@dataclass(frozen=True, slots=True)
class MessageKind:
    """What the law and the shopper make of a message; the one place that says what a doubt leads to."""

    name: Literal["marketing", "order"]
    transactional: bool
    """True: it belongs to a contract, so that consent, quiet hours and the cap are not asked."""
    in_doubt: InDoubt


MARKETING = MessageKind("marketing", transactional=False, in_doubt="listed")
ORDER = MessageKind("order", transactional=True, in_doubt="sent again")
TRANSACTIONAL = "transactional"
"""The `purpose` of a template that only a message of kind ORDER may use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """The one row of one message; (enrolment_id, step) names it for ever.

    planned -> claimed(token, lease_until) -> handed_over -> sent. From `planned` and `claimed` also to
    suppressed(reason) or failed(reason); from `handed_over` without a known answer to in_doubt. A temporary refusal, or
    a lease that is over in `claimed`, leads back to planned; so does a doubt, if the message may be handed over again.
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
    in_doubt: InDoubt = "listed"
    """What becomes of it when the answer to a hand-over is lost; of its kind when it was planned."""
    doubts: int = 0
    """How often it was handed over without a known answer and without a provider that knows repeats."""
    doubted_at: datetime | None = None
    """Since when it may have been accepted without anybody knowing; stays when it is handed over again."""
    provider: str | None = None
    """Who had it last."""
    repeat_safe_until: datetime | None = None
    """Until then `provider` takes a repeat under the same message id for the same mail."""
    order_id: str | None = None
    """The order it is about, if it is about one."""
    sku: str | None = None
    """The product it is about, if it is about one."""
    clicked_at: datetime | None = None
    """When a link in it was followed first."""

    def repeat_is_safe(self, provider: str, now: datetime) -> bool:
        """Whether handing it to *provider* at *now* makes no second mail, even if the first was accepted."""
        return self.provider == provider and self.repeat_safe_until is not None and now < self.repeat_safe_until

    @property
    def final(self) -> bool:
        """Whether nothing more happens to it by itself."""
        return self.state in FINAL
