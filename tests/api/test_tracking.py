import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from tests.api.door import Door
from waggle.errors import TemporaryFailure

pytestmark = pytest.mark.anyio

Client = AsyncTestClient[Litestar]


async def test_a_link_leads_to_its_stored_target_and_counts_once(client: Client, door: Door) -> None:
    response = await client.get("/c/tok-1", follow_redirects=False)

    assert response.status_code == 302
    assert response.headers["location"] == "https://shop.example/cart/1?from=mail#top"
    assert "no-store" in response.headers["cache-control"]
    assert response.headers["referrer-policy"] == "no-referrer"
    assert door.tracking.clicked == ["tok-1"]


async def test_looking_with_head_counts_no_click(client: Client, door: Door) -> None:
    response = await client.head("/c/tok-1")

    assert response.status_code == 200
    assert door.tracking.clicked == []


@pytest.mark.parametrize("query", ["?u=https://evil.example", "?url=//evil.example", "?next=/x"])
async def test_nothing_in_the_request_changes_the_target(client: Client, query: str) -> None:
    response = await client.get(f"/c/tok-1{query}", follow_redirects=False)

    assert response.headers["location"] == "https://shop.example/cart/1?from=mail#top"


@pytest.mark.parametrize("token", ["tok-2", "x" * 257, "tok%00", "%ff", "tok-1%0d%0aSet-Cookie:x", "https:%2f%2fevil"])
async def test_an_unknown_link_is_a_page_and_no_redirect(client: Client, door: Door, token: str) -> None:
    response = await client.get(f"/c/{token}", follow_redirects=False)

    assert response.status_code == 404
    assert "location" not in response.headers
    assert door.tracking.clicked == []


async def test_a_target_of_other_letters_is_escaped(client: Client, door: Door) -> None:
    door.tracking.targets["tok-2"] = "https://shop.example/miód?a=1&b=%20"

    response = await client.get("/c/tok-2", follow_redirects=False)

    assert response.headers["location"] == "https://shop.example/mi%C3%B3d?a=1&b=%20"


async def test_a_click_that_cannot_be_recorded_now_is_asked_to_come_back(client: Client, door: Door) -> None:
    door.troubles.error = TemporaryFailure("DATABASE_LOCKED", retry_after_s=1)

    response = await client.get("/c/tok-1", follow_redirects=False)

    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert "Please try again in a minute" in response.text
