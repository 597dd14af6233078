"""Whether a message may leave now: asked when it is claimed and again right before it is handed over."""

from dataclasses import dataclass
from datetime import datetime

TOO_STALE = "too_stale"
"""Reason of a message that waits, or has waited in vain, for facts that are new enough to rest on."""

PAUSED = "paused"
"""Reason of a message that waits for its journey to be resumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingFacts:
    """All that the answer depends on, read in one transaction."""

    now: datetime
    expires_at: datetime
    enrolment_live: bool
    held_out: bool
    erased: bool
    has_address: bool
    consent_given: bool
    suppressed: bool
    cart_ordered: bool
    cart_empty: bool
    any_item_available: bool
    coupon_valid: bool
    """True also where no coupon is promised."""
    cap_reached: bool
    quiet_until: datetime | None
    look_again_at: datetime | None = None
    """Set where the facts above are too old to send on; when to ask again."""
    paused_until: datetime | None = None
    """Set where the journey is paused; when to ask again."""
    transactional: bool = False
    """The message belongs to a contract: the rules about advertising do not apply."""
    order_cancelled: bool = False
    """The order that the message is about was cancelled or came back."""
    price_not_lower: bool = False
    """The product that the message is about costs no less than when its customer began to watch it."""
    restricted: bool = False
    """The customer asked that what is known of them be used for nothing, and this message does not answer them."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason` is empty if nothing speaks against sending; with `hold_until` the message only waits."""

    reason: str = ""
    hold_until: datetime | None = None

    @property
    def clear(self) -> bool:
        """Whether the message may leave now."""
        return not self.reason


def judge(facts: SendingFacts) -> Verdict:
    """Return the first rule that speaks against sending; last come those that only put it off."""
    advertising = not facts.transactional
    objections = (
        ("customer_erased", facts.erased),
        ("customer_restricted", facts.restricted),
        ("ordered", advertising and facts.cart_ordered),
        ("order_cancelled", advertising and facts.order_cancelled),
        ("emptied", advertising and facts.cart_empty),
        ("no_contact", not facts.has_address),
        ("no_consent", advertising and not facts.consent_given),
        ("suppressed", facts.suppressed),
        ("holdout", advertising and facts.held_out),
        # An old word that there is none left suppresses nothing for good: there may be some again.
        ("out_of_stock", advertising and not facts.any_item_available and facts.look_again_at is None),
        ("price_not_lower", advertising and facts.price_not_lower and facts.look_again_at is None),
        ("frequency_cap", advertising and facts.cap_reached),
        ("coupon_invalid", not facts.coupon_valid),
        ("journey_ended", not facts.enrolment_live),
        (TOO_STALE, advertising and facts.look_again_at is not None and facts.now >= facts.expires_at),
        ("expired", facts.now >= facts.expires_at),
    )
    for reason, applies in objections:
        if applies:
            return Verdict(reason)
    if facts.paused_until is not None:
        # At the end it is asked once more: what was not resumed in time learns so.
        return Verdict(PAUSED, min(facts.paused_until, facts.expires_at))
    if advertising and facts.quiet_until is not None:
        return Verdict("quiet_hours", facts.quiet_until)
    if advertising and facts.look_again_at is not None:
        # At the end it is asked once more: that is when a message learns that it waited in vain.
        return Verdict(TOO_STALE, min(facts.look_again_at, facts.expires_at))
    return Verdict()
