from datetime import timedelta

import pytest

from waggle.services.cart_reading import CartReader
from waggle.testing.facts import Shop
from waggle.testing.tasks import call
from workers.read_cart import CartRead, ReadCart, read_cart

pytestmark = pytest.mark.anyio

IDLE = timedelta(minutes=20)
JOB = ReadCart(cart_id="cart-1", cart_idle=IDLE)


async def test_a_cart_is_active_until_it_has_been_left_alone_long_enough(shop: Shop) -> None:
    carts = CartReader(shop.store, shop.clock)
    await shop.cart()
    idle_at = shop.clock.now() + IDLE

    assert await read_cart(JOB, carts) == CartRead(cart_state="active", cart_idle_at=idle_at, cart_value_minor=2000)
    shop.clock.advance(IDLE)
    assert await read_cart(JOB, carts) == CartRead(cart_state="idle", cart_idle_at=idle_at, cart_value_minor=2000)


async def test_activity_while_the_journey_waits_puts_the_moment_off(shop: Shop) -> None:
    carts = CartReader(shop.store, shop.clock)
    await shop.cart()
    shop.clock.advance(timedelta(minutes=19))
    await shop.cart()
    shop.clock.advance(timedelta(minutes=1))

    found = await read_cart(JOB, carts)

    assert (found.cart_state, found.cart_idle_at) == ("active", shop.clock.now() + timedelta(minutes=19))


async def test_an_emptied_and_an_ordered_cart_are_told_apart(shop: Shop) -> None:
    carts = CartReader(shop.store, shop.clock)
    await shop.cart(items=[])
    assert (await read_cart(JOB, carts)).cart_state == "emptied"
    await shop.order(cart_id="cart-1")
    assert (await read_cart(JOB, carts)).cart_state == "ordered"


async def test_a_cart_that_nobody_told_of_is_an_incident(shop: Shop) -> None:
    services = {CartReader: CartReader(shop.store, shop.clock)}

    outcome = await call(read_cart, {"cart_id": "cart-1", "cart_idle": "PT20M"}, services=services)

    assert (outcome["failed"], outcome["retries"]) == ("CART_UNKNOWN", 0)


async def test_a_cart_is_told_to_the_diagram_as_small_scalars(shop: Shop) -> None:
    await shop.cart()
    services = {CartReader: CartReader(shop.store, shop.clock)}

    outcome = await call(read_cart, {"cart_id": "cart-1", "cart_idle": "PT20M"}, services=services)

    idle_at = (shop.clock.now() + IDLE).isoformat().replace("+00:00", "Z")
    assert outcome == {"completed": {"cart_state": "active", "cart_idle_at": idle_at, "cart_value_minor": 2000}}
