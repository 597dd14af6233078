"""What has become of a cart."""

from datetime import UTC, datetime, timedelta

import pytest

from waggle.domain.cart import Cart
from waggle.domain.event import CartItem
from waggle.domain.product import Product

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
IDLE = timedelta(minutes=20)


def cart(*items: CartItem) -> Cart:
    return Cart(cart_id="cart-1", customer_id=None, currency="EUR", items=items, url=None, last_activity_at=NOON)


HONEY = CartItem(sku="honey", quantity=3, unit_price_minor=1250)


@pytest.mark.parametrize(("after", "state"), [(IDLE - timedelta(seconds=1), "active"), (IDLE, "idle")])
def test_a_cart_is_idle_from_the_moment_its_time_is_over(after: timedelta, state: str) -> None:
    assert cart(HONEY).state(ordered=False, idle_after=IDLE, now=NOON + after) == state
    assert cart(HONEY).idle_at(IDLE) == NOON + IDLE


def test_an_order_outweighs_an_empty_cart_and_an_empty_cart_a_long_silence() -> None:
    late = NOON + timedelta(days=1)

    assert cart().state(ordered=True, idle_after=IDLE, now=late) == "ordered"
    assert cart().state(ordered=False, idle_after=IDLE, now=late) == "emptied"


def test_its_value_is_the_sum_of_its_lines() -> None:
    assert cart(HONEY, CartItem(sku="wax", quantity=1, unit_price_minor=99)).value_minor == 3849


@pytest.mark.parametrize(("quantity", "available"), [(None, True), (1, True), (0, False)])
def test_goods_whose_stock_was_never_told_can_be_bought(quantity: int | None, *, available: bool) -> None:
    assert Product(sku="honey", quantity=quantity).available is available
