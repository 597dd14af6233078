"""Carts, orders, payments and products, and who looked at what."""

from collections.abc import Collection, Iterable
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    delete,
    literal_column,
    null,
    or_,
    select,
    union_all,
)

from waggle.domain.cart import Cart, CartChange, content
from waggle.domain.event import CartItem
from waggle.domain.order import Order
from waggle.domain.payment import Payment, payment_of
from waggle.domain.product import Product, ProductView
from waggle.domain.telling import Told, standing
from waggle.storage import tables
from waggle.storage.among import among
from waggle.storage.repositories.base import Repository, by_key
from waggle.storage.repositories.identities import Identities, OfPersons
from waggle.storage.repositories.telling import decoded, encoded, told_before
from waggle.storage.vault import Vault


def _ids(name: str) -> Any:  # noqa: ANN401 -- SQLAlchemy's type of a parameter does not say what it holds
    return bindparam(name, expanding=True)


def _carts_of_person() -> Select[Any]:
    t = tables.carts
    unnamed = and_(t.c.customer_id.is_(None), t.c.anonymous_id.in_(_ids("anonymous")))
    return select(t).where(or_(t.c.customer_id.in_(_ids("customers")), unnamed))


def _orders_of_persons() -> CompoundSelect[Any]:
    """Return the orders, each with the customer or browser through which it is somebody's: one may come repeatedly.

    Each way is a statement of its own, by an index: joined by `or_` they were a walk through all orders of guests on
    SQLite, and through all orders on PostgreSQL.
    """
    t, carts = tables.orders, tables.carts
    nobody = cast(null(), Text)
    from_carts = select(t).join(carts, t.c.cart_id == carts.c.cart_id).where(_is_unnamed(t.c.customer_id))
    of_browser = from_carts.where(_is_unnamed(carts.c.customer_id), among(carts.c.anonymous_id, "anonymous"))
    return union_all(
        _through(select(t).where(among(t.c.customer_id, "customers")), t.c.customer_id, nobody),
        _through(from_carts.where(among(carts.c.customer_id, "customers")), carts.c.customer_id, nobody),
        _through(of_browser, nobody, carts.c.anonymous_id),
        _through(
            select(t).where(_is_unnamed(t.c.customer_id), among(t.c.anonymous_id, "anonymous")),
            nobody,
            t.c.anonymous_id,
        ),
    )


def _through(found: Select[Any], customer: ColumnElement[Any], browser: ColumnElement[Any]) -> Select[Any]:
    return found.add_columns(customer.label("through_customer"), browser.label("through_browser"))


def _is_unnamed(customer_id: ColumnElement[Any]) -> ColumnElement[bool]:
    # As an expression, so that it is not looked for by an index: there are many without a name.
    return customer_id.concat(literal_column("''")).is_(None)


def _first_order_of_cart() -> Select[Any]:
    t = tables.orders
    # A checkout without a cart stands as a cart under its own id.
    of_cart = or_(t.c.cart_id == bindparam("cart_id"), t.c.checkout_id == bindparam("cart_id"))
    return select(t).where(of_cart).order_by(t.c.placed_at, t.c.order_id).limit(1)


_CARTS_OF_PERSON = _carts_of_person()
_ORDERS_OF_PERSONS = _orders_of_persons()
_FIRST_ORDER_OF_CART = _first_order_of_cart()
_PAYMENTS_OF_ORDER = by_key(tables.payments, ("order_id",)).order_by(tables.payments.c.payment_id)


class Carts(OfPersons):
    """A cart names the person it belongs to: whom it was told to be of, else who owns the browser."""

    def __init__(self, connection: Connection, vault: Vault, identities: Identities) -> None:
        super().__init__(connection, vault, identities)
        self._read: dict[str, Cart | None] = {}

    def get(self, cart_id: str) -> Cart | None:
        cart = self.record(cart_id)
        return None if cart is None else self._owned(cart)

    def prepare(self, cart_ids: Iterable[str]) -> None:
        rows = self._prepare(tables.carts, "cart_id", cart_ids)
        self._identities.prepare(row.customer_id for row in rows if row.customer_id is not None)

    def record(self, cart_id: str) -> Cart | None:
        if cart_id not in self._read:
            row = self._one(tables.carts, cart_id=cart_id)
            self._read[cart_id] = None if row is None else _cart(row)
        return self._read[cart_id]

    def save(self, cart: Cart) -> None:
        # It would be read as it was saved.
        self._read = {cart.cart_id: cart}
        self._save(
            tables.carts,
            {
                "cart_id": cart.cart_id,
                "customer_id": cart.customer_id,
                "currency": cart.currency,
                "items": [asdict(item) for item in cart.items],
                "url": cart.url,
                "last_activity_at": cart.last_activity_at,
                "anonymous_id": cart.anonymous_id,
                "checkout_id": cart.checkout_id,
                "checkout_started_at": cart.checkout_started_at,
                "told": encoded(_without_content(cart)) if cart.told or cart.changes else None,
                "changes": [_encoded_change(each) for each in cart.changes] or None,
            },
        )

    def of_customer(self, customer_id: str) -> list[Cart]:
        person = {"customers": list(self._identities.all_of(customer_id)), "anonymous": self._browsers(customer_id)}
        found = self._connection.execute(_CARTS_OF_PERSON, person)
        carts = [self._owned(_cart(row)) for row in found]
        return sorted(carts, key=lambda cart: (cart.last_activity_at, cart.cart_id))

    def of_anonymous(self, anonymous_id: str) -> list[Cart]:
        t = tables.carts
        found = self._connection.execute(select(t).where(t.c.anonymous_id == anonymous_id).order_by(t.c.cart_id))
        return [self._owned(_cart(row)) for row in found]

    def _browsers(self, customer_id: str) -> list[str]:
        return list(self._identities.anonymous_of(customer_id))

    def _owned(self, cart: Cart) -> Cart:
        owner = None
        if cart.customer_id is not None:
            owner = self._identities.resolve(cart.customer_id)
        elif cart.anonymous_id is not None:
            owner = self._identities.owner_of(cart.anonymous_id)
        return cart if owner == cart.customer_id else replace(cart, customer_id=owner)


def _cart(row: Row[Any]) -> Cart:
    items = tuple(CartItem(**item) for item in row.items)
    return Cart(
        cart_id=row.cart_id,
        customer_id=row.customer_id,
        currency=row.currency,
        items=items,
        url=row.url,
        last_activity_at=row.last_activity_at,
        anonymous_id=row.anonymous_id,
        checkout_id=row.checkout_id,
        checkout_started_at=row.checkout_started_at,
        told=_cart_told(row, items),
        changes=tuple(_decoded_change(each) for each in row.changes or ()),
    )


def _without_content(cart: Cart) -> Told:
    """Leave the full picture that counts out of the origins where the row's columns say the same."""
    full = standing(cart.told, "content")
    if full is None or cart.changes:
        return cart.told
    tellings = (replace(each, value=None) if each is full else each for each in cart.told["content"])
    return {**cart.told, "content": tuple(tellings)}


def _cart_told(row: Row[Any], items: Iterable[CartItem]) -> Told:
    if row.told is None:
        fields = {"customer_id": row.customer_id, "url": row.url, "content": content(row.currency, items)}
        return told_before(row.last_activity_at, fields)
    told = decoded(row.told)
    full = standing(told, "content")
    if full is None or full.value is not None:
        return told
    picture = {"currency": row.currency, "items": row.items}
    tellings = (replace(each, value=picture) if each is full else each for each in told["content"])
    return {**told, "content": tuple(tellings)}


def _encoded_change(change: CartChange) -> dict[str, Any]:
    return {**asdict(change), "at": change.at.isoformat()}


def _decoded_change(found: dict[str, Any]) -> CartChange:
    return CartChange(**{**found, "at": datetime.fromisoformat(found["at"])})


class Orders(OfPersons):
    """An order names the person whom it was told to be of."""

    def prepare(self, order_ids: Iterable[str]) -> None:
        rows = self._prepare(tables.orders, "order_id", order_ids)
        self._identities.prepare(row.customer_id for row in rows if row.customer_id is not None)

    def get(self, order_id: str) -> Order | None:
        row = self._one(tables.orders, order_id=order_id)
        return None if row is None else self._owned(_order(row))

    def told(self, order_id: str) -> Told:
        row = self._one(tables.orders, order_id=order_id)
        if row is not None:
            return _order_told(row)
        early = self._one(tables.early_orders, order_id=order_id)
        return {} if early is None else decoded(early.told)

    def save(self, order: Order) -> None:
        if self._one(tables.early_orders, order_id=order.order_id) is not None:
            t = tables.early_orders
            self._connection.execute(delete(t).where(t.c.order_id == order.order_id))
        self._save(
            tables.orders,
            {
                "order_id": order.order_id,
                "customer_id": order.customer_id,
                "cart_id": order.cart_id,
                "placed_at": order.placed_at,
                "currency": order.currency,
                "total_minor": order.total_minor,
                "coupon_code": order.coupon_code,
                "anonymous_id": order.anonymous_id,
                "checkout_id": order.checkout_id,
                "told": encoded(order.told) if order.told else None,
            },
        )

    def save_early(self, order_id: str, told: Told) -> None:
        self._save(tables.early_orders, {"order_id": order_id, "told": encoded(told)})

    def of_cart(self, cart_id: str) -> Order | None:
        row = self._connection.execute(_FIRST_ORDER_OF_CART, {"cart_id": cart_id}).one_or_none()
        return None if row is None else self._owned(_order(row))

    def buyers_after(self, customer_id: str, since: datetime, limit: int) -> list[str]:
        t = tables.orders
        bought = select(t.c.customer_id).where(t.c.customer_id > customer_id, t.c.placed_at > since).distinct()
        return list(self._connection.scalars(bought.order_by(t.c.customer_id).limit(limit)))

    def of_customer(self, customer_id: str) -> list[Order]:
        return self.of_customers([customer_id])[customer_id]

    def of_customers(self, customer_ids: Collection[str]) -> dict[str, list[Order]]:
        self._identities.prepare(customer_ids)
        browsers = self._identities.anonymous_of_many(customer_ids)
        found: dict[str, dict[str, Order]] = {self._identities.resolve(each): {} for each in customer_ids}
        ids = sorted({each for person in found for each in self._identities.all_of(person)})
        owned = {browser: person for person, theirs in browsers.items() for browser in theirs}
        rows = self._connection.execute(_ORDERS_OF_PERSONS, {"customers": ids, "anonymous": sorted(owned)}).all()
        self._identities.prepare_owners({row.anonymous_id for row in rows if row.customer_id is None} - {None})
        for row in rows:
            through = row.through_customer
            person = owned[row.through_browser] if through is None else self._identities.resolve(through)
            if row.order_id not in found[person]:
                found[person][row.order_id] = self._owned(_order(row))
        in_time = {person: sorted(orders.values(), key=_place_in_time) for person, orders in found.items()}
        return {each: in_time[self._identities.resolve(each)] for each in customer_ids}

    def _owned(self, order: Order) -> Order:
        owner = None
        if order.customer_id is not None:
            owner = self._identities.resolve(order.customer_id)
        elif order.anonymous_id is not None:
            owner = self._identities.owner_of(order.anonymous_id)
        return order if owner == order.customer_id else replace(order, customer_id=owner)


def _place_in_time(order: Order) -> tuple[datetime, str]:
    return order.placed_at, order.order_id


def _order(row: Row[Any]) -> Order:
    return Order(
        order_id=row.order_id,
        customer_id=row.customer_id,
        cart_id=row.cart_id,
        placed_at=row.placed_at,
        currency=row.currency,
        total_minor=row.total_minor,
        coupon_code=row.coupon_code,
        anonymous_id=row.anonymous_id,
        checkout_id=row.checkout_id,
        told=_order_told(row),
    )


def _order_told(row: Row[Any]) -> Told:
    if row.told is not None:
        return decoded(row.told)
    placed = {"currency": row.currency, "total_minor": row.total_minor, "coupon_code": row.coupon_code, "items": []}
    fields = {"placed": placed, "customer_id": row.customer_id, "cart_id": row.cart_id}
    return told_before(row.placed_at, fields)


class Payments(Repository):
    def get(self, payment_id: str) -> Payment | None:
        row = self._one(tables.payments, payment_id=payment_id)
        return None if row is None else payment_of(row.payment_id, decoded(row.told))

    def save(self, payment: Payment) -> None:
        row = {"order_id": payment.order_id, "cart_id": payment.cart_id, "customer_id": payment.customer_id}
        self._save(tables.payments, {"payment_id": payment.payment_id, **row, "told": encoded(payment.told)})

    def of_order(self, order_id: str) -> list[Payment]:
        rows = self._connection.execute(_PAYMENTS_OF_ORDER, {"order_id": order_id})
        return [payment_of(row.payment_id, decoded(row.told)) for row in rows]


class Products(Repository):
    def prepare(self, skus: Iterable[str]) -> None:
        self._prepare(tables.products, "sku", skus)

    def get(self, sku: str) -> Product | None:
        row = self._one(tables.products, sku=sku)
        return None if row is None else _product(row)

    def save(self, product: Product) -> None:
        row = {column.name: getattr(product, column.name) for column in tables.products.columns}
        self._save(tables.products, {**row, "told": encoded(product.told) if product.told else None})


def _product(row: Row[Any]) -> Product:
    found = dict(row._mapping)  # noqa: SLF001 -- SQLAlchemy's public name for a row's columns by name
    told = found.pop("told")
    return Product(**found, told=decoded(told) if told is not None else _product_told(row))


def _product_told(row: Row[Any]) -> Told:
    price = {"price_minor": row.price_minor, "currency": row.currency} if row.price_minor is not None else None
    fields = {"name": row.name, "url": row.url, "image_url": row.image_url, "price": price}
    return {**told_before(row.updated_at, fields), **told_before(row.stock_changed_at, {"stock": row.quantity})}


class ProductViews(OfPersons):
    """The newest views of each viewer; those of a person's ids and browsers are read together."""

    def of_viewer(self, kind: str, viewer_id: str) -> list[ProductView]:
        row = self._one(tables.product_views, viewer_kind=kind, viewer_id=viewer_id)
        return [] if row is None else [_view(each) for each in row.views]

    def save(self, kind: str, viewer_id: str, views: Iterable[ProductView]) -> None:
        found = [[each.sku, each.at.isoformat(), each.source, each.event_id] for each in views]
        t = tables.product_views
        if found:
            self._save(t, {"viewer_kind": kind, "viewer_id": viewer_id, "views": found})
        else:
            self._seen.clear()
            self._connection.execute(delete(t).where(t.c.viewer_kind == kind, t.c.viewer_id == viewer_id))

    def of_customer(self, customer_id: str, limit: int) -> list[ProductView]:
        viewers = [("customer", each) for each in self._identities.all_of(customer_id)]
        viewers += [("anonymous", each) for each in self._identities.anonymous_of(customer_id)]
        views = [view for kind, viewer_id in viewers for view in self.of_viewer(kind, viewer_id)]
        return sorted(views, key=lambda view: (view.at, view.source, view.event_id), reverse=True)[:limit]


def _view(found: list[str]) -> ProductView:
    sku, at, source, event_id = found
    return ProductView(sku=sku, at=datetime.fromisoformat(at), source=source, event_id=event_id)
