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
        tx.events.forget(fact.customer_id, known.erased_at)
        return
    email, email_at = _newer(fact.email, at, known.email, known.email_at)
    first_name, first_name_at = _newer(fact.first_name, at, known.first_name, known.first_name_at)
    time_zone, time_zone_at = _newer(fact.time_zone, at, known.time_zone, known.time_zone_at)
    language, language_at = _newer(fact.language, at, known.language, known.language_at)
    tx.customers.save(
        Customer(
            customer_id=fact.customer_id,
            email=email,
            first_name=first_name,
            time_zone=time_zone,
            language=language,
            email_at=email_at,
            first_name_at=first_name_at,
            time_zone_at=time_zone_at,
            language_at=language_at,
            identified_at=max(at, known.identified_at or at),
            erased_at=known.erased_at,
        )
    )


def _newer(
    told: str | None, at: datetime, known: str | None, known_at: datetime | None
) -> tuple[str | None, datetime | None]:
    """Return what counts of one field, and since when; an event that leaves the field out says nothing about it."""
    if told is None or (known_at is not None and at < known_at):
        return known, known_at
    return told, at


def _update_cart(tx: Transaction, fact: CartUpdated, at: datetime) -> None:
    known = tx.carts.get(fact.cart_id)
    newest = known
    if newest is None or at >= newest.last_activity_at:
        newest = Cart(
            cart_id=fact.cart_id,
            customer_id=None,
            currency=fact.currency,
            items=tuple(fact.items),
            url=None,
            last_activity_at=at,
        )
    customer_id, customer_told_at = fact.customer_id, at if fact.customer_id is not None else None
    url, url_told_at = fact.url, at if fact.url is not None else None
    if known is not None:
        customer_id, customer_told_at = _newer(fact.customer_id, at, known.customer_id, known.customer_told_at)
        url, url_told_at = _newer(fact.url, at, known.url, known.url_told_at)
    tx.carts.save(
        replace(newest, customer_id=customer_id, customer_told_at=customer_told_at, url=url, url_told_at=url_told_at)
    )


def _place_order(tx: Transaction, fact: OrderPlaced, at: datetime) -> None:
    known = tx.orders.get(fact.order_id)
    if known is not None and at < known.placed_at:
        return
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
    if known.erased_at is not None and at <= known.erased_at:
        return
    email, email_at = _told_after(at, known.email, known.email_at)
    first_name, first_name_at = _told_after(at, known.first_name, known.first_name_at)
    time_zone, time_zone_at = _told_after(at, known.time_zone, known.time_zone_at)
    language, language_at = _told_after(at, known.language, known.language_at)
    back = known.identified_at is not None and known.identified_at > at
    tx.customers.save(
        Customer(
            customer_id=fact.customer_id,
            email=email,
            first_name=first_name,
            time_zone=time_zone,
            language=language,
            email_at=email_at,
            first_name_at=first_name_at,
            time_zone_at=time_zone_at,
            language_at=language_at,
            identified_at=known.identified_at if back else None,
            erased_at=at,
        )
    )
    tx.events.forget(fact.customer_id, at)


def _told_after(at: datetime, known: str | None, known_at: datetime | None) -> tuple[str | None, datetime | None]:
    """Return what is left of one field: somebody who came back after having been forgotten stays known by that."""
    return (known, known_at) if known_at is not None and known_at > at else (None, None)
