"""What follows from facts about carts, orders, payments and products, whoever tells them and in whatever order."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from waggle.domain.cart import Cart
from waggle.domain.event import Event
from waggle.domain.order import Order
from waggle.errors import BadSettings
from waggle.ports.unit_of_work import UnitOfWork
from waggle.resources import shipped
from waggle.services.projections import VIEWS_KEPT, fact_of, project
from waggle.services.state_rules import StateRules, load_rules
from waggle.testing.facts import Shop

pytestmark = pytest.mark.anyio

HONEY = {"sku": "honey", "quantity": 1, "unit_price_minor": 500}
MINUTE = timedelta(minutes=1)


async def cart(store: UnitOfWork, cart_id: str = "k-1") -> Cart:
    found = await store.read(lambda tx: tx.carts.get(cart_id))
    assert found is not None
    return found


async def order(store: UnitOfWork, order_id: str = "o-1") -> Order:
    found = await store.read(lambda tx: tx.orders.get(order_id))
    assert found is not None
    return found


def lines(found: Cart) -> dict[str, int]:
    return {item.sku: item.quantity for item in found.items}


async def test_products_put_in_and_taken_out_count_since_the_newest_full_picture(store: UnitOfWork, shop: Shop) -> None:
    start = shop.clock.now()
    shop.clock.advance(timedelta(hours=1))
    wax = {"cart_id": "k-1", "currency": "EUR", "sku": "wax", "quantity": 2, "unit_price_minor": 300}
    await shop.tell("product-removed", {"cart_id": "k-1", "sku": "honey", "quantity": 1}, at=start + 4 * MINUTE)
    await shop.tell("product-added", wax, at=start + 3 * MINUTE)
    await shop.tell("product-added", {**wax, "quantity": 7}, at=start + MINUTE)
    full = {"cart_id": "k-1", "currency": "EUR", "items": [HONEY]}
    await shop.tell("cart-updated", full, at=start + 2 * MINUTE)

    found = await cart(store)
    assert lines(found) == {"wax": 2}
    assert (found.currency, found.value_minor, found.last_activity_at) == ("EUR", 600, start + 4 * MINUTE)


async def test_a_checkout_is_noted_on_its_cart_and_one_without_a_cart_stands_for_itself(
    store: UnitOfWork, shop: Shop
) -> None:
    checkout = {"currency": "EUR", "total_minor": 500, "items": [HONEY], "url": "https://shop.example/pay"}
    await shop.tell("checkout-started", {"checkout_id": "x-1", "cart_id": "k-1", **checkout})
    await shop.tell("checkout-started", {"checkout_id": "x-2", **checkout})

    of_cart, alone = await cart(store), await cart(store, "x-2")
    assert (of_cart.checkout_id, of_cart.checkout_url, lines(of_cart)) == ("x-1", checkout["url"], {"honey": 1})
    assert (alone.url, alone.checkout_started_at) == (checkout["url"], shop.clock.now())

    await shop.order("o-2", checkout_id="x-2")
    assert await store.read(lambda tx: tx.orders.of_cart("x-2")) == await order(store, "o-2")


async def test_facts_about_an_order_may_come_before_it(store: UnitOfWork, shop: Shop) -> None:
    start = shop.clock.now()
    shop.clock.advance(timedelta(hours=1))
    await shop.tell("order-shipped", {"order_id": "o-1"}, at=start + 2 * MINUTE)
    await shop.tell("order-paid", {"order_id": "o-1", "customer_id": "c-1"}, at=start + MINUTE)
    assert await store.read(lambda tx: tx.orders.get("o-1")) is None

    await shop.order("o-1", at=start, items=[HONEY])

    found = await order(store)
    assert (found.state, found.placed_at, found.customer_id) == ("shipped", start, "c-1")
    assert (found.at("paid"), found.at("shipped"), found.at("delivered")) == (start + MINUTE, start + 2 * MINUTE, None)
    assert [item.sku for item in found.items] == ["honey"]


async def test_a_cancelled_order_settles_its_cart_and_does_not_speak_for_its_customer(
    store: UnitOfWork, shop: Shop
) -> None:
    await shop.order("o-1", cart_id="k-1", customer_id="c-1")
    await shop.tell("order-cancelled", {"order_id": "o-1"})

    found = await order(store)
    assert (found.state, found.counts) == ("cancelled", False)
    assert await store.read(lambda tx: tx.orders.of_cart("k-1")) == found


async def test_each_refund_of_a_payment_is_money_of_its_own(store: UnitOfWork, shop: Shop) -> None:
    await shop.tell("payment-failed", {"payment_id": "p-1", "order_id": "o-1", "code": "expired_card"})
    shop.clock.advance(MINUTE)
    money = {"payment_id": "p-1", "currency": "EUR"}
    await shop.tell("payment-authorised", {**money, "amount_minor": 500})
    [paid] = await store.read(lambda tx: tx.payments.of_order("o-1"))
    assert paid.state == "authorised"

    for amount_minor in (100, 150):
        await shop.tell("payment-refunded", {**money, "amount_minor": amount_minor})

    [refunded] = await store.read(lambda tx: tx.payments.of_order("o-1"))
    assert (refunded.state, refunded.refunded_minor) == ("refunded", 250)


async def test_only_the_newest_views_are_kept_and_a_browsers_are_its_owners(store: UnitOfWork, shop: Shop) -> None:
    for number in range(VIEWS_KEPT + 5):
        shop.clock.advance(MINUTE)
        await shop.send("product-viewed", {"sku": f"sku-{number}", "anonymous_id": "a-1"})
    await shop.tell("customer-identified", {"customer_id": "c-1", "anonymous_id": "a-1"})

    views = await store.read(lambda tx: tx.product_views.of_customer("c-1", 100))
    assert [view.sku for view in views] == [f"sku-{number}" for number in reversed(range(5, VIEWS_KEPT + 5))]


def told(source: str, at: datetime, price_minor: int) -> Event:
    data = {"sku": "honey", "price_minor": price_minor, "currency": "EUR"}
    return Event(f"{source}-{at:%M}", source, "price-changed", "honey", at, data)


@pytest.mark.parametrize("turned", [False, True])
async def test_the_preferred_source_is_right_however_old_its_word_and_the_other_is_remembered(
    store: UnitOfWork, shop: Shop, turned: bool
) -> None:
    rules = StateRules(prefer={("product", "price"): ("erp",)})
    now = shop.clock.now()
    words = [told("erp", now, 100), told("shop", now + MINUTE, 200), told("till", now + 2 * MINUTE, 300)]
    for word in reversed(words) if turned else words:
        await store.run(lambda tx, word=word: project(tx, word, fact_of(word), rules))  # type: ignore[misc]

    product = await store.read(lambda tx: tx.products.get("honey"))
    assert product is not None
    assert product.price_minor == 100
    assert [(each.source, each.value["price_minor"]) for each in product.told["price"]] == [
        ("erp", 100),
        ("shop", 200),
        ("till", 300),
    ]


def test_the_rules_that_are_shipped_prefer_nobody() -> None:
    rules = load_rules(shipped("config"), merge_by_email=True, merge_by_phone=False)

    assert rules == StateRules()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("[custommer]\nemail = { prefer = ['erp'] }", "[custommer]"),
        ("[product]\ncolour = { prefer = ['erp'] }", "[product] colour"),
        ("[product]\nprice = 'newest'", "[product] write price"),
        ("[product", "state.toml"),
    ],
)
def test_a_wrong_rule_is_named(tmp_path: Path, written: str, said: str) -> None:
    (tmp_path / "state.toml").write_text(written)

    with pytest.raises(BadSettings) as error:
        load_rules(tmp_path, merge_by_email=True, merge_by_phone=False)

    assert error.value.code == "STATE_RULES_WRONG"
    assert said in error.value.message
