"""Counts are of one moment and miss nothing."""

import pytest

from waggle.services.enrolments import Enrolments
from waggle.services.overview import look
from waggle.services.sending import Sending
from waggle.testing.facts import Shop, book

pytestmark = pytest.mark.anyio


async def test_an_empty_house_has_nothing_to_do(shop: Shop) -> None:
    found = await look(shop.store)

    assert (found.live, found.under_way, found.quarantined) == (0, 0, 0)


async def test_each_thing_is_counted_where_it_stands(shop: Shop, sending: Sending) -> None:
    await shop.customer()
    for cart_id in ("cart-1", "cart-2", "cart-3"):
        await shop.cart(cart_id)
    enrolments = Enrolments(shop.store, book(), shop.clock)
    first, second, _ = [(await shop.enrolment(f"cart-{n}")).enrolment_id for n in (1, 2, 3)]
    for enrolment_id in (first, second):
        await enrolments.open(enrolment_id, 1)
        await sending.send(enrolment_id=enrolment_id, step="first-mail", template="abandoned-cart", coupon_id=None)
    await enrolments.end(second, "not_sent", "frequency_cap")
    await shop.relay.publish()
    await shop.send("stock-changed", {"sku": "honey", "quantity": 1})

    found = await look(shop.store)

    assert found.enrolments == {("running", ""): 1, ("ended", "not_sent"): 1, ("entering", ""): 1}
    assert found.messages == {("first-mail", "sent", "ok"): 1, ("first-mail", "suppressed", "frequency_cap"): 1}
    assert (found.events_pending, found.engine_messages_due) == (1, 0)
    assert found.live == 2
    # The event, and the journey that has not begun.
    assert found.under_way == 2
