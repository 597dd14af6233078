import pytest

from waggle.errors import PermanentFailure, TemporaryFailure
from waggle.services.consents import objects
from waggle.services.privacy_answers import PrivacyAnswers
from waggle.services.privacy_requests import PrivacyRequestBook
from waggle.testing.facts import Shop
from workers.apply_privacy_request import ApplyPrivacyRequest, PrivacyRequestApplied, apply_privacy_request

pytestmark = pytest.mark.anyio


async def test_it_is_done_once_the_facts_hold(shop: Shop) -> None:
    await shop.customer()
    book, answers = PrivacyRequestBook(shop.store, shop.clock), PrivacyAnswers(shop.store, shop.clock)
    line = await book.open("objection", "c-1", source="cli", by="kim")
    job = ApplyPrivacyRequest(request_id=line.request_id)

    with pytest.raises(TemporaryFailure, match="FACTS_PENDING"):
        await apply_privacy_request(job, answers)
    await shop.relay.apply_events()

    assert await apply_privacy_request(job, answers) == PrivacyRequestApplied(request_applied=True)
    assert await shop.store.read(lambda tx: objects(tx, "c-1", "profiling"))


async def test_what_only_a_person_can_do_is_an_incident(shop: Shop) -> None:
    await shop.customer()
    book, answers = PrivacyRequestBook(shop.store, shop.clock), PrivacyAnswers(shop.store, shop.clock)
    line = await book.open("access", "c-1", source="cli", by="kim")

    with pytest.raises(PermanentFailure, match="NOT_FOR_A_MACHINE"):
        await apply_privacy_request(ApplyPrivacyRequest(request_id=line.request_id), answers)
