import pytest

from waggle.errors import PermanentFailure, TemporaryFailure
from waggle.services.erasing import Erasing
from waggle.services.privacy_requests import PrivacyRequestBook
from waggle.testing.facts import Shop
from workers.erase_customer import CustomerForgotten, EraseCustomer, erase_customer

pytestmark = pytest.mark.anyio


async def test_it_is_done_once_the_relay_has_forgotten_them(shop: Shop) -> None:
    await shop.customer()
    book = PrivacyRequestBook(shop.store, shop.clock)
    line = await book.open("erasure", "c-1", source="cli", by="kim")
    job, erasing = EraseCustomer(request_id=line.request_id), Erasing(shop.store, shop.clock)

    with pytest.raises(TemporaryFailure, match="ERASURE_UNDER_WAY"):
        await erase_customer(job, erasing)
    await shop.relay.apply_events()

    assert await erase_customer(job, erasing) == CustomerForgotten(customer_erased=True)
    customer = await shop.store.read(lambda tx: tx.customers.get("c-1"))
    assert customer is not None
    assert customer.erased


async def test_an_invented_request_is_an_incident(shop: Shop) -> None:
    with pytest.raises(PermanentFailure, match="PRIVACY_REQUEST_UNKNOWN"):
        await erase_customer(EraseCustomer(request_id="by-hand"), Erasing(shop.store, shop.clock))
