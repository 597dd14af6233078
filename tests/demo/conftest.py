import asyncio

import pytest

from tests.demo.perfect_house import SATURDAY, PerfectHouse, ShopInHand, nobody_looks_on
from waggle.demo.conductor import Conductor
from waggle.demo.oracle.rules import Campaign, Rules
from waggle.demo.plots import plan
from waggle.demo.report import Evidence
from waggle.demo.scenario import Scenario, next_opening
from waggle.demo.shop import Shop


@pytest.fixture(scope="session")
def rules() -> Rules:
    def campaign(percent: int, budget_count: int) -> Campaign:
        return Campaign(percent, max_discount_minor=2500, budget_count=budget_count, budget_minor=1_000_000)

    return Rules({"cart-5": campaign(5, 4), "cart-10": campaign(10, 6), "cart-15": campaign(15, 2)})


@pytest.fixture(scope="session")
def scenario() -> Scenario:
    return plan(60, 1, next_opening(SATURDAY))


@pytest.fixture(scope="session")
def played(scenario: Scenario, rules: Rules) -> PerfectHouse:
    """The whole demo, led by the conductor through a house that does everything right."""
    house = PerfectHouse(scenario, rules, SATURDAY)
    conductor = Conductor(scenario, house, ShopInHand(Shop(scenario, house, house, house)), nobody_looks_on)

    async def conduct() -> None:
        await conductor.play_traffic()
        await conductor.play_out()

    asyncio.run(conduct())
    return house


@pytest.fixture(scope="session")
def evidence(played: PerfectHouse) -> Evidence:
    return played.evidence()
