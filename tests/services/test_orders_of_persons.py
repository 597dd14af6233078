"""Whoever asks for the orders of many gets for each what one alone gets, and asks no more often."""

from collections.abc import Sequence

import pytest
from sqlalchemy import event

from waggle.ports.unit_of_work import Transaction
from waggle.storage.repositories import SqlTransaction
from waggle.testing.facts import Shop

pytestmark = pytest.mark.anyio

EXPECTED = {
    "c-1": ["named", "by-cart", "by-browser", "of-two"],
    "c-2": ["of-other-id", "named-2", "of-two"],
    "c-3": [],
    "c-4": [],
}


async def told(shop: Shop) -> None:
    """Guests' orders that became somebody's, by a cart, a browser, or both; two ids of one person; a shared browser."""
    for customer_id, browser in (("c-1", "a-1"), ("c-2", "a-2"), ("c-3", "a-shared"), ("c-4", "a-shared")):
        await shop.customer(customer_id, anonymous_id=browser)
    await shop.customer("c-2-old")
    await shop.tell("customers-merged", {"customer_id": "c-2", "merged_customer_id": "c-2-old"})
    await shop.order("of-other-id", customer_id="c-2-old")
    await shop.order("named", customer_id="c-1")
    await shop.order("named-2", customer_id="c-2", cart_id="cart-of-c-1")
    await shop.cart("cart-of-c-1", "c-1")
    await shop.order("by-cart", cart_id="cart-of-c-1")
    await shop.order("by-browser", anonymous_id="a-1")
    await shop.order("of-nobody", anonymous_id="a-shared")
    await shop.order("of-two", cart_id="cart-of-c-1", anonymous_id="a-2")


async def test_each_has_all_that_became_theirs(shop: Shop) -> None:
    await told(shop)

    many = await shop.store.read(lambda tx: tx.orders.of_customers(list(EXPECTED)))
    alone = await shop.store.read(lambda tx: {each: tx.orders.of_customer(each) for each in EXPECTED})

    assert {each: {order.order_id for order in orders} for each, orders in many.items()} == {
        each: set(ids) for each, ids in EXPECTED.items()
    }
    assert many == alone
    assert all(
        orders == sorted(orders, key=lambda order: (order.placed_at, order.order_id)) for orders in many.values()
    )


async def test_an_id_that_was_merged_has_the_orders_of_its_person(shop: Shop) -> None:
    await told(shop)

    found = await shop.store.read(lambda tx: tx.orders.of_customers(["c-2", "c-2-old"]))

    assert found["c-2"] == found["c-2-old"] != []


async def test_as_many_statements_are_asked_for_many_as_for_two(shop: Shop) -> None:
    await told(shop)

    def asked(tx: Transaction, customer_ids: Sequence[str]) -> int:
        assert isinstance(tx, SqlTransaction)
        statements: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
            statements.append(statement)

        event.listen(tx.connection, "before_cursor_execute", note)
        tx.orders.of_customers(customer_ids)
        event.remove(tx.connection, "before_cursor_execute", note)
        return len(statements)

    few = await shop.store.read(lambda tx: asked(tx, ["c-1", "c-2"]))
    many = await shop.store.read(lambda tx: asked(tx, [*EXPECTED, *(f"x-{number}" for number in range(50))]))

    assert few == many
