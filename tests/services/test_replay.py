"""What is known is derived anew beside the running system, and mended where it differs."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from waggle.domain.product import Product
from waggle.ports.state import Position
from waggle.ports.unit_of_work import UnitOfWork
from waggle.services.intake import Intake
from waggle.services.replay import Replay, Report, dump
from waggle.services.state_rules import StateRules
from waggle.storage.shadow import FileBookmark
from waggle.storage.store import Store, open_store
from waggle.testing.facts import SOURCE, Shop, event

pytestmark = pytest.mark.anyio

NEWEST = StateRules()


class Bookmark:
    """Remembers the position as long as the test runs."""

    def __init__(self) -> None:
        self.position = Position()

    def load(self) -> Position:
        return self.position

    def save(self, position: Position) -> None:
        self.position = position


@pytest.fixture
def shadow(sqlite_template: Path, tmp_path: Path, database_url: str, store: Store) -> Iterator[Store]:
    opened = open_store(
        f"sqlite:///{tmp_path / 'shadow.db'}", keyring=store._keyring, erased=tmp_path / "shadow-erased.jsonl"
    )
    yield opened
    opened.close()


async def live(shop: Shop) -> None:
    """A bit of everything, two ids of one person and somebody who was forgotten among it."""
    await shop.customer("c-1", email="ada@example.com")
    await shop.customer("guest-2", email="ada@example.com")
    await shop.customer("c-3")
    await shop.cart("cart-1", "c-1")
    await shop.cart("cart-3", "c-3")
    shop.clock.advance(timedelta(minutes=1))
    await shop.tell("order-paid", {"order_id": "o-9"})
    await shop.order("o-1", cart_id="cart-1", customer_id="guest-2")
    await shop.tell("product-updated", {"sku": "honey", "name": "H", "price_minor": 5, "currency": "EUR"})
    await shop.tell("product-viewed", {"sku": "honey", "customer_id": "c-1"})
    await shop.tell("customer-erased", {"customer_id": "c-3"})


async def replayed(store: UnitOfWork, shadow: UnitOfWork, *parts: str, mend: bool = True) -> Report:
    return await Replay(store, shadow, NEWEST, Bookmark()).run(parts, mend=mend)


async def spoil(store: Store, statement: str) -> None:
    with store._engine.begin() as connection:
        connection.execute(text(statement))


async def test_what_is_right_stays_as_it_is(store: Store, shadow: Store, shop: Shop) -> None:
    await live(shop)
    before = await store.read(dump)

    report = await replayed(store, shadow)

    assert report.differences == []
    assert report.unsettled == 0
    assert report.events == await store.read(lambda tx: tx.events.count_applied())
    assert await store.read(dump) == before


async def test_what_was_changed_by_another_hand_is_found_and_mended(store: Store, shadow: Store, shop: Shop) -> None:
    await live(shop)
    before = await store.read(dump)
    await spoil(store, "UPDATE products SET price_minor = 1 WHERE sku = 'honey'")
    await spoil(store, "DELETE FROM orders")
    await spoil(store, "DELETE FROM customers WHERE customer_id = 'guest-2'")
    await spoil(store, "DELETE FROM merged_ids WHERE customer_id = 'guest-2'")
    await store.run(lambda tx: tx.products.save(Product(sku="ghost")))

    looked = await replayed(store, shadow, mend=False)
    mended = await replayed(store, shadow)

    assert sorted((each.table, each.key, each.kind, each.fields) for each in looked.differences) == [
        ("customers", ("guest-2",), "missing", ()),
        ("merged_ids", ("guest-2",), "missing", ()),
        ("orders", ("o-1",), "missing", ()),
        ("products", ("ghost",), "surplus", ()),
        ("products", ("honey",), "other", ("price_minor",)),
    ]
    assert mended.differences == looked.differences
    assert await store.read(dump) == before
    assert (await replayed(store, shadow)).differences == []


async def test_only_what_was_asked_for_is_mended(store: Store, shadow: Store, shop: Shop) -> None:
    await live(shop)
    await spoil(store, "DELETE FROM orders")
    await spoil(store, "DELETE FROM products")

    report = await replayed(store, shadow, "products")

    assert [each.table for each in report.differences] == ["products"]
    assert await store.read(lambda tx: tx.orders.get("o-1")) is None
    assert await store.read(lambda tx: tx.products.get("honey")) is not None


async def test_nothing_is_enrolled_sent_or_redeemed_again(store: Store, shadow: Store, shop: Shop) -> None:
    await live(shop)
    effects = ("enrolments", "engine_messages", "messages", "coupons", "events")

    def counted() -> list[int]:
        with store._engine.begin() as connection:
            return [connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0 for table in effects]  # noqa: S608 -- names of ours

    before = counted()
    await spoil(store, "DELETE FROM carts")
    await replayed(store, shadow)

    assert counted() == before


async def test_what_the_relay_does_meanwhile_is_right_in_the_end(store: Store, shadow: Store, shop: Shop) -> None:
    await live(shop)
    await spoil(store, "UPDATE products SET price_minor = 1")
    await spoil(store, "UPDATE carts SET url = 'https://wrong.example/'")
    done = asyncio.Event()

    async def go_on() -> None:
        number = 0
        while not done.is_set():
            number += 1
            shop.clock.advance(timedelta(seconds=1))
            await shop.cart(f"cart-{number % 5}", "c-1")
            await shop.tell("price-changed", {"sku": f"sku-{number % 3}", "price_minor": number, "currency": "EUR"})
            await asyncio.sleep(0)

    going = asyncio.create_task(go_on())
    try:
        report = await replayed(store, shadow)
    finally:
        done.set()
        await going

    assert report.unsettled == 0
    assert ("products", ("honey",)) in [(each.table, each.key) for each in report.differences]
    assert (await replayed(store, shadow, mend=False)).differences == []


class Cut(Exception):
    """Ends a run as a kill would."""


async def test_a_run_that_was_cut_off_goes_on_where_it_was(
    store: Store, shadow: Store, shop: Shop, tmp_path: Path
) -> None:
    now = shop.clock.now()
    stock = [({"sku": f"sku-{number % 7}", "quantity": number}, f"stock-{number}") for number in range(1_200)]
    items = [event("stock-changed", event_id, data, now) for data, event_id in stock]
    await Intake(store, shop.clock).accept(SOURCE, items)
    while await shop.relay.apply_events():
        pass
    bookmark = FileBookmark(tmp_path / "position.json")

    def cut(what: str, done: int, _total: int) -> None:
        if what == "events" and done >= 1_000:
            raise Cut

    with pytest.raises(Cut):
        await Replay(store, shadow, NEWEST, bookmark, cut).run(mend=True)
    assert 1_000 <= bookmark.load().sequence < 1_200

    report = await Replay(store, shadow, NEWEST, bookmark).run(mend=True)

    assert report.differences == []
    assert bookmark.load().sequence >= 1_200


async def test_other_rules_take_effect_on_what_was_told_before(store: Store, shadow: Store, shop: Shop) -> None:
    await shop.customer("c-1", email="ada@example.com")
    await shop.customer("c-2", email="ada@example.com")
    assert await store.read(lambda tx: tx.identities.all_of("c-1")) == ("c-1", "c-2")

    await Replay(store, shadow, StateRules(merge_by_email=False), Bookmark()).run(mend=True)

    assert await store.read(lambda tx: tx.identities.all_of("c-1")) == ("c-1",)
