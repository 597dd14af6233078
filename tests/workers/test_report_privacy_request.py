import pytest

from waggle.services.privacy_answers import PrivacyAnswers
from waggle.services.privacy_requests import PrivacyRequestBook
from waggle.testing.facts import Shop
from workers.report_privacy_request import ReportPrivacyRequest, report_privacy_request

pytestmark = pytest.mark.anyio


async def test_people_hear_of_it_as_long_as_it_is_open(shop: Shop) -> None:
    await shop.customer()
    book, answers = PrivacyRequestBook(shop.store, shop.clock), PrivacyAnswers(shop.store, shop.clock)
    line = await book.open("access", "c-1", source="cli", by="kim")
    job = ReportPrivacyRequest(request_id=line.request_id)

    assert (await report_privacy_request(job, answers)).request_waits
    await book.done(line.request_id, outcome="answered", by="kim", why="on paper")
    assert not (await report_privacy_request(job, answers)).request_waits
