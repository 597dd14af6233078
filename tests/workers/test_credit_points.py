import pytest

from waggle.errors import PermanentFailure
from waggle.resources import shipped
from waggle.services.loyalty import Loyalty, load_loyalty
from waggle.testing.facts import Shop
from workers.credit_points import CreditPoints, PointsCredited, credit_points

pytestmark = pytest.mark.anyio


def loyalty(shop: Shop) -> Loyalty:
    return Loyalty(shop.store, load_loyalty(shipped("config")), shop.clock)


async def test_a_journey_that_is_about_no_order_credits_nothing(shop: Shop, enrolment_id: str) -> None:
    assert await credit_points(CreditPoints(enrolment_id=enrolment_id), loyalty(shop)) == PointsCredited(
        points_credited=0
    )


async def test_an_invented_enrolment_is_an_incident(shop: Shop) -> None:
    with pytest.raises(PermanentFailure, match="ENROLMENT_UNKNOWN"):
        await credit_points(CreditPoints(enrolment_id="nobody"), loyalty(shop))
