from datetime import timedelta

import pytest

from waggle.resources import shipped
from waggle.services.catalogue import load_catalogue
from waggle.services.customer_reading import CustomerReader
from waggle.testing import facts
from waggle.testing.email import RecordingSender
from waggle.testing.facts import Shop, book
from waggle.testing.tasks import call
from workers.read_customer import CustomerRead, ReadCustomer, read_customer

pytestmark = pytest.mark.anyio

ON = ("back-in-stock", "birthday")


@pytest.fixture
def customers(shop: Shop) -> CustomerReader:
    return CustomerReader(shop.store, load_catalogue(shipped("bpmn")), book(enabled=ON), shop.clock)


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """One that has switched on more than the abandoned cart."""
    return facts.shop(shop.store, shop.clock, shop.relay._engine, book(enabled=ON))


async def test_a_customer_is_told_to_the_diagram_as_small_scalars(
    shop: Shop, customers: CustomerReader, sender: RecordingSender, enrolment_id: str
) -> None:
    await shop.order("o-1", customer_id="c-1")
    await shop.order("o-2", customer_id="c-1")
    await shop.tell("order-cancelled", {"order_id": "o-2"})
    await shop.cart("cart-2")
    other = (await shop.enrolment("cart-2")).enrolment_id
    sending = facts.sending(shop.store, shop.clock, sender)
    await sending.send(enrolment_id=other, step="first-mail", template="abandoned-cart", coupon_id=None)
    message = await shop.message(other)
    await shop.tell("message-clicked", {"message_id": message.message_id})
    shop.clock.advance(timedelta(days=3))

    outcome = await call(read_customer, {"enrolment_id": enrolment_id}, services={CustomerReader: customers})

    assert outcome == {
        "completed": {
            "order_count": 1,
            "days_since_order": 3,
            "messages_30_days": 1,
            "clicks_30_days": 1,
            "email_allowed": True,
            "sms_allowed": False,
            "push_allowed": False,
            "tier": None,
            "other_priority": 50,
            "own_priority": 50,
        }
    }


async def test_the_most_urgent_of_the_other_journeys_that_advertise_is_told(
    shop: Shop, customers: CustomerReader, enrolment_id: str
) -> None:
    assert (await read_customer(ReadCustomer(enrolment_id=enrolment_id), customers)).other_priority is None
    await shop.tell("birthday-approaching", {"customer_id": "c-1"})
    await shop.tell("stock-subscription-created", {"customer_id": "c-1", "sku": "honey"})
    await shop.tell("consent-requested", {"customer_id": "c-1"})

    found = await read_customer(ReadCustomer(enrolment_id=enrolment_id), customers)

    assert (found.own_priority, found.other_priority) == (50, 80)


async def test_whoever_objects_to_being_looked_at_is_told_as_somebody_unknown(
    shop: Shop, customers: CustomerReader, enrolment_id: str
) -> None:
    await shop.order("o-1", customer_id="c-1")
    await shop.tell("consent-withdrawn", {"customer_id": "c-1", "purpose": "profiling"})

    found = await read_customer(ReadCustomer(enrolment_id=enrolment_id), customers)

    assert (found.order_count, found.days_since_order, found.email_allowed) == (0, None, True)


@pytest.mark.parametrize(
    ("event_type", "data"),
    [
        ("consent-withdrawn", {"customer_id": "c-1"}),
        ("customer-erased", {"customer_id": "c-1"}),
        ("customer-restricted", {"customer_id": "c-1"}),
    ],
)
async def test_nothing_is_allowed_that_somebody_said_no_to(
    shop: Shop, customers: CustomerReader, enrolment_id: str, event_type: str, data: dict[str, str]
) -> None:
    await shop.tell(event_type, data)

    assert not (await read_customer(ReadCustomer(enrolment_id=enrolment_id), customers)).email_allowed


async def test_text_messages_need_a_number_and_a_consent_of_their_own(
    shop: Shop, customers: CustomerReader, enrolment_id: str
) -> None:
    await shop.tell("customer-identified", {"customer_id": "c-1", "phone": "+48123456789"})
    assert not (await read_customer(ReadCustomer(enrolment_id=enrolment_id), customers)).sms_allowed
    await shop.tell("consent-given", {"customer_id": "c-1", "channel": "sms"})

    assert (await read_customer(ReadCustomer(enrolment_id=enrolment_id), customers)).sms_allowed


async def test_of_a_cart_whose_customer_nobody_knows_nothing_is_known(shop: Shop, customers: CustomerReader) -> None:
    await shop.cart("cart-9", customer_id=None)
    enrolment_id = (await shop.enrolment("cart-9")).enrolment_id

    found = await read_customer(ReadCustomer(enrolment_id=enrolment_id), customers)

    assert isinstance(found, CustomerRead)
    assert (found.order_count, found.email_allowed, found.other_priority) == (0, False, None)
