"""What an enrolment is about besides a cart, whom an event reaches by it, and in which order."""

from datetime import timedelta
from typing import Any

import pytest

from waggle.domain.enrolment import Enrolment
from waggle.ports.unit_of_work import UnitOfWork
from waggle.services.enrolments import Enrolments
from waggle.services.sending import Sending
from waggle.testing import facts
from waggle.testing.clock import HandClock
from waggle.testing.facts import Shop, book
from waggle.testing.journey_engine import RememberingEngine

pytestmark = pytest.mark.anyio

ON = ("back-in-stock", "price-drop", "birthday", "post-purchase", "first-purchase-upsell", "abandoned-checkout")
LINE = {"sku": "honey", "quantity": 1, "unit_price_minor": 1290}


@pytest.fixture
def shop(store: UnitOfWork, clock: HandClock, engine: RememberingEngine) -> Shop:
    """A shop that has switched on what is shipped off."""
    return facts.shop(store, clock, engine, book(enabled=ON))


async def of(shop: Shop, journey: str, key: str) -> Enrolment | None:
    return await shop.store.read(lambda tx: tx.enrolments.newest(journey, key))


async def found(shop: Shop, journey: str, key: str) -> Enrolment:
    enrolment = await of(shop, journey, key)
    assert enrolment is not None
    return enrolment


async def subscribe(shop: Shop, *customers: str) -> list[str]:
    """Let them ask for honey one after another, and return their enrolments."""
    ids = []
    for customer_id in customers:
        shop.clock.advance(timedelta(minutes=1))
        await shop.tell("stock-subscription-created", {"customer_id": customer_id, "sku": "honey"})
        ids.append((await found(shop, "back-in-stock", f"{customer_id}:honey")).enrolment_id)
    return ids


async def deliver(shop: Shop, engine: RememberingEngine, quantity: int) -> list[str]:
    """Tell of so many pieces and return whom the engine was asked to wake by that."""
    before = len(engine.told("stock-changed"))
    await shop.tell("stock-changed", {"sku": "honey", "quantity": quantity})
    await shop.relay.publish()
    return engine.told("stock-changed")[before:]


async def test_a_journey_that_is_switched_off_is_not_entered(
    store: UnitOfWork, clock: HandClock, engine: RememberingEngine
) -> None:
    shop = facts.shop(store, clock, engine)
    await shop.tell("stock-subscription-created", {"customer_id": "c-1", "sku": "honey"})

    assert await of(shop, "back-in-stock", "c-1:honey") is None


async def test_an_enrolment_knows_the_product_and_the_price_that_was_watched(shop: Shop) -> None:
    await shop.tell(
        "price-watch-created", {"customer_id": "c-1", "sku": "honey", "price_minor": 1290, "currency": "EUR"}
    )

    enrolment = await found(shop, "price-drop", "c-1:honey")
    assert (enrolment.sku, str(enrolment.watched_price), enrolment.cart_id) == ("honey", "€12.90", None)
    opened = await Enrolments(shop.store, book(), shop.clock).open(enrolment.enrolment_id, 1)
    assert (opened.sku, opened.order_id) == ("honey", None)


async def test_an_order_without_a_customer_enters_as_the_one_who_ordered(shop: Shop) -> None:
    await shop.cart()
    await shop.order("o-1", cart_id="cart-1")
    await shop.tell("order-delivered", {"order_id": "o-1"})

    enrolment = await found(shop, "post-purchase", "o-1")
    assert (enrolment.customer_id, enrolment.order_id, enrolment.cart_id) == ("c-1", "o-1", None)


async def test_an_order_that_begins_a_journey_does_not_end_it_in_the_same_breath(
    shop: Shop, engine: RememberingEngine
) -> None:
    await shop.order("o-1", customer_id="c-1")
    await shop.relay.publish()

    begun = await shop.store.read(lambda tx: tx.enrolments.live_of_customer("first-purchase-upsell", "c-1"))
    assert begun
    assert {each.enrolment_id for each in begun}.isdisjoint(engine.told("order-placed"))


async def test_a_checkout_without_a_cart_stands_as_one_under_its_own_id(shop: Shop) -> None:
    data = {"checkout_id": "k-1", "customer_id": "c-1", "currency": "EUR", "total_minor": 1290, "items": [LINE]}
    await shop.tell("checkout-started", data)

    assert (await found(shop, "abandoned-checkout", "k-1")).cart_id == "k-1"


async def test_a_cart_at_the_checkout_does_not_enter_the_journey_of_carts_again(shop: Shop) -> None:
    await shop.cart()
    first = await shop.enrolment()
    data: dict[str, Any] = {"checkout_id": "k-1", "cart_id": "cart-1", "customer_id": "c-1", "currency": "EUR"}
    await shop.tell("checkout-started", {**data, "total_minor": 1290, "items": [LINE]})
    await Enrolments(shop.store, book(), shop.clock).end(first.enrolment_id, "superseded", "")
    shop.clock.advance(timedelta(minutes=1))
    await shop.cart()

    assert (await shop.enrolment()).entry == 1


async def test_no_more_people_are_told_of_a_product_than_there_are_pieces(
    shop: Shop, engine: RememberingEngine
) -> None:
    waiting = await subscribe(shop, "c-1", "c-2", "c-3")

    assert await deliver(shop, engine, 0) == []
    assert sorted(await deliver(shop, engine, 2)) == sorted(waiting[:2])


async def test_who_was_written_to_leaves_the_next_pieces_to_the_others(
    shop: Shop, engine: RememberingEngine, sending: Sending
) -> None:
    await shop.customer()
    waiting = await subscribe(shop, "c-1", "c-2", "c-3")
    await deliver(shop, engine, 1)
    sent = await sending.send(enrolment_id=waiting[0], step="mail", template="back-in-stock", coupon_id=None)
    assert sent.outcome == "sent"

    assert await deliver(shop, engine, 1) == [waiting[1]]


async def test_who_was_to_be_told_when_it_sold_out_again_is_still_the_first(
    shop: Shop, engine: RememberingEngine, sending: Sending
) -> None:
    await shop.customer()
    waiting = await subscribe(shop, "c-1", "c-2")
    await deliver(shop, engine, 1)
    await shop.tell("stock-changed", {"sku": "honey", "quantity": 0})
    sent = await sending.send(enrolment_id=waiting[0], step="mail", template="back-in-stock", coupon_id=None)
    assert (sent.outcome, sent.reason) == ("suppressed", "out_of_stock")

    assert await deliver(shop, engine, 1) == [waiting[0]]


@pytest.mark.parametrize(
    ("event_type", "data", "told"),
    [
        ("price-changed", {"price_minor": 1000, "currency": "EUR"}, True),
        ("price-changed", {"price_minor": 1290, "currency": "EUR"}, False),
        ("price-changed", {"price_minor": 1000, "currency": "USD"}, False),
        ("product-updated", {"name": "Honey", "price_minor": 1000, "currency": "EUR"}, True),
    ],
)
async def test_who_watches_a_price_is_told_only_of_a_lower_one(
    shop: Shop, engine: RememberingEngine, event_type: str, data: dict[str, Any], told: bool
) -> None:
    watch = {"customer_id": "c-1", "sku": "honey", "price_minor": 1290, "currency": "EUR"}
    await shop.tell("price-watch-created", watch)
    await shop.tell(event_type, {"sku": "honey", **data})
    await shop.relay.publish()

    enrolment = await found(shop, "price-drop", "c-1:honey")
    assert engine.told("price-changed") == ([enrolment.enrolment_id] if told else [])


async def test_a_lower_price_of_what_is_sold_out_is_told_once_it_is_back(shop: Shop, engine: RememberingEngine) -> None:
    watch = {"customer_id": "c-1", "sku": "honey", "price_minor": 1290, "currency": "EUR"}
    await shop.tell("price-watch-created", watch)
    await shop.tell("stock-changed", {"sku": "honey", "quantity": 0})
    await shop.tell("price-changed", {"sku": "honey", "price_minor": 1000, "currency": "EUR"})
    await shop.relay.publish()
    assert engine.told("price-changed") == []

    await shop.tell("stock-changed", {"sku": "honey", "quantity": 2})
    await shop.relay.publish()
    assert len(engine.told("price-changed")) == 1


@pytest.mark.parametrize(("sku", "ended"), [("honey", True), ("wax", False)])
async def test_an_order_ends_only_the_waiting_for_what_was_ordered(
    shop: Shop, engine: RememberingEngine, sku: str, ended: bool
) -> None:
    [waiting] = await subscribe(shop, "c-1")
    await shop.order("o-1", customer_id="c-1", items=[{**LINE, "sku": sku}])
    await shop.relay.publish()

    assert (waiting in engine.told("order-placed")) is ended


async def test_a_click_is_noted_on_its_message_once(shop: Shop, sending: Sending, clock: HandClock) -> None:
    await shop.customer()
    await shop.cart()
    enrolment = await shop.enrolment()
    await sending.send(
        enrolment_id=enrolment.enrolment_id, step="first-mail", template="abandoned-cart", coupon_id=None
    )
    message = await shop.message(enrolment.enrolment_id)
    for _ in range(2):
        clock.advance(timedelta(minutes=1))
        await shop.tell("message-clicked", {"message_id": message.message_id})

    clicked_at = (await shop.message(enrolment.enrolment_id)).clicked_at
    assert clicked_at == clock.now() - timedelta(minutes=1)
    since = clock.now() - timedelta(days=30)
    counted = await shop.store.read(lambda tx: tx.messages.count_sent_and_clicked("c-1", "marketing", since))
    assert counted == (1, 1)
