import pytest

from waggle.services.order_reading import OrderReader
from waggle.testing import facts
from waggle.testing.facts import Shop, book
from waggle.testing.tasks import call
from workers.read_order import OrderRead, ReadOrder, read_order

pytestmark = pytest.mark.anyio

LINES = [
    {"sku": "honey", "quantity": 2, "unit_price_minor": 650},
    {"sku": "wax", "quantity": 1, "unit_price_minor": 700},
]


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """One that thanks for orders."""
    return facts.shop(shop.store, shop.clock, shop.relay._engine, book(enabled=("post-purchase", "review-request")))


async def about(shop: Shop, order_id: str, journey: str = "post-purchase") -> ReadOrder:
    found = await shop.store.read(lambda tx: tx.enrolments.newest(journey, order_id))
    assert found is not None
    return ReadOrder(enrolment_id=found.enrolment_id)


async def test_an_order_is_read_as_it_stands_now(shop: Shop) -> None:
    orders = OrderReader(shop.store)
    await shop.order("o-1", customer_id="c-1", items=LINES)
    job = await about(shop, "o-1")

    assert await read_order(job, orders) == OrderRead(
        order_state="placed", order_total_minor=2000, order_item_count=3, is_first_order=True
    )
    await shop.tell("order-delivered", {"order_id": "o-1"})
    assert (await read_order(job, orders)).order_state == "delivered"


async def test_only_the_first_order_that_stands_is_the_first(shop: Shop) -> None:
    orders = OrderReader(shop.store)
    await shop.order("o-1", customer_id="c-1")
    await shop.order("o-2", customer_id="c-1")
    job = await about(shop, "o-2")

    assert not (await read_order(job, orders)).is_first_order
    await shop.tell("order-cancelled", {"order_id": "o-1"})
    assert (await read_order(job, orders)).is_first_order


async def test_an_order_that_nobody_told_was_placed_is_unknown(shop: Shop) -> None:
    orders = OrderReader(shop.store)
    await shop.tell("order-delivered", {"order_id": "o-7", "customer_id": "c-1"})

    assert await read_order(await about(shop, "o-7", "review-request"), orders) == OrderRead(
        order_state="unknown", order_total_minor=0, order_item_count=0, is_first_order=False
    )


async def test_a_journey_without_an_order_that_reads_one_is_an_incident(shop: Shop, enrolment_id: str) -> None:
    services = {OrderReader: OrderReader(shop.store)}

    outcome = await call(read_order, {"enrolment_id": enrolment_id}, services=services)

    assert (outcome["failed"], outcome["retries"]) == ("ENROLMENT_WITHOUT_ORDER", 0)
