"""Points of orders, and the levels that they reach."""

from datetime import timedelta
from pathlib import Path

import pytest

from waggle.domain.loyalty import LoyaltyRules, account_of
from waggle.errors import BadSettings
from waggle.ports.unit_of_work import UnitOfWork
from waggle.resources import shipped
from waggle.services.journeys import JourneyBook, JourneySettings
from waggle.services.loyalty import Loyalty, load_loyalty
from waggle.testing import facts
from waggle.testing.clock import HandClock
from waggle.testing.facts import Shop
from waggle.testing.journey_engine import RememberingEngine

pytestmark = pytest.mark.anyio

RULES = load_loyalty(shipped("config"))
BOOK = JourneyBook({name: JourneySettings() for name in ("loyalty", "loyalty-level")})


@pytest.fixture
def shop(store: UnitOfWork) -> Shop:
    return facts.shop(store, HandClock(), RememberingEngine(), BOOK)


@pytest.fixture
def loyalty(shop: Shop) -> Loyalty:
    return Loyalty(shop.store, RULES, shop.clock)


async def buy(shop: Shop, order_id: str, total_minor: int) -> str:
    await shop.order(order_id, customer_id="c-1", total_minor=total_minor)
    return await enrolment_id(shop, "loyalty", order_id)


async def enrolment_id(shop: Shop, journey: str, key: str) -> str:
    found = await shop.store.read(lambda tx: tx.enrolments.newest(journey, key))
    assert found is not None
    return found.enrolment_id


async def points(shop: Shop, customer_id: str = "c-1") -> tuple[int, str | None]:
    await shop.relay.apply_events()
    account = account_of(await shop.store.read(lambda tx: tx.loyalty.of_customer(customer_id)))
    return account.points, account.tier


async def test_an_order_earns_its_points_once_however_often_the_job_is_worked(shop: Shop, loyalty: Loyalty) -> None:
    await shop.customer()
    bought = await buy(shop, "o-1", 10_050)

    assert [await loyalty.credit(bought) for _ in range(2)] == [100, 100]
    assert await points(shop) == (100, None)


async def test_a_cancelled_order_earns_nothing(shop: Shop, loyalty: Loyalty) -> None:
    await shop.customer()
    bought = await buy(shop, "o-1", 10_000)
    await shop.tell("order-cancelled", {"order_id": "o-1"})

    assert await loyalty.credit(bought) == 0
    assert await points(shop) == (0, None)


async def test_the_order_that_reaches_a_level_tells_of_it_once(shop: Shop, loyalty: Loyalty) -> None:
    await shop.customer()
    for order_id in ("o-1", "o-2", "o-3"):
        await loyalty.credit(await buy(shop, order_id, 15_000))

    assert await points(shop) == (450, "silver")
    risen = await enrolment_id(shop, "loyalty-level", "c-1:silver")
    assert await loyalty.rose(risen, "silver")
    assert await shop.store.read(lambda tx: tx.enrolments.newest("loyalty-level", "c-1:gold")) is None


async def test_two_orders_credited_before_the_events_are_applied_count_both(shop: Shop, loyalty: Loyalty) -> None:
    await shop.customer()
    first, second = [await buy(shop, order_id, 12_000) for order_id in ("o-1", "o-2")]
    await loyalty.credit(first)
    await loyalty.credit(second)

    assert await points(shop) == (240, "silver")


async def test_who_comes_to_a_lower_level_has_not_risen(shop: Shop, loyalty: Loyalty) -> None:
    await shop.customer()
    await shop.tell("tier-changed", {"customer_id": "c-1", "tier": "gold"})
    shop.clock.advance(timedelta(minutes=1))
    await shop.tell("tier-changed", {"customer_id": "c-1", "tier": "silver"})

    fallen = await enrolment_id(shop, "loyalty-level", "c-1:silver")
    assert not await loyalty.rose(fallen, "silver")


async def test_points_of_two_ids_of_one_person_count_together(shop: Shop) -> None:
    await shop.customer()
    await shop.tell("points-earned", {"customer_id": "c-1", "points": 30})
    await shop.tell("points-earned", {"customer_id": "c-2", "points": 12})
    await shop.tell("customers-merged", {"customer_id": "c-1", "merged_customer_id": "c-2"})

    assert await points(shop) == (42, None)


def test_parts_of_a_point_are_not_given() -> None:
    assert [LoyaltyRules(100).points_for(total) for total in (-5, 99, 100, 199)] == [0, 0, 1, 1]


@pytest.mark.parametrize(
    "text",
    ["minor_per_point = 0", "minor_per_point = 1\n[levels.a]\nfrom_points = 5\n[levels.b]\nfrom_points = 5", "x"],
)
def test_a_wrong_file_is_found_at_start(tmp_path: Path, text: str) -> None:
    (tmp_path / "loyalty.toml").write_text(text)

    with pytest.raises(BadSettings, match="LOYALTY_WRONG"):
        load_loyalty(tmp_path)
