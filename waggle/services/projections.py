"""Apply events to what is known of customers, carts, orders and products; late ones are right in the end."""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

import msgspec

from waggle.domain.cart import Cart
from waggle.domain.consent import ConsentFact
from waggle.domain.customer import Customer
from waggle.domain.event import (
    FACTS,
    CartUpdated,
    ConsentGiven,
    ConsentWithdrawn,
    CustomerErased,
    CustomerIdentified,
    Event,
    Fact,
    MessageClicked,
    OrderPlaced,
    ProductUpdated,
    StockChanged,
)
from waggle.domain.order import Order
from waggle.domain.product import Product
from waggle.ports.unit_of_work import Transaction


def fact_of(event: Event) -> Fact:
    """Return the typed data of *event*, which was checked when it was accepted."""
    return msgspec.convert(event.data, FACTS[event.type])


def project(tx: Transaction, event: Event, fact: Fact) -> None:
    """Bring the projections up to date with *event*."""
    match fact:
        case CustomerIdentified():
            _identify(tx, fact, event.time)
        case CartUpdated():
            _update_cart(tx, fact, event.time)
        case OrderPlaced():
            _place_order(tx, fact, event.time)
        case ProductUpdated():
            _update_product(tx, fact, event.time)
        case StockChanged():
            _change_stock(tx, fact, event.time)
        case ConsentGiven() | ConsentWithdrawn():
            tx.consents.add(
                ConsentFact(
                    customer_id=fact.customer_id,
                    purpose=fact.purpose,
                    channel=fact.channel,
                    given=isinstance(fact, ConsentGiven),
                    stated_at=event.time,
                    text_version=fact.text_version if isinstance(fact, ConsentGiven) else None,
                )
            )
        case CustomerErased():
            _erase(tx, fact, event.time)
        case MessageClicked():
            pass
        case _:
            assert_never(fact)


def _identify(tx: Transaction, fact: CustomerIdentified, at: datetime) -> None:
    known = tx.customers.get(fact.customer_id) or Customer(customer_id=fact.customer_id)
    if known.erased_at is not None and at <= known.erased_at:
        tx.events.forget(fact.customer_id)
        return
    older = known.identified_at is not None and at < known.identified_at

    def newest(told: str | None, before: str | None) -> str | None:
        first, second = (before, told) if older else (told, before)
        return first if first is not None else second

    tx.customers.save(
        Customer(
            customer_id=fact.customer_id,
            email=newest(fact.email, known.email),
            first_name=newest(fact.first_name, known.first_name),
            time_zone=newest(fact.time_zone, known.time_zone),
            language=newest(fact.language, known.language),
            identified_at=known.identified_at if older else at,
            # Somebody who comes back after having been forgotten is known anew.
            erased_at=None,
        )
    )


def _update_cart(tx: Transaction, fact: CartUpdated, at: datetime) -> None:
    known = tx.carts.get(fact.cart_id)
    if known is not None and at < known.last_activity_at:
        if known.customer_id is None and fact.customer_id is not None:
            tx.carts.save(replace(known, customer_id=fact.customer_id))
            _name_enrolments(tx, fact.cart_id, fact.customer_id)
        return
    customer_id = fact.customer_id or (known.customer_id if known is not None else None)
    tx.carts.save(
        Cart(
            cart_id=fact.cart_id,
            customer_id=customer_id,
            currency=fact.currency,
            items=tuple(fact.items),
            url=fact.url or (known.url if known is not None else None),
            last_activity_at=at,
        )
    )
    if customer_id is not None:
        _name_enrolments(tx, fact.cart_id, customer_id)


def _name_enrolments(tx: Transaction, cart_id: str, customer_id: str) -> None:
    """A cart that was anonymous when its journey began has got its customer."""
    for enrolment in tx.enrolments.live_of_cart(cart_id):
        if enrolment.customer_id != customer_id:
            tx.enrolments.save(replace(enrolment, customer_id=customer_id))


def _place_order(tx: Transaction, fact: OrderPlaced, at: datetime) -> None:
    tx.orders.save(
        Order(
            order_id=fact.order_id,
            customer_id=fact.customer_id,
            cart_id=fact.cart_id,
            placed_at=at,
            currency=fact.currency,
            total_minor=fact.total_minor,
            coupon_code=fact.coupon_code,
        )
    )
    coupon = tx.coupons.by_code(fact.coupon_code) if fact.coupon_code else None
    if coupon is not None and coupon.state in {"reserved", "issued"}:
        tx.coupons.save(replace(coupon, state="redeemed", closed_at=at, order_id=fact.order_id))


def _update_product(tx: Transaction, fact: ProductUpdated, at: datetime) -> None:
    known = tx.products.get(fact.sku) or Product(sku=fact.sku)
    if known.updated_at is not None and at < known.updated_at:
        return
    tx.products.save(
        replace(
            known,
            name=fact.name,
            price_minor=fact.price_minor,
            currency=fact.currency,
            url=fact.url,
            image_url=fact.image_url,
            updated_at=at,
        )
    )


def _change_stock(tx: Transaction, fact: StockChanged, at: datetime) -> None:
    known = tx.products.get(fact.sku) or Product(sku=fact.sku)
    if known.stock_changed_at is not None and at < known.stock_changed_at:
        return
    tx.products.save(replace(known, quantity=fact.quantity, stock_changed_at=at))


def _erase(tx: Transaction, fact: CustomerErased, at: datetime) -> None:
    known = tx.customers.get(fact.customer_id) or Customer(customer_id=fact.customer_id)
    tx.customers.save(replace(known, email=None, first_name=None, time_zone=None, language=None, erased_at=at))
    tx.events.forget(fact.customer_id)
