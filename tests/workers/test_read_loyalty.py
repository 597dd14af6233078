from datetime import timedelta

import pytest

from waggle.resources import shipped
from waggle.services.loyalty import Loyalty, load_loyalty
from waggle.testing.facts import Shop
from workers.read_loyalty import ReadLoyalty, read_loyalty

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("tiers", "asked", "rose"),
    [(["silver"], "silver", True), (["gold", "silver"], "silver", False), (["silver", "gold"], "gold", True)],
)
async def test_a_level_is_compared_with_the_one_before(
    shop: Shop, enrolment_id: str, tiers: list[str], asked: str, *, rose: bool
) -> None:
    for tier in tiers:
        await shop.tell("tier-changed", {"customer_id": "c-1", "tier": tier})
        shop.clock.advance(timedelta(minutes=1))

    found = await read_loyalty(
        ReadLoyalty(enrolment_id=enrolment_id, tier=asked),
        Loyalty(shop.store, load_loyalty(shipped("config")), shop.clock),
    )

    assert found.tier_rose is rose
