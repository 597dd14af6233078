"""What is told from what is known is told once, to those it concerns, and only if somebody listens."""

import asyncio
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from waggle.errors import BadSettings
from waggle.ports.unit_of_work import UnitOfWork
from waggle.resources import shipped
from waggle.services.catalogue import load_catalogue
from waggle.services.keys import OWN_SOURCE
from waggle.services.occasions import OccasionRules, Occasions, _next_birthday, load_lasts
from waggle.services.sending import Sending
from waggle.testing.clock import HandClock
from waggle.testing.facts import Shop, book

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)
RULES = OccasionRules(
    lapsed_after=90 * DAY,
    lapsed_until=365 * DAY,
    unengaged_messages=2,
    unengaged_within=180 * DAY,
    birthday_ahead=7 * DAY,
    replenish_ahead=5 * DAY,
    lasts={"honey": 30 * DAY},
)
ALL = ("win-back", "sunset", "birthday", "replenishment")
LINE = {"sku": "honey", "quantity": 1, "unit_price_minor": 1290}


@pytest.fixture
def occasions(store: UnitOfWork, clock: HandClock) -> Occasions:
    return Occasions(store, load_catalogue(shipped("bpmn")), book(enabled=ALL), RULES, clock)


async def told(shop: Shop) -> list[tuple[str, dict[str, Any]]]:
    """Return what waits in the inbox that nobody but ourselves said."""
    pending = await shop.store.run(lambda tx: tx.events.pending(1_000))
    return [(each.event.type, each.event.data) for each in pending if each.event.source == OWN_SOURCE]


def born(shop: Shop, ahead: timedelta) -> str:
    return (shop.clock.now() + ahead).date().replace(year=1992).isoformat()


async def test_a_birthday_within_the_week_is_told_once_a_year(shop: Shop, occasions: Occasions) -> None:
    await shop.customer("c-1", birth_date=born(shop, 7 * DAY))
    await shop.customer("c-2", birth_date=born(shop, 8 * DAY))

    assert [await occasions.run(), await occasions.run()] == [1, 0]
    assert await told(shop) == [("birthday-approaching", {"customer_id": "c-1"})]
    shop.clock.advance(366 * DAY)
    assert await occasions.run() == 2


@pytest.mark.parametrize("fact", ["customer-erased", "customer-restricted"])
async def test_whoever_is_forgotten_or_restricted_has_no_birthday(shop: Shop, occasions: Occasions, fact: str) -> None:
    await shop.customer("c-1", birth_date=born(shop, DAY))
    await shop.tell(fact, {"customer_id": "c-1"})

    assert await occasions.run() == 0


@pytest.mark.parametrize(
    ("birth_date", "today", "expected"),
    [
        ("1990-05-04", date(2026, 5, 4), date(2026, 5, 4)),
        ("1990-05-03", date(2026, 5, 4), date(2027, 5, 3)),
        ("1992-02-29", date(2026, 2, 1), date(2026, 2, 28)),
        ("1992-02-29", date(2027, 12, 31), date(2028, 2, 29)),
    ],
)
def test_the_next_birthday_is_found_in_any_year(birth_date: str, today: date, expected: date) -> None:
    assert _next_birthday(birth_date, today) == expected


async def order(shop: Shop, order_id: str, at: datetime, customer_id: str = "c-1", **data: object) -> None:
    await shop.order(order_id, at=at, customer_id=customer_id, **data)


async def test_a_customer_who_has_not_bought_for_long_is_told_of_once_for_each_time(
    shop: Shop, occasions: Occasions
) -> None:
    start = shop.clock.now()
    for customer_id, days in (("c-1", 90), ("c-2", 89), ("c-3", 366)):
        await order(shop, f"o-{customer_id}", start - days * DAY, customer_id)
    await order(shop, "o-cancelled", start - 10 * DAY, "c-1")
    await shop.tell("order-cancelled", {"order_id": "o-cancelled"})

    assert await occasions.run() == 1
    assert await told(shop) == [("customer-lapsed", {"customer_id": "c-1", "days_since_order": 90})]
    shop.clock.advance(DAY)
    assert await occasions.run() == 1


async def test_whoever_objects_to_being_looked_at_is_not_looked_at(shop: Shop, occasions: Occasions) -> None:
    await order(shop, "o-1", shop.clock.now() - 100 * DAY)
    await shop.tell("consent-withdrawn", {"customer_id": "c-1", "purpose": "profiling"})

    assert await occasions.run() == 0


async def test_what_is_used_up_soon_is_told_by_what_the_shop_says_of_it(shop: Shop, occasions: Occasions) -> None:
    start = shop.clock.now()
    await order(shop, "o-1", start - 25 * DAY, "c-1", items=[LINE])
    await order(shop, "o-2", start - 25 * DAY, "c-2", items=[{**LINE, "quantity": 2}])
    await order(shop, "o-3", start - 50 * DAY, "c-3", items=[LINE])
    await order(shop, "o-4", start - 25 * DAY, "c-4", items=[{**LINE, "sku": "vase"}])

    assert await occasions.run() == 1
    assert await told(shop) == [("replenishment-expected", {"customer_id": "c-1", "sku": "honey", "order_id": "o-1"})]


async def test_a_customers_own_rhythm_outweighs_what_the_shop_says(shop: Shop, occasions: Occasions) -> None:
    start = shop.clock.now()
    for number, days in enumerate((140, 98, 56)):
        await order(shop, f"o-{number}", start - days * DAY, items=[LINE])

    # They buy every 42 days, so the next was expected 14 days ago, which is too late now.
    assert await occasions.run() == 0
    await order(shop, "o-3", start - 38 * DAY, items=[LINE])
    assert await occasions.run() == 1


async def test_many_messages_without_a_click_are_told_of(
    shop: Shop, occasions: Occasions, sending: Sending, clock: HandClock
) -> None:
    for customer_id in ("c-1", "c-2", "c-3"):
        await shop.customer(customer_id)
    for number in range(2):
        for customer_id in ("c-1", "c-2", "c-3"):
            await shop.cart(f"{customer_id}-{number}", customer_id)
            enrolment = await shop.enrolment(f"{customer_id}-{number}")
            await sending.send(
                enrolment_id=enrolment.enrolment_id, step="first-mail", template="abandoned-cart", coupon_id=None
            )
        clock.advance(DAY)
    clicked = await shop.message((await shop.enrolment("c-2-0")).enrolment_id)
    await shop.tell("message-clicked", {"message_id": clicked.message_id})
    await shop.order("o-3", customer_id="c-3")

    await occasions.run()
    assert await told(shop) == [("customer-unengaged", {"customer_id": "c-1"})]


async def test_nothing_is_looked_for_that_no_journey_begins_with(
    shop: Shop, store: UnitOfWork, clock: HandClock
) -> None:
    await shop.customer("c-1", birth_date=born(shop, DAY))
    await order(shop, "o-1", clock.now() - 100 * DAY, items=[LINE])

    assert await Occasions(store, load_catalogue(shipped("bpmn")), book(), RULES, clock).run() == 0


async def test_of_several_processes_one_tells_the_days_occasions(
    shop: Shop, store: UnitOfWork, occasions: Occasions, clock: HandClock
) -> None:
    await shop.customer("c-1", birth_date=born(shop, DAY))
    stop = asyncio.Event()
    watching = [asyncio.create_task(occasions.watch(stop)) for _ in range(3)]
    async with asyncio.timeout(60):
        while not await told(shop):  # noqa: ASYNC110 -- what is told lies in the inbox, which wakes nobody
            await asyncio.sleep(0.01)
    stop.set()
    await asyncio.gather(*watching)

    assert len(await told(shop)) == 1
    day = clock.now().date().isoformat()
    assert not await store.run(lambda tx: tx.occasion_runs.begin(day, clock.now(), clock.now()))


def test_how_long_a_product_lasts_is_read_strictly(tmp_path: Path) -> None:
    assert load_lasts(tmp_path) == {}
    file = tmp_path / "replenishment.toml"
    file.write_text('"honey-500g" = "P30D"\n', encoding="utf-8")
    assert load_lasts(tmp_path) == {"honey-500g": 30 * DAY}
    for wrong in ('honey = "a month"\n', 'honey = "PT0S"\n', "honey\n"):
        file.write_text(wrong, encoding="utf-8")
        with pytest.raises(BadSettings, match="REPLENISHMENT_WRONG"):
            load_lasts(tmp_path)
