"""What is older than the privacy map allows goes, a few rows at a time; what somebody needs as evidence stays."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Integer

from waggle.domain.privacy import LegalHold, Transfer
from waggle.ports.unit_of_work import UnitOfWork
from waggle.resources import shipped
from waggle.services import retention as retention_module
from waggle.services.privacy_map import PrivacyMap, load_privacy_map
from waggle.services.retention import Retention
from waggle.services.sending import Sending
from waggle.services.transfers import Transfers, note
from waggle.storage.dump import read_tables
from waggle.storage.tables import metadata
from waggle.testing.clock import HandClock
from waggle.testing.facts import Shop

pytestmark = pytest.mark.anyio

MAP = load_privacy_map(shipped("config"))


def emptying(table: str) -> PrivacyMap:
    """Return the shipped map, but *table* is emptied rather than deleted from."""
    tables = {name: MAP.table(name) for name in MAP.tables()}
    use = tables[table]
    tables[table] = replace(use, retention=replace(use.retention, then="empty"))
    return PrivacyMap(MAP.record, tables)


@pytest.fixture
async def old_house(shop: Shop, sending: Sending, enrolment_id: str, clock: HandClock) -> Shop:
    """A shop with a cart, an order, a journey that ended and its mail, seven years later."""
    await sending.send(enrolment_id=enrolment_id, step="first-mail", template="abandoned-cart", coupon_id=None)
    await shop.order("o-1", customer_id="c-1", cart_id="cart-1")
    ended = replace(await shop.enrolment(), state="ended", ended_at=clock.now(), outcome="ordered")
    await shop.store.run(lambda tx: tx.enrolments.save(ended))
    await shop.relay.publish()
    clock.advance(timedelta(days=7 * 365))
    return shop


async def test_a_dry_run_counts_and_changes_nothing(
    old_house: Shop, store: UnitOfWork, clock: HandClock, database_url: str
) -> None:
    found = {each.table: each.rows for each in await Retention(store, MAP, clock).overdue()}

    assert (found["carts"], found["orders"], found["messages"]) == (1, 1, 1)
    assert len(read_tables(database_url, ["carts"])["carts"]) == 1


async def test_what_is_over_its_time_goes_with_what_hangs_on_it(
    old_house: Shop, store: UnitOfWork, clock: HandClock, database_url: str
) -> None:
    heard: list[tuple[str, int]] = []
    retention = Retention(store, MAP, clock)
    for _ in range(2):
        await retention.apply(lambda table, rows: heard.append((table, rows)))

    tables = read_tables(database_url, ["carts", "orders", "messages", "links", "enrolments"])
    assert tables == {"carts": [], "orders": [], "messages": [], "links": [], "enrolments": []}
    assert ("carts", 1) in heard
    assert sum(each.rows for each in await retention.overdue()) == 0


async def test_what_is_younger_stays(shop: Shop, store: UnitOfWork, clock: HandClock, enrolment_id: str) -> None:
    assert sum((await Retention(store, MAP, clock).apply()).values()) == 0
    assert await store.read(lambda tx: tx.carts.get("cart-1")) is not None


async def test_what_a_legal_hold_covers_stays_until_it_is_lifted(
    old_house: Shop, store: UnitOfWork, clock: HandClock
) -> None:
    hold = LegalHold(customer_id="c-1", why="case", held_by="kim", since=clock.now())
    await store.run(lambda tx: tx.legal_holds.add(hold))
    done = await Retention(store, MAP, clock).apply()
    assert (done["orders"], done["carts"], done["messages"]) == (0, 0, 0)

    await store.run(lambda tx: tx.legal_holds.lift("c-1"))
    assert (await Retention(store, MAP, clock).apply())["orders"] == 1


async def test_it_looks_through_a_few_rows_at_once_whatever_their_number_and_order(
    shop: Shop, store: UnitOfWork, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention_module, "_ROWS_LOOKED_AT", 2)
    monkeypatch.setattr(retention_module, "_ROWS_PER_TRANSACTION", 1)
    for number in range(7):
        # Old and young ones by turns, as they lie.
        at = clock.now() - timedelta(days=400 * (number % 2))
        await shop.cart(f"cart-{number}", at=at)
    retention = Retention(store, MAP, clock)
    heard: list[int] = []

    assert {each.table: each.rows for each in await retention.overdue()}["carts"] == 3
    done = await retention.apply(lambda table, rows: heard.append(rows) if table == "carts" else None)

    assert (done["carts"], heard) == (3, [1, 2, 3])
    left = [await store.read(lambda tx, n=n: tx.carts.get(f"cart-{n}")) for n in range(7)]  # type: ignore[misc]
    assert [cart is not None for cart in left] == [True, False] * 3 + [True]


async def test_a_hold_that_comes_between_looking_and_removing_is_kept(
    old_house: Shop, store: UnitOfWork, clock: HandClock
) -> None:
    retention = Retention(store, MAP, clock)
    page = await store.read(lambda tx: retention._look("carts", (), tx))
    hold = LegalHold(customer_id="c-1", why="case", held_by="kim", since=clock.now())
    await store.run(lambda tx: tx.legal_holds.add(hold))

    assert page.keys == [("cart-1",)]
    assert await store.run(lambda tx: retention._see_to("carts", page.keys, tx)) == 0


@pytest.mark.parametrize("table", [name for name in MAP.tables() if MAP.retention(name).period is not None])
async def test_every_table_with_a_term_can_be_looked_through(store: UnitOfWork, clock: HandClock, table: str) -> None:
    retention = Retention(store, emptying(table), clock)
    key = tuple(0 if isinstance(column.type, Integer) else "" for column in metadata.tables[table].primary_key)

    assert (await store.read(lambda tx: retention._look(table, (), tx))).after is None
    assert await store.run(lambda tx: retention._see_to(table, [key], tx)) == 0


async def test_where_the_map_says_so_rows_stay_without_the_person(
    old_house: Shop, store: UnitOfWork, clock: HandClock, database_url: str
) -> None:
    retention = Retention(store, emptying("carts"), clock)
    await retention.apply()
    await retention.apply()

    [row] = read_tables(database_url, ["carts"])["carts"]
    assert row["url"] is None
    assert row["customer_id"] is not None


async def test_of_several_processes_one_sees_to_a_day(store: UnitOfWork, clock: HandClock) -> None:
    day, stale = "2026-05-04", clock.now() - timedelta(hours=2)
    assert await store.run(lambda tx: tx.retention_runs.begin(day, clock.now(), stale))
    assert not await store.run(lambda tx: tx.retention_runs.begin(day, clock.now(), stale))
    clock.advance(timedelta(hours=3))
    later = clock.now() - timedelta(hours=2)
    assert await store.run(lambda tx: tx.retention_runs.begin(day, clock.now(), later))
    await store.run(lambda tx: tx.retention_runs.finish(day, clock.now()))
    clock.advance(timedelta(hours=3))
    assert not await store.run(lambda tx: tx.retention_runs.begin(day, clock.now(), clock.now()))


async def test_the_register_adds_up_what_left_and_for_what(store: UnitOfWork, clock: HandClock) -> None:
    for count in (3, 4, 0):
        await store.run(lambda tx, n=count: note(tx, "ads-1", "sale-share", n, clock.now()))  # type: ignore[misc]
    clock.advance(timedelta(minutes=1))
    await store.run(lambda tx: note(tx, "warehouse", "analytics", 1, clock.now()))

    totals = await Transfers(store).totals()
    assert [(each.destination, each.purpose, each.count) for each in totals] == [
        ("ads-1", "sale-share", 7),
        ("warehouse", "analytics", 1),
    ]
    newest = await Transfers(store).newest()
    assert newest[0] == Transfer(at=clock.now(), destination="warehouse", purpose="analytics", count=1)
    assert len(newest) == 3
