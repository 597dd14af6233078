import pytest

from waggle.services.privacy_answers import PrivacyAnswers
from waggle.services.privacy_requests import PrivacyRequestBook
from waggle.testing.facts import Shop
from workers.close_privacy_request import ClosePrivacyRequest, close_privacy_request

pytestmark = pytest.mark.anyio


async def test_it_says_what_became_of_the_request_and_the_first_word_stands(shop: Shop) -> None:
    await shop.customer()
    book, answers = PrivacyRequestBook(shop.store, shop.clock), PrivacyAnswers(shop.store, shop.clock)
    delivered = await book.open("access", "c-1", source="cli", by="kim")
    by_hand = await book.open("erasure", "c-1", source="cli", by="kim")
    await book.done(by_hand.request_id, outcome="answered", by="kim", why="on paper")

    outcomes = [
        (await close_privacy_request(ClosePrivacyRequest(request_id=line.request_id), answers)).request_outcome
        for line in (delivered, delivered, by_hand)
    ]

    assert outcomes == ["delivered", "delivered", "answered"]
