"""Apply events to what is known of customers, carts, orders and products; late ones are right in the end.

Each fact is kept as the word of its source on some fields, with its time; what counts follows from all words. So the
order in which they arrive does not matter, and what follows now from an event follows again when it is read anew.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal, assert_never

import msgspec

from waggle.domain.cart import CartChange, cart_of, content
from waggle.domain.customer import FIELDS, Customer
from waggle.domain.event import (
    FACTS,
    AudienceJoined,
    AudienceLeft,
    BirthdayApproaching,
    CampaignRequested,
    CartUpdated,
    CheckoutStarted,
    ConsentGiven,
    ConsentLapsed,
    ConsentRequested,
    ConsentWithdrawn,
    CustomerErased,
    CustomerIdentified,
    CustomerLapsed,
    CustomerRestricted,
    CustomersMerged,
    CustomersSplit,
    CustomerUnengaged,
    CustomerUnrestricted,
    Event,
    Fact,
    MessageClicked,
    OrderCancelled,
    OrderDelivered,
    OrderPaid,
    OrderPlaced,
    OrderReturned,
    OrderShipped,
    PageViewed,
    PaymentAuthorised,
    PaymentFailed,
    PaymentRefunded,
    PointsEarned,
    PriceChanged,
    PriceWatchCreated,
    PriceWatchEnded,
    PrivacyRequestConfirmed,
    PrivacyRequestOpened,
    ProductAdded,
    ProductRemoved,
    ProductUpdated,
    ProductViewed,
    PromotionReminderRequested,
    ReplenishmentExpected,
    ReviewSubmitted,
    StockChanged,
    StockSubscriptionCreated,
    StockSubscriptionEnded,
    SurveyAnswered,
    TierChanged,
)
from waggle.domain.loyalty import LoyaltyEntry
from waggle.domain.order import OrderState, order_of
from waggle.domain.payment import payment_of
from waggle.domain.product import ProductView, product_of
from waggle.domain.telling import Telling, Told, standing, tell
from waggle.ports.unit_of_work import Transaction
from waggle.services import campaign_requests, consents, erasing, identities, privacy_requests
from waggle.services.state_rules import StateRules

VIEWS_KEPT = 50
"""Of each viewer the newest."""

_NEWEST_COUNTS = StateRules()

_OfCart = CartUpdated | ProductAdded | ProductRemoved | CheckoutStarted
_OrderStep = OrderPaid | OrderShipped | OrderDelivered | OrderCancelled | OrderReturned
_STEPS: Mapping[type[_OrderStep], OrderState] = {
    OrderPaid: "paid",
    OrderShipped: "shipped",
    OrderDelivered: "delivered",
    OrderCancelled: "cancelled",
    OrderReturned: "returned",
}


def fact_of(event: Event) -> Fact:
    """Return the typed data of *event*, which was checked when it was accepted."""
    return msgspec.convert(event.data, FACTS[event.type])


def project(tx: Transaction, event: Event, fact: Fact, rules: StateRules = _NEWEST_COUNTS) -> None:  # noqa: C901, PLR0912 -- one line for each fact
    """Bring the projections up to date with *event*."""
    match fact:
        case CustomerIdentified():
            _identify(tx, fact, event, rules)
        case CustomerErased():
            _erase(tx, fact, event.time, rules)
        case CustomersMerged() | CustomersSplit():
            identities.say(tx, fact, event, rules)
        case CartUpdated() | ProductAdded() | ProductRemoved() | CheckoutStarted():
            _change_cart(tx, fact, event, rules)
        case OrderPlaced():
            _place_order(tx, fact, event, rules)
        case OrderPaid() | OrderShipped() | OrderDelivered() | OrderCancelled() | OrderReturned():
            value = fact.refund_minor if isinstance(fact, OrderReturned) else True
            told = {_STEPS[type(fact)]: value, **_named(fact, "customer_id")}
            _tell_order(tx, fact.order_id, told, event, rules)
        case PaymentAuthorised() | PaymentFailed() | PaymentRefunded():
            _tell_payment(tx, fact, event, rules)
        case ProductUpdated():
            price = {"price_minor": fact.price_minor, "currency": fact.currency}
            page = {"name": fact.name, "price": price, "url": fact.url, "image_url": fact.image_url}
            _tell_product(tx, fact.sku, page, event, rules)
        case PriceChanged():
            price = {"price_minor": fact.price_minor, "currency": fact.currency}
            _tell_product(tx, fact.sku, {"price": price}, event, rules)
        case StockChanged():
            _tell_product(tx, fact.sku, {"stock": fact.quantity}, event, rules)
        case ProductViewed():
            _view(tx, fact, event)
        case (
            ConsentGiven()
            | ConsentRequested()
            | ConsentWithdrawn()
            | ConsentLapsed()
            | CustomerRestricted()
            | CustomerUnrestricted()
        ):
            consents.apply(tx, fact, event)
        case PointsEarned() | TierChanged():
            _note_loyalty(tx, fact, event)
        case PrivacyRequestOpened() | PrivacyRequestConfirmed():
            privacy_requests.apply(tx, fact, event)
        case CampaignRequested():
            campaign_requests.note(tx, fact, event.time)
        case (
            PageViewed()
            | MessageClicked()
            | StockSubscriptionCreated()
            | StockSubscriptionEnded()
            | PriceWatchCreated()
            | PriceWatchEnded()
            | ReviewSubmitted()
            | SurveyAnswered()
            | CustomerLapsed()
            | CustomerUnengaged()
            | BirthdayApproaching()
            | ReplenishmentExpected()
            | PromotionReminderRequested()
            | AudienceJoined()
            | AudienceLeft()
        ):
            # Reasons to begin, move or end a journey; nothing that is known of anybody changes.
            pass
        case _:
            assert_never(fact)


def _note_loyalty(tx: Transaction, fact: PointsEarned | TierChanged, event: Event) -> None:
    entry = LoyaltyEntry(source=event.source, event_id=event.id, customer_id=fact.customer_id, at=event.time)
    if isinstance(fact, PointsEarned):
        tx.loyalty.save(replace(entry, points=fact.points, order_id=fact.order_id))
    else:
        tx.loyalty.save(replace(entry, tier=fact.tier))


def _all_told(told: Told, thing: str, said: Mapping[str, Any], event: Event, rules: StateRules) -> Told:
    for name, value in said.items():
        rank = rules.rank(thing, name, event.source)
        told = tell(told, name, Telling(value, event.time, event.source, event.id, rank))
    return told


def _named(fact: object, *names: str) -> dict[str, Any]:
    """Return those of the fields that *fact* does not leave out: what is left out stays as it is known."""
    found = {name: getattr(fact, name, None) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def _identify(tx: Transaction, fact: CustomerIdentified, event: Event, rules: StateRules) -> None:
    before = tx.customers.profile(fact.customer_id)
    known = before or Customer(customer_id=fact.customer_id)
    if known.erased_at is not None and event.time <= known.erased_at:
        tx.events.forget(fact.customer_id, known.erased_at)
        return
    customer = replace(
        known,
        told=_all_told(known.told, "customer", _named(fact, *FIELDS), event, rules),
        identified_at=max(event.time, known.identified_at or event.time),
    )
    tx.customers.save(customer)
    identities.keep_claims(tx, before, customer, rules)
    if fact.anonymous_id is not None:
        identities.keep_browser(tx, fact.customer_id, fact.anonymous_id, event)


def _erase(tx: Transaction, fact: CustomerErased, at: datetime, rules: StateRules) -> None:
    known = tx.customers.profile(fact.customer_id) or Customer(customer_id=fact.customer_id)
    if known.erased_at is not None and at <= known.erased_at:
        return
    left = known.forgotten(at)
    consents_left = erasing.let_go(tx, fact.customer_id, at)
    for browser in tx.identities.anonymous_of(fact.customer_id):
        # What was told there before anybody had a name.
        tx.person_keys.destroy(browser, at)
    # Destroys the key, so what is left is sealed anew after it.
    tx.events.forget(fact.customer_id, at)
    tx.customers.save(left)
    tx.consents.seal_anew(consents_left)
    views = tx.product_views.of_viewer("customer", fact.customer_id)
    if views:
        tx.product_views.save("customer", fact.customer_id, [each for each in views if each.at > at])
    identities.drop_claims(tx, left, at, rules)


def _change_cart(tx: Transaction, fact: _OfCart, event: Event, rules: StateRules) -> None:
    said = _named(fact, "customer_id", "anonymous_id")
    change = None
    # A checkout that names no cart stands for itself.
    cart_id = fact.checkout_id if isinstance(fact, CheckoutStarted) and fact.cart_id is None else fact.cart_id
    assert cart_id is not None  # noqa: S101 -- only a checkout may leave it out
    if isinstance(fact, CheckoutStarted):
        said |= {"checkout": {"checkout_id": fact.checkout_id, "url": fact.url}}
        if fact.cart_id is None:
            said |= _named(fact, "url")
        if fact.items:
            said |= {"content": content(fact.currency, fact.items)}
    elif isinstance(fact, CartUpdated):
        said |= {"content": content(fact.currency, fact.items), **_named(fact, "url")}
    else:
        said |= _named(fact, "url")
        change = _change(fact, event)
    known = tx.carts.record(cart_id)
    changes = known.changes if known is not None else ()
    if change is not None:
        changes = (*changes, change)
    told = _all_told(known.told if known is not None else {}, "cart", said, event, rules)
    last_activity_at = max(event.time, known.last_activity_at) if known is not None else event.time
    tx.carts.save(cart_of(cart_id, told, changes, last_activity_at))


def _change(fact: ProductAdded | ProductRemoved, event: Event) -> CartChange:
    if isinstance(fact, ProductRemoved):
        return CartChange(at=event.time, source=event.source, event_id=event.id, sku=fact.sku, quantity=-fact.quantity)
    return CartChange(
        at=event.time,
        source=event.source,
        event_id=event.id,
        sku=fact.sku,
        quantity=fact.quantity,
        currency=fact.currency,
        unit_price_minor=fact.unit_price_minor,
        name=fact.name,
    )


def _place_order(tx: Transaction, fact: OrderPlaced, event: Event, rules: StateRules) -> None:
    placed = {
        **content(fact.currency, fact.items),
        "total_minor": fact.total_minor,
        "coupon_code": fact.coupon_code,
    }
    said = {"placed": placed, **_named(fact, "customer_id", "anonymous_id", "cart_id", "checkout_id")}
    told = _tell_order(tx, fact.order_id, said, event, rules)
    counts = standing(told, "placed")
    if fact.coupon_code is None or counts is None or (counts.source, counts.event_id) != (event.source, event.id):
        return
    coupon = tx.coupons.by_code(fact.coupon_code)
    if coupon is not None and coupon.state in {"reserved", "issued"}:
        tx.coupons.save(replace(coupon, state="redeemed", closed_at=event.time, order_id=fact.order_id))


def _tell_order(tx: Transaction, order_id: str, said: Mapping[str, Any], event: Event, rules: StateRules) -> Told:
    told = _all_told(tx.orders.told(order_id), "order", said, event, rules)
    order = order_of(order_id, told)
    if order is None:
        tx.orders.save_early(order_id, told)
    else:
        tx.orders.save(order)
    return told


def _tell_payment(
    tx: Transaction, fact: PaymentAuthorised | PaymentFailed | PaymentRefunded, event: Event, rules: StateRules
) -> None:
    said = _named(fact, "order_id", "cart_id", "customer_id")
    sum_told = {"amount_minor": fact.amount_minor, "currency": fact.currency}
    if isinstance(fact, PaymentAuthorised):
        said |= {"authorised": sum_told}
    elif isinstance(fact, PaymentFailed):
        said |= {"failed": {**sum_told, "code": fact.code}}
    else:
        # Each is money of its own.
        said |= {f"refund:{event.source}:{event.id}": sum_told}
    known = tx.payments.get(fact.payment_id)
    told = _all_told(known.told if known is not None else {}, "payment", said, event, rules)
    tx.payments.save(payment_of(fact.payment_id, told))


def _tell_product(tx: Transaction, sku: str, said: Mapping[str, Any], event: Event, rules: StateRules) -> None:
    known = tx.products.get(sku)
    tx.products.save(product_of(sku, _all_told(known.told if known is not None else {}, "product", said, event, rules)))


def _view(tx: Transaction, fact: ProductViewed, event: Event) -> None:
    kind: Literal["customer", "anonymous"] = "customer"
    viewer_id = fact.customer_id
    if viewer_id is not None:
        customer = tx.customers.profile(viewer_id)
        if customer is not None and customer.erased_at is not None and event.time <= customer.erased_at:
            return
    elif fact.anonymous_id is not None:
        kind, viewer_id = "anonymous", fact.anonymous_id
    else:
        return
    view = ProductView(sku=fact.sku, at=event.time, source=event.source, event_id=event.id)
    known = tx.product_views.of_viewer(kind, viewer_id)
    if view not in known:
        newest = sorted([*known, view], key=lambda each: (each.at, each.source, each.event_id))
        tx.product_views.save(kind, viewer_id, newest[-VIEWS_KEPT:])
