import base64
import hashlib
import re
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from tests.api.door import Door
from waggle.errors import TemporaryFailure

pytestmark = pytest.mark.anyio

Client = AsyncTestClient[Litestar]

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_following_the_link_changes_nothing(client: Client, door: Door, method: str) -> None:
    response = await client.request(method, "/u/tok-1", follow_redirects=False)

    assert response.status_code == 200
    assert door.unsubscribing.unsubscribed == []


async def test_the_page_names_the_shop_and_asks(client: Client) -> None:
    text = (await client.get("/u/tok-1")).text

    assert "Hive &amp; Honey &lt;i&gt;" in text
    assert '<form method="post">' in text
    assert '<button type="submit">Unsubscribe</button>' in text
    assert "<script" not in text


async def test_the_pages_speak_the_language_of_the_browser(client: Client) -> None:
    polish = {"Accept-Language": "pl-PL,pl;q=0.9,en;q=0.5"}

    asked = await client.get("/u/tok-1", headers=polish)
    assert '<html lang="pl">' in asked.text
    assert ">Wypisz mnie</button>" in asked.text
    assert "Hive &amp; Honey &lt;i&gt;" in asked.text
    assert "Wypisaliśmy Cię" in (await client.post("/u/tok-1", headers=polish, data=ONE_CLICK)).text
    assert "Nie znamy tego linku" in (await client.get("/u/tok-2", headers=polish)).text


async def test_a_body_that_is_too_large_is_no_fault_of_ours(client: Client, door: Door) -> None:
    response = await client.post("/u/tok-1", content=b"x" * (2 << 20))

    assert response.status_code == 413
    assert door.unsubscribing.unsubscribed == []


@pytest.mark.parametrize(
    "body",
    [
        {"data": ONE_CLICK},
        {"files": {"List-Unsubscribe": (None, "One-Click")}},
        {"content": b""},
        {"content": b"\xff\x00", "headers": {"Content-Type": "multipart/form-data"}},
    ],
)
async def test_a_post_unsubscribes_without_cookies_or_redirect(
    client: Client, door: Door, body: dict[str, Any]
) -> None:
    response = await client.post("/u/tok-1", follow_redirects=False, **body)

    assert response.status_code == 200
    assert "You are unsubscribed" in response.text
    assert "set-cookie" not in response.headers
    assert door.unsubscribing.unsubscribed == ["tok-1"]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("token", ["tok-2", "tok%00", "%ff", "x" * 257])
async def test_an_unknown_token_gets_a_page_that_says_so(client: Client, door: Door, method: str, token: str) -> None:
    response = await client.request(method, f"/u/{token}")

    assert response.status_code == 404
    assert "We do not know this link" in response.text
    assert door.unsubscribing.unsubscribed == []


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_cannot_be_done_now_is_not_said_to_be_done(client: Client, door: Door, method: str) -> None:
    door.troubles.error = TemporaryFailure("DATABASE_LOCKED", retry_after_s=3)

    response = await client.request(method, "/u/tok-1")

    assert (response.status_code, response.headers["retry-after"]) == (503, "3")
    assert "nothing has changed" in response.text


async def test_a_fault_of_ours_shows_a_page_that_quotes_nothing(client: Client, door: Door) -> None:
    door.troubles.error = RuntimeError("ada@example.com")

    response = await client.post("/u/tok-1", data=ONE_CLICK)

    assert response.status_code == 500
    assert "ada@" not in response.text


async def test_the_page_gives_its_address_to_nobody_and_runs_nothing(client: Client) -> None:
    response = await client.get("/u/tok-1")

    assert response.headers["cache-control"] == "no-store"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["x-robots-tag"] == "noindex, nofollow"
    policy = response.headers["content-security-policy"]
    style = re.search(r"<style>(.*?)</style>", response.text, re.DOTALL)
    assert style is not None
    assert "default-src 'none'" in policy
    assert base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode() in policy
