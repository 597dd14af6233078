"""What the shop may ask: customers and what they agreed to, orders, carts, products, coupons."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Generic, Literal, TypeVar

from waggle.domain.cart import Cart
from waggle.domain.consent import ConsentFact, deciding, is_given
from waggle.domain.coupon import Coupon
from waggle.domain.event import CartItem
from waggle.domain.order import Order
from waggle.domain.product import Product
from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import QuickReads, Transaction
from waggle.services.shared_reads import Question, SharedReads

T = TypeVar("T")
F = TypeVar("F")

MOST_FOUND = 20
"""Customers that one address is looked up for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerView:
    """A customer, as far as they are known; what they asked to be forgotten is not."""

    customer_id: str
    """Stands for the person; other ids of theirs lead to it."""
    other_ids: Sequence[str]
    email: str | None
    phone: str | None
    """E.164."""
    first_name: str | None
    last_name: str | None
    birth_date: str | None
    time_zone: str | None
    language: str | None
    country: str | None
    identified_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentView:
    """What counts now for one purpose on one channel."""

    purpose: str
    channel: str
    given: bool
    state: str
    stated_at: datetime
    legal_basis: str
    text_version: str | None
    mechanism: str | None
    valid_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemView:
    """One line of a cart or an order."""

    sku: str
    quantity: int
    unit_price_minor: int
    name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """An order and when it came how far."""

    order_id: str
    customer_id: str | None
    cart_id: str | None
    state: str
    placed_at: datetime
    paid_at: datetime | None
    shipped_at: datetime | None
    delivered_at: datetime | None
    cancelled_at: datetime | None
    returned_at: datetime | None
    currency: str
    total_minor: int
    refund_minor: int | None
    coupon_code: str | None
    items: Sequence[ItemView]


@dataclass(frozen=True, slots=True, kw_only=True)
class CartView:
    """A cart as it is now."""

    cart_id: str
    customer_id: str | None
    currency: str
    value_minor: int
    items: Sequence[ItemView]
    url: str | None
    last_activity_at: datetime
    checkout_id: str | None
    checkout_started_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductView:
    """A product, its price and its stock."""

    sku: str
    name: str | None
    price_minor: int | None
    currency: str | None
    url: str | None
    image_url: str | None
    quantity: int | None
    """None: its stock was never told."""
    available: bool
    updated_at: datetime | None
    stock_changed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponView:
    """A coupon, and whether it may be used now."""

    code: str
    campaign: str
    percent: int
    state: str
    usable: bool
    customer_id: str | None
    expires_at: datetime
    issued_at: datetime | None
    order_id: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a part of a list ended: the time and the id of its last entry."""

    at: datetime
    id: str


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """Some entries of a list, the newest first."""

    entries: Sequence[T]
    end: Place | None
    """Where to go on; None: that was all."""


class Reading:
    """Answers from the state that the events made; ids that turned out to be one person are answered as one."""

    def __init__(self, store: QuickReads, clock: Clock) -> None:
        self._reads = SharedReads(store)
        self._clock = clock

    async def customer(self, ref: str) -> CustomerView | None:
        """Return the customer who has the id *ref*."""
        return await self._reads.ask(_CUSTOMER, ref)

    async def customers_with(self, kind: Literal["email", "phone"], value: str) -> list[CustomerView]:
        """Return who has this address or number, written as `waggle.services.normalising` does; at most MOST_FOUND."""

        def find(tx: Transaction, value: str) -> list[CustomerView]:
            persons = sorted({tx.identities.resolve(each) for each in tx.identities.customers_with(kind, value)})
            found = (_customer(tx, each) for each in persons[:MOST_FOUND])
            return [each for each in found if each is not None]

        return await self._reads.ask(Question(find), value)

    async def consents(self, ref: str) -> list[ConsentView] | None:
        """Return what counts for the customer now, by purpose and channel; None: nobody is known by *ref*."""
        facts = await self._reads.ask(_CONSENTS, ref)
        return None if facts is None else _consents(facts, self._clock.now())

    async def orders(self, ref: str, limit: int, after: Place | None) -> Part[OrderView] | None:
        """Return the customer's orders; None: nobody is known by *ref*."""

        def find(tx: Transaction, ref: str) -> Part[OrderView] | None:
            part = _part(tx.orders.of_customer(ref), _order_place, limit, after)
            return _viewed(part, _order) if part.entries or _is_known(tx, ref) else None

        return await self._reads.ask(Question(find), ref)

    async def carts(self, ref: str, limit: int, after: Place | None) -> Part[CartView] | None:
        """Return the customer's carts; None: nobody is known by *ref*."""

        def find(tx: Transaction, ref: str) -> Part[CartView] | None:
            part = _part(tx.carts.of_customer(ref), _cart_place, limit, after)
            return _viewed(part, _cart) if part.entries or _is_known(tx, ref) else None

        return await self._reads.ask(Question(find), ref)

    async def coupons(self, ref: str, limit: int, after: Place | None) -> Part[CouponView] | None:
        """Return the customer's coupons; None: nobody is known by *ref*."""
        view = partial(_coupon, now=self._clock.now())

        def find(tx: Transaction, ref: str) -> Part[CouponView] | None:
            part = _part(tx.coupons.of_customers(tx.identities.all_of(ref)), _coupon_place, limit, after)
            return _viewed(part, view) if part.entries or _is_known(tx, ref) else None

        return await self._reads.ask(Question(find), ref)

    async def order(self, order_id: str) -> OrderView | None:
        """Return the order, once it is known to be placed."""
        return _if_known(await self._reads.ask(_ORDER, order_id), _order)

    async def cart(self, cart_id: str) -> CartView | None:
        return _if_known(await self._reads.ask(_CART, cart_id), _cart)

    async def product(self, sku: str) -> ProductView | None:
        return _if_known(await self._reads.ask(_PRODUCT, sku), _product)

    async def coupon(self, code: str) -> CouponView | None:
        """Return the coupon with this code, which people may type in small letters."""
        found = await self._reads.ask(_COUPON, code.strip().upper())
        return _if_known(found, partial(_coupon, now=self._clock.now()))


def _if_known(found: F | None, view: Callable[[F], T]) -> T | None:
    return None if found is None else view(found)


def _part(oldest_first: Sequence[F], place: Callable[[F], Place], limit: int, after: Place | None) -> Part[F]:
    """Return the next *limit* entries from the end on, or from before *after*."""
    left = list(oldest_first)
    if after is not None:
        left = [each for each in left if _is_before(place(each), after)]
    entries = left[: -limit - 1 : -1]
    return Part(entries, place(entries[-1]) if len(left) > limit else None)


def _is_before(place: Place, other: Place) -> bool:
    return (place.at, place.id) < (other.at, other.id)


def _viewed(part: Part[F], view: Callable[[F], T]) -> Part[T]:
    return Part([view(each) for each in part.entries], part.end)


def _is_known(tx: Transaction, ref: str) -> bool:
    customer = tx.customers.get(ref)
    return customer is not None and not customer.erased


def _customer(tx: Transaction, ref: str) -> CustomerView | None:
    customer = tx.customers.get(ref)
    if customer is None or customer.erased:
        return None
    return CustomerView(
        customer_id=customer.customer_id,
        other_ids=[each for each in tx.identities.all_of(ref) if each != customer.customer_id],
        email=customer.email,
        phone=customer.phone,
        first_name=customer.first_name,
        last_name=customer.last_name,
        birth_date=customer.birth_date,
        time_zone=customer.time_zone,
        language=customer.language,
        country=customer.country,
        identified_at=customer.identified_at,
    )


def _facts(tx: Transaction, ref: str) -> list[ConsentFact]:
    return [fact for each in tx.identities.all_of(ref) for fact in tx.consents.of_customer(each)]


def _consents(facts: Sequence[ConsentFact], now: datetime) -> list[ConsentView]:
    found = []
    for purpose, channel in sorted({(fact.purpose, fact.channel) for fact in facts}):
        own = [fact for fact in facts if (fact.purpose, fact.channel) == (purpose, channel)]
        counts = deciding(own) or max(own, key=lambda fact: fact.stated_at)
        found.append(
            ConsentView(
                purpose=purpose,
                channel=channel,
                given=is_given(own, now),
                state=counts.state,
                stated_at=counts.stated_at,
                legal_basis=counts.legal_basis,
                text_version=counts.text_version,
                mechanism=counts.mechanism,
                valid_until=counts.valid_until,
            )
        )
    return found


def _items(items: Sequence[CartItem]) -> list[ItemView]:
    return [
        ItemView(sku=each.sku, quantity=each.quantity, unit_price_minor=each.unit_price_minor, name=each.name)
        for each in items
    ]


def _order(order: Order) -> OrderView:
    return OrderView(
        order_id=order.order_id,
        customer_id=order.customer_id,
        cart_id=order.cart_id,
        state=order.state,
        placed_at=order.placed_at,
        paid_at=order.at("paid"),
        shipped_at=order.at("shipped"),
        delivered_at=order.at("delivered"),
        cancelled_at=order.at("cancelled"),
        returned_at=order.at("returned"),
        currency=order.currency,
        total_minor=order.total_minor,
        refund_minor=order.refund_minor,
        coupon_code=order.coupon_code,
        items=_items(order.items),
    )


def _order_place(order: Order) -> Place:
    return Place(order.placed_at, order.order_id)


def _cart(cart: Cart) -> CartView:
    return CartView(
        cart_id=cart.cart_id,
        customer_id=cart.customer_id,
        currency=cart.currency,
        value_minor=cart.value_minor,
        items=_items(cart.items),
        url=cart.url,
        last_activity_at=cart.last_activity_at,
        checkout_id=cart.checkout_id,
        checkout_started_at=cart.checkout_started_at,
    )


def _cart_place(cart: Cart) -> Place:
    return Place(cart.last_activity_at, cart.cart_id)


def _product(product: Product) -> ProductView:
    return ProductView(
        sku=product.sku,
        name=product.name,
        price_minor=product.price_minor,
        currency=product.currency,
        url=product.url,
        image_url=product.image_url,
        quantity=product.quantity,
        available=product.available,
        updated_at=product.updated_at,
        stock_changed_at=product.stock_changed_at,
    )


def _coupon(coupon: Coupon, now: datetime) -> CouponView:
    return CouponView(
        code=coupon.code,
        campaign=coupon.campaign,
        percent=coupon.percent,
        state=coupon.state,
        # One that is only reserved may be in a mail whose hand-over nobody has answered yet.
        usable=coupon.state in {"reserved", "issued"} and now < coupon.expires_at,
        customer_id=coupon.customer_id,
        expires_at=coupon.expires_at,
        issued_at=coupon.issued_at,
        order_id=coupon.order_id,
    )


def _coupon_place(coupon: Coupon) -> Place:
    return Place(coupon.reserved_at, coupon.coupon_id)


def _known_facts(tx: Transaction, ref: str) -> list[ConsentFact] | None:
    return _facts(tx, ref) or ([] if _is_known(tx, ref) else None)


_CUSTOMER = Question(_customer, lambda tx, refs: tx.customers.prepare(refs))
_CONSENTS = Question(_known_facts, lambda tx, refs: tx.identities.prepare(refs))
_ORDER = Question(lambda tx, order_id: tx.orders.get(order_id), lambda tx, ids: tx.orders.prepare(ids))
_CART = Question(lambda tx, cart_id: tx.carts.get(cart_id), lambda tx, ids: tx.carts.prepare(ids))
_PRODUCT = Question(lambda tx, sku: tx.products.get(sku), lambda tx, skus: tx.products.prepare(skus))
_COUPON = Question(lambda tx, code: tx.coupons.by_code(code), lambda tx, codes: tx.coupons.prepare(codes))
