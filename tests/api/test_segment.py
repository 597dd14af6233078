import base64
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from tests.api.door import Door
from waggle.api.segment import PATHS
from waggle.storage.store import Store, open_store

pytestmark = pytest.mark.anyio

Client = AsyncTestClient[Litestar]


def basic(key: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


def track(message_id: str = "m-1", event: str = "Order Cancelled", **properties: object) -> dict[str, Any]:
    return {
        "type": "track",
        "event": event,
        "properties": properties or {"order_id": "o-1"},
        "anonymousId": "v-1",
        "messageId": message_id,
        "timestamp": "2026-05-04T09:00:00.000Z",
    }


# As analytics-python sends it: the key as a user of Basic, the body closed with sentAt.
PYTHON_BATCH = {"batch": [track("m-1"), track("m-2", order_id="o-2")], "sentAt": "2026-05-04T09:00:01.5+00:00"}


def statuses(response: httpx.Response) -> list[str]:
    assert response.status_code == 200
    assert response.json()["success"] is True
    return [one["status"] for one in response.json()["results"]]


async def test_a_batch_of_a_server_is_taken(client: Client, door: Door) -> None:
    response = await client.post("/v1/batch", json=PYTHON_BATCH, headers=basic("key-of-shop"))

    assert statuses(response) == ["accepted", "accepted"]
    assert await door.stored_ids() == ["m-1", "m-2"]


async def test_a_batch_that_is_sent_again_is_taken_once(client: Client, door: Door) -> None:
    await client.post("/v1/batch", json=PYTHON_BATCH, headers=basic("key-of-shop"))
    again = PYTHON_BATCH | {"sentAt": "2026-05-04T09:30:00Z"}

    assert statuses(await client.post("/v1/batch", json=again, headers=basic("key-of-shop"))) == ["duplicate"] * 2
    assert await door.stored_ids() == ["m-1", "m-2"]


async def test_a_beacon_brings_its_key_in_its_body(client: Client, door: Door) -> None:
    body = json.dumps(track() | {"writeKey": "key-of-tracker"})

    response = await client.post("/v1/t", content=body, headers={"Content-Type": "text/plain;charset=UTF-8"})

    assert statuses(response) == ["accepted"]
    assert await door.stored_ids() == ["m-1"]


async def test_a_body_may_be_zipped(client: Client) -> None:
    headers = basic("key-of-shop") | {"Content-Encoding": "gzip", "Content-Type": "application/json"}

    response = await client.post("/v1/b", content=gzip.compress(json.dumps(PYTHON_BATCH).encode()), headers=headers)

    assert statuses(response) == ["accepted", "accepted"]


async def test_a_zipped_bomb_is_not_blown_up(client: Client) -> None:
    headers = basic("key-of-shop") | {"Content-Encoding": "gzip", "Content-Type": "application/json"}

    response = await client.post("/v1/batch", content=gzip.compress(b" " * 50_000_000), headers=headers)

    assert (response.status_code, response.json()["code"]) == (413, "BODY_TOO_LARGE")


@pytest.mark.parametrize("path", PATHS)
async def test_every_path_asks_for_a_key(client: Client, path: str) -> None:
    response = await client.post(path, json={"batch": []})

    assert (response.status_code, response.json()["code"]) == (401, "WRITE_KEY_MISSING")


@pytest.mark.parametrize("header", [basic("another"), {"Authorization": "Basic ???"}, {"Authorization": "Bearer x"}])
async def test_an_unknown_key_opens_nothing(client: Client, header: dict[str, str]) -> None:
    response = await client.post("/v1/track", json=track(), headers=header)

    assert response.status_code == 401


async def test_what_says_nothing_to_us_is_ignored_and_said_to_be(client: Client, door: Door) -> None:
    batch = [track("m-1", "Promotion Viewed"), {"type": "group", "groupId": "g", "userId": "c-1", "messageId": "m-2"}]

    response = await client.post("/v1/batch", json={"batch": batch}, headers=basic("key-of-shop"))

    assert response.json()["results"] == [
        {"id": "m-1", "status": "ignored", "why": "promotion viewed"},
        {"id": "m-2", "status": "ignored", "why": "group"},
    ]
    assert await door.stored_ids() == []


async def test_what_cannot_be_understood_is_acknowledged_only_because_it_is_kept(client: Client, door: Door) -> None:
    no_cart = track("m-1", "Product Added", sku="honey", price=6.5)
    batch = [no_cart, 7, {"type": "dance", "messageId": "m-3"}, track("m-4")]

    response = await client.post("/v1/batch", json={"batch": batch}, headers=basic("key-of-shop"))

    assert statuses(response) == ["set-aside", "set-aside", "set-aside", "accepted"]
    kept = await door.store.read(lambda tx: tx.quarantine.waiting(10))
    assert [one.topic for one in kept][:1] == ["segment"]
    content = await door.store.read(lambda tx: tx.quarantine.content(kept[0].quarantine_id))
    assert json.loads(content or b"") == batch[0]


async def test_a_card_number_in_a_call_is_neither_taken_nor_kept(client: Client, door: Door) -> None:
    body = track("m-1", order_id="o-1", note="paid with 4111 1111 1111 1111")

    response = await client.post("/v1/track", json=body, headers=basic("key-of-shop"))

    [result] = response.json()["results"]
    assert (result["status"], result["problem"]["code"]) == ("refused", "FORBIDDEN_DATA")
    assert "4111" not in response.text
    assert await door.store.read(lambda tx: tx.quarantine.waiting(10)) == []


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/v1/track", b"{", 400, "NOT_JSON"),
        ("/v1/track", b"[]", 400, "NOT_JSON"),
        ("/v1/batch", b"{}", 400, "NOT_JSON"),
        ("/v1/batch", b'{"batch": {}}', 400, "NOT_JSON"),
        ("/v1/batch", b'{"batch": ' + b"[" * 40 + b"]" * 40 + b"}", 400, "TOO_DEEP"),
        ("/v1/batch", b'{"batch": [' + b"1," * 500 + b"1]}", 413, "TOO_MANY_EVENTS"),
        ("/v1/batch", b"{" + b" " * 1_048_576 + b"}", 413, "BODY_TOO_LARGE"),
    ],
)
async def test_a_body_that_is_none_is_refused_whole(
    client: Client, path: str, body: bytes, status: int, code: str
) -> None:
    headers = basic("key-of-shop") | {"Content-Type": "application/json"}

    response = await client.post(path, content=body, headers=headers)

    assert (response.status_code, response.json()["code"]) == (status, code)


@pytest.fixture
async def in_a_page(sqlite_url: str) -> AsyncIterator[tuple[Client, Door]]:
    store: Store = open_store(sqlite_url)
    door = Door(store, origins=["https://shop.example"])
    async with AsyncTestClient(door.app) as client:
        yield client, door
    store.close()


@pytest.mark.parametrize("path", ["/v1/t", "/v1/batch", "/v1/events"])
async def test_a_script_of_an_allowed_page_may_ask_and_read_the_answer(
    in_a_page: tuple[Client, Door], path: str
) -> None:
    client, _ = in_a_page
    asked = await client.options(
        path, headers={"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    )
    answered = await client.post(path, content=b"{", headers={"Origin": "https://shop.example"})

    assert asked.status_code == 204
    assert asked.headers["access-control-allow-origin"] == "https://shop.example"
    assert "authorization" in asked.headers["access-control-allow-headers"].lower()
    assert "access-control-allow-credentials" not in asked.headers
    assert answered.status_code >= 400
    assert answered.headers["access-control-allow-origin"] == "https://shop.example"
    assert answered.headers["vary"] == "Origin"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://shop.example.evil.example"])
async def test_a_script_of_another_page_reads_nothing(in_a_page: tuple[Client, Door], origin: str) -> None:
    client, _ = in_a_page
    asked = await client.options("/v1/t", headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
    answered = await client.post("/v1/t", content=b"{", headers={"Origin": origin})

    assert "access-control-allow-origin" not in asked.headers
    assert "access-control-allow-origin" not in answered.headers


async def test_a_key_that_may_do_more_is_refused_in_a_page(in_a_page: tuple[Client, Door]) -> None:
    client, door = in_a_page
    header = door.tokens.give("key-of-office", ["events:write", "customers:read"], "shop")

    in_page = await client.post("/v1/track", json=track(), headers=header | {"Origin": "https://shop.example"})

    assert (in_page.status_code, in_page.json()["code"]) == (403, "SCOPE_MISSING")
    assert statuses(await client.post("/v1/track", json=track(), headers=header)) == ["accepted"]


async def test_a_key_of_a_page_sends_what_shoppers_do_and_nothing_else(client: Client, door: Door) -> None:
    header = door.tokens.give("key-of-page", ["events:track"], "shop-web")
    batch = [
        track("m-1", "Product Viewed", sku="honey"),
        track("m-2", "Order Completed", order_id="o-1", total=1, currency="EUR"),
    ]

    response = await client.post("/v1/batch", json={"batch": batch}, headers=header)

    assert statuses(response) == ["accepted", "refused"]
    assert response.json()["results"][1]["problem"]["code"] == "SCOPE_MISSING"
