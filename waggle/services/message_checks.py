"""Gather what speaks for and against one message, as it stands in this transaction."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from waggle.domain.consent import is_given
from waggle.domain.enrolment import Enrolment
from waggle.domain.message import TRANSACTIONAL, Message
from waggle.domain.quiet_hours import QuietHours
from waggle.domain.sending_rules import SendingFacts, Verdict, judge
from waggle.ports.unit_of_work import Transaction
from waggle.services.consents import address_suppression, restricted
from waggle.services.freshness import Freshness
from waggle.services.suppressing import standing_suppression

UNREACHABLE = frozenset({"address_refused", "bounced"})
"""Reasons of a suppression that say that the address takes no mail; the others say that a person wants none."""
_LOOK_AGAIN = timedelta(minutes=15)
"""After which a message asks whether its journey still is paused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingPolicy:
    """The shop's rules for marketing messages."""

    quiet_hours: QuietHours
    default_time_zone: str
    cap_messages: int
    cap_window: timedelta
    message_valid_for: timedelta
    freshness: Freshness = field(default_factory=Freshness)


def check(tx: Transaction, message: Message, policy: SendingPolicy, now: datetime) -> Verdict:
    """Say whether *message* may leave now."""
    enrolment = tx.enrolments.get(message.enrolment_id)
    # The enrolment of a campaign is nobody's: each of its messages says whose it is.
    customer_id = (enrolment.customer_id if enrolment is not None else None) or message.customer_id
    customer = tx.customers.get(customer_id) if customer_id is not None else None
    cart = tx.carts.get(message.cart_id) if message.cart_id is not None else None
    coupon = tx.coupons.get(message.coupon_id) if message.coupon_id is not None else None
    consent = tx.consents.facts(customer_id, message.purpose, message.channel) if customer_id is not None else []
    suppressed = standing_suppression(tx, customer_id, message.channel, consent) if customer_id is not None else None
    if suppressed is None and customer is not None and customer.email is not None:
        suppressed = address_suppression(tx, customer.email, message.channel, consent)
    # Somebody who comes back after having been forgotten agrees anew or not at all.
    forgotten_at = customer.erased_at if customer is not None else None
    left = 0
    if customer_id is not None:
        since = now - policy.cap_window
        left = tx.messages.count_left_since(
            customer_id, message.purpose, message.channel, since, but=message.message_id
        )
    time_zone = (customer.time_zone if customer is not None else None) or policy.default_time_zone
    skus = [item.sku for item in cart.items] if cart is not None else [message.sku] if message.sku is not None else []
    products = [tx.products.get(sku) for sku in skus]
    order = tx.orders.get(message.order_id) if message.order_id is not None else None
    transactional = message.purpose == TRANSACTIONAL
    facts = SendingFacts(
        now=now,
        expires_at=message.expires_at,
        enrolment_live=enrolment is not None and enrolment.live,
        held_out=enrolment is not None and enrolment.held_out,
        erased=customer is not None and customer.erased,
        has_address=customer is not None and customer.email is not None,
        consent_given=is_given(
            [fact for fact in consent if forgotten_at is None or fact.stated_at > forgotten_at], now
        ),
        suppressed=suppressed in UNREACHABLE if transactional else suppressed is not None,
        cart_ordered=message.cart_id is not None and tx.orders.of_cart(message.cart_id) is not None,
        cart_empty=cart is not None and not cart.items,
        any_item_available=(cart is None and not skus) or any(each is None or each.available for each in products),
        order_cancelled=order is not None and not order.counts,
        price_not_lower=message.sku is not None and not _is_cheaper(tx, message.sku, enrolment),
        coupon_valid=coupon is None or (coupon.state in {"reserved", "issued"} and now < coupon.expires_at),
        cap_reached=left >= policy.cap_messages,
        quiet_until=policy.quiet_hours.over_at(now, time_zone),
        look_again_at=now + policy.freshness.look_again_after if policy.freshness.stale(tx, cart, now) else None,
        paused_until=now + _LOOK_AGAIN if enrolment is not None and tx.pauses.of(enrolment.journey) else None,
        transactional=transactional,
        # Who asked us about their data is answered.
        restricted=customer_id is not None
        and restricted(tx, customer_id)
        and (enrolment is None or tx.privacy_requests.get(enrolment.business_key) is None),
    )
    return judge(facts)


def _is_cheaper(tx: Transaction, sku: str, enrolment: Enrolment | None) -> bool:
    """Say whether the product costs less than its customer waits for, or they wait for no price."""
    watched = enrolment.watched_price if enrolment is not None else None
    product = tx.products.get(sku)
    return watched is None or (product is not None and product.is_cheaper_than(watched))
