"""Carts, orders and products."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import Select, and_, bindparam, or_, select

from waggle.domain.cart import Cart
from waggle.domain.event import CartItem
from waggle.domain.order import Order
from waggle.domain.product import Product
from waggle.storage import tables
from waggle.storage.repositories.base import Repository, by_key, value_of


def _orders_of_customer() -> Select[Any]:
    t, carts = tables.orders, tables.carts
    own_carts = select(carts.c.cart_id).where(carts.c.customer_id == bindparam("customer_id"))
    as_guest = and_(t.c.customer_id.is_(None), t.c.cart_id.in_(own_carts))
    return select(t).where(or_(t.c.customer_id == bindparam("customer_id"), as_guest))


_ORDERS_OF_CUSTOMER = _orders_of_customer()
_FIRST_ORDER_OF_CART = (
    by_key(tables.orders, ("cart_id",)).order_by(tables.orders.c.placed_at, tables.orders.c.order_id).limit(1)
)


class Carts(Repository):
    def get(self, cart_id: str) -> Cart | None:
        row = self._one(tables.carts, cart_id=cart_id)
        if row is None:
            return None
        return Cart(
            cart_id=row.cart_id,
            customer_id=row.customer_id,
            currency=row.currency,
            items=tuple(CartItem(**item) for item in row.items),
            url=row.url,
            last_activity_at=row.last_activity_at,
            customer_told_at=row.customer_told_at,
            url_told_at=row.url_told_at,
        )

    def save(self, cart: Cart) -> None:
        self._save(tables.carts, {**asdict(cart), "items": [asdict(item) for item in cart.items]})


class Orders(Repository):
    def get(self, order_id: str) -> Order | None:
        row = self._one(tables.orders, order_id=order_id)
        return None if row is None else value_of(Order, row)

    def save(self, order: Order) -> None:
        self._save(tables.orders, asdict(order))

    def of_cart(self, cart_id: str) -> Order | None:
        found = self._all(Order, _FIRST_ORDER_OF_CART, {"cart_id": cart_id})
        return found[0] if found else None

    def of_customer(self, customer_id: str) -> list[Order]:
        return self._all(Order, _ORDERS_OF_CUSTOMER, {"customer_id": customer_id})


class Products(Repository):
    def get(self, sku: str) -> Product | None:
        row = self._one(tables.products, sku=sku)
        return None if row is None else value_of(Product, row)

    def save(self, product: Product) -> None:
        self._save(tables.products, asdict(product))
