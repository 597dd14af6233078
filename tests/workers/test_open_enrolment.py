import pytest

from waggle.errors import PermanentFailure
from waggle.services.enrolments import Enrolments
from waggle.testing.facts import Shop, book
from workers.open_enrolment import EnrolmentOpened, OpenEnrolment, open_enrolment

pytestmark = pytest.mark.anyio


async def test_a_journey_begins_with_its_cart_its_customer_and_its_settings(shop: Shop, enrolment_id: str) -> None:
    enrolments = Enrolments(shop.store, book(settings={"cart_idle": "PT20M"}), shop.clock)

    for _ in range(2):
        assert await open_enrolment(OpenEnrolment(enrolment_id=enrolment_id), enrolments) == EnrolmentOpened(
            proceed=True, cart_id="cart-1", customer_id="c-1", settings={"cart_idle": "PT20M"}
        )
    assert (await shop.enrolment()).state == "running"


async def test_an_enrolment_that_ended_lets_its_journey_end_at_once(shop: Shop, enrolment_id: str) -> None:
    enrolments = Enrolments(shop.store, book(), shop.clock)
    await enrolments.end(enrolment_id, "ordered", "")

    assert not (await open_enrolment(OpenEnrolment(enrolment_id=enrolment_id), enrolments)).proceed


async def test_an_instance_started_by_hand_is_an_incident(shop: Shop) -> None:
    with pytest.raises(PermanentFailure, match="ENROLMENT_UNKNOWN"):
        await open_enrolment(OpenEnrolment(enrolment_id="by-hand"), Enrolments(shop.store, book(), shop.clock))
