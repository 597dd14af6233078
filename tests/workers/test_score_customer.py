from datetime import timedelta

import pytest

from waggle.domain.score import ScoreBounds
from waggle.errors import PermanentFailure
from waggle.services.scoring import Scoring
from waggle.testing.facts import Shop
from workers.score_customer import CustomerScored, ScoreCustomer, score_customer

pytestmark = pytest.mark.anyio

BOUNDS = ScoreBounds(
    recent=timedelta(days=60),
    lapsed_after=timedelta(days=180),
    frequent_orders=5,
    regular_orders=2,
    premium_minor=10_000,
    average_minor=4_000,
)


async def score(shop: Shop, enrolment_id: str) -> CustomerScored:
    return await score_customer(ScoreCustomer(enrolment_id=enrolment_id), Scoring(shop.store, BOUNDS, shop.clock))


async def test_orders_of_the_customer_and_of_nobody_else_count(shop: Shop, enrolment_id: str) -> None:
    await shop.order("o-1", customer_id="c-1", total_minor=5000)
    await shop.order("o-2", customer_id="c-1", total_minor=5000)
    await shop.order("o-3", customer_id="c-2", total_minor=90_000)

    assert await score(shop, enrolment_id) == CustomerScored(
        score_band="loyal", order_count=2, recency_band=3, frequency_band=2, value_band=2
    )


async def test_a_shopper_without_orders_or_without_a_name_is_new(shop: Shop, enrolment_id: str) -> None:
    new = CustomerScored(score_band="new", order_count=0, recency_band=1, frequency_band=1, value_band=1)
    await shop.cart("cart-2", None)

    assert await score(shop, enrolment_id) == new
    assert await score(shop, (await shop.enrolment("cart-2")).enrolment_id) == new


async def test_an_invented_enrolment_is_an_incident(shop: Shop) -> None:
    with pytest.raises(PermanentFailure, match="ENROLMENT_UNKNOWN"):
        await score(shop, "by-hand")
