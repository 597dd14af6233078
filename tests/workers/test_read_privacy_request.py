"""What a journey does next hangs on how the request stands."""

import pytest

from waggle.domain.privacy import LegalHold, Right
from waggle.errors import PermanentFailure
from waggle.services.privacy_answers import PrivacyAnswers
from waggle.services.privacy_requests import close, open_request
from waggle.testing.facts import Shop
from workers.read_privacy_request import ReadPrivacyRequest, read_privacy_request

pytestmark = pytest.mark.anyio


async def asked(shop: Shop, right: Right, *, confirmed: bool = True, payload: str | None = None) -> str:
    await shop.customer()
    now = shop.clock.now()
    request = await shop.store.run(
        lambda tx: open_request(tx, right, "c-1", "page", now, confirmed=confirmed, payload=payload)
    )
    return request.request_id


async def next_step(shop: Shop, request_id: str) -> str:
    job = ReadPrivacyRequest(request_id=request_id)
    return (await read_privacy_request(job, PrivacyAnswers(shop.store, shop.clock))).next_step


async def test_what_is_confirmed_is_answered_and_what_is_not_is_asked_first(shop: Shop) -> None:
    assert await next_step(shop, await asked(shop, "erasure", confirmed=False)) == "ask"
    assert await next_step(shop, await asked(shop, "erasure")) == "answer"


async def test_an_erasure_under_a_legal_hold_is_explained(shop: Shop) -> None:
    request_id = await asked(shop, "erasure")
    hold = LegalHold(customer_id="c-1", why="case", held_by="kim", since=shop.clock.now())
    await shop.store.run(lambda tx: tx.legal_holds.add(hold))

    assert await next_step(shop, request_id) == "explain"


async def test_a_correction_that_says_nothing_is_left_to_people(shop: Shop) -> None:
    assert await next_step(shop, await asked(shop, "rectification")) == "person"
    assert await next_step(shop, await asked(shop, "rectification", payload="{}")) == "answer"


async def test_nothing_is_done_about_what_is_closed(shop: Shop) -> None:
    request_id = await asked(shop, "access")
    await shop.store.run(lambda tx: close(tx, request_id, "answered", "kim", shop.clock.now()))

    assert await next_step(shop, request_id) == "nothing"


async def test_an_invented_request_is_an_incident(shop: Shop) -> None:
    with pytest.raises(PermanentFailure, match="PRIVACY_REQUEST_UNKNOWN"):
        await next_step(shop, "by-hand")
