from datetime import datetime, timedelta

import pytest

from tests.demo.perfect_house import SATURDAY, PerfectHouse, ShopInHand, nobody_looks_on
from waggle.demo.conductor import Conductor, StandstillError
from waggle.demo.oracle.rules import Rules
from waggle.demo.plots import plan
from waggle.demo.scenario import Kind, Scenario, next_opening
from waggle.demo.shop import Shop

pytestmark = pytest.mark.anyio


def led(scenario: Scenario, house: PerfectHouse) -> Conductor:
    return Conductor(scenario, house, ShopInHand(Shop(scenario, house, house, house)), nobody_looks_on)


class DeafHouse(PerfectHouse):
    async def open_journeys(self) -> int:
        return 2

    async def next_due(self) -> datetime | None:
        return None


async def test_the_clock_moves_by_at_most_two_minutes_while_there_is_traffic(rules: Rules) -> None:
    scenario = plan(3, 1, next_opening(SATURDAY))
    house = PerfectHouse(scenario, rules, SATURDAY)

    await led(scenario, house).play_traffic()

    to_the_opening, *steps = house.leaps
    assert SATURDAY + timedelta(seconds=to_the_opening) == scenario.starts_at
    assert max(steps) <= 120


def test_every_event_is_told_within_two_minutes_of_its_time_and_never_before(played: PerfectHouse) -> None:
    out_of_turn = {Kind.LATE_EVENT, Kind.ORDER_BEFORE_CART, Kind.REPEATED_DELIVERY}
    punctual = {shopper.number for shopper in played.scenario.shoppers if shopper.kind not in out_of_turn}
    late = [
        noted_at - deed.at
        for deed, noted_at in zip(played.deeds, played.noted_at, strict=True)
        if deed.shopper in punctual and deed.what == "cart-updated"
    ]

    assert late
    assert timedelta(0) <= min(late) <= max(late) <= timedelta(seconds=120)


async def test_it_ends_when_no_journey_is_open_and_nobody_has_anything_left_to_do(played: PerfectHouse) -> None:
    assert await played.open_journeys() == 0
    assert played.time - played.scenario.starts_at < timedelta(days=3)


async def test_few_leaps_take_it_over_the_days(played: PerfectHouse) -> None:
    assert len(played.leaps) < 400


async def test_journeys_that_nothing_ends_do_not_hang_the_demo(rules: Rules) -> None:
    scenario = Scenario(SATURDAY, (), ())

    with pytest.raises(StandstillError, match="2 journeys"):
        await led(scenario, DeafHouse(scenario, rules, SATURDAY)).play_out()


async def test_some_journeys_stay_open_to_be_looked_at(rules: Rules) -> None:
    scenario = Scenario(SATURDAY, (), ())
    house = PerfectHouse(scenario, rules, SATURDAY)
    shop = ShopInHand(Shop(scenario, house, house, house))
    house.expected = dict  # type: ignore[method-assign]  # stragglers are nobody the oracle knows

    await Conductor(scenario, house, shop, nobody_looks_on).leave_open(6)

    carts = [deed for deed in house.deeds if deed.what == "cart-updated"]
    assert len({deed.data["cart_id"] for deed in carts}) == 6
    assert [house.time - deed.at for deed in carts].count(timedelta(0)) == 3
