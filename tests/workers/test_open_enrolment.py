import pytest

from waggle.errors import PermanentFailure
from waggle.services.enrolments import Enrolments
from waggle.task import JobOrigin
from waggle.testing.facts import Shop, book
from workers.open_enrolment import EnrolmentOpened, OpenEnrolment, open_enrolment

pytestmark = pytest.mark.anyio

ORIGIN = JobOrigin(instance_key=7, element_id="Task_OpenEnrolment")


async def test_a_journey_begins_with_its_cart_its_customer_and_its_settings(shop: Shop, enrolment_id: str) -> None:
    enrolments = Enrolments(shop.store, book(settings={"cart_idle": "PT20M"}), shop.clock)

    for _ in range(2):
        assert await open_enrolment(OpenEnrolment(enrolment_id=enrolment_id), ORIGIN, enrolments) == EnrolmentOpened(
            proceed=True,
            cart_id="cart-1",
            customer_id="c-1",
            order_id=None,
            sku=None,
            settings={"cart_idle": "PT20M"},
        )
    assert (await shop.enrolment()).state == "running"


async def test_the_newest_instance_that_works_for_an_enrolment_can_be_looked_up(shop: Shop, enrolment_id: str) -> None:
    enrolments = Enrolments(shop.store, book(), shop.clock)

    for instance_key in (7, 8):
        origin = JobOrigin(instance_key, "Task_OpenEnrolment")
        await open_enrolment(OpenEnrolment(enrolment_id=enrolment_id), origin, enrolments)

    assert (await shop.enrolment()).instance_key == 8


async def test_an_enrolment_that_ended_lets_its_journey_end_at_once(shop: Shop, enrolment_id: str) -> None:
    enrolments = Enrolments(shop.store, book(), shop.clock)
    await enrolments.end(enrolment_id, "ordered", "")

    assert not (await open_enrolment(OpenEnrolment(enrolment_id=enrolment_id), ORIGIN, enrolments)).proceed


async def test_an_instance_started_by_hand_is_an_incident(shop: Shop) -> None:
    with pytest.raises(PermanentFailure, match="ENROLMENT_UNKNOWN"):
        await open_enrolment(OpenEnrolment(enrolment_id="by-hand"), ORIGIN, Enrolments(shop.store, book(), shop.clock))
