"""The list of attacks on the door, each a sentence: forgery, replay, crossing, bombs, injection, headers."""

import asyncio
import base64
import contextlib
import gzip
import json
import logging
import socket
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import structlog
import uvicorn
from litestar import Litestar
from litestar.testing import AsyncTestClient

from tests.api.door import Door

pytestmark = pytest.mark.anyio

Client = AsyncTestClient[Litestar]
KEY = {"Authorization": "Bearer key-of-shop"}
OTHER = {"Authorization": "Bearer key-of-tracker"}
JSON = {"Content-Type": "application/json"}


async def send(client: Client, body: object, headers: dict[str, str] = KEY, path: str = "/v1/events") -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await client.post(path, content=content, headers=JSON | headers)


def refused(response: httpx.Response) -> bool:
    """Whether it is a problem of the caller, told without detail about us."""
    return 400 <= response.status_code < 500 and "Traceback" not in response.text and "waggle/" not in response.text


# Forgery of keys, and what they open


@pytest.mark.parametrize(
    "header",
    [
        "Bearer key-of-shop\x00",
        "Bearer KEY-OF-SHOP",
        "Bearer key-of-shop key-of-tracker",
        "Bearer " + "k" * 10_000,
        "Bearer kéy-of-shop",
        "Bearer ١٢٣",
        "Basic " + base64.b64encode(b"key-of-shop").decode()[:-1] + "!",
        "Basic " + base64.b64encode(b"\xff\xfe:").decode(),
        "Digest username=key-of-shop",
        "key-of-shop",
        ", Bearer key-of-shop",
    ],
)
@pytest.mark.parametrize("path", ["/v1/events", "/v1/track"])
async def test_a_key_that_is_not_exactly_ours_opens_nothing(
    client: Client, door: Door, event: dict[str, Any], header: str, path: str
) -> None:
    raw = [(b"authorization", header.encode()), (b"content-type", b"application/json")]

    response = await client.post(path, content=json.dumps(event).encode(), headers=httpx.Headers(raw))

    assert response.status_code == 401
    assert await door.stored_ids() == []


@pytest.mark.parametrize(
    "url", ["/v1/events?key=key-of-shop", "/v1/events?access_token=key-of-shop", "/v1/track?writeKey=key-of-shop"]
)
async def test_a_key_in_an_address_is_no_key(client: Client, event: dict[str, Any], url: str) -> None:
    assert (await client.post(url, json=event)).status_code == 401


async def test_without_a_key_nobody_learns_what_would_be_wrong_with_the_body(client: Client) -> None:
    answers = [await send(client, body, headers={}) for body in (b"{", b"[" * 5_000, b"{}", b"x" * 2_000_000)]

    assert {each.json()["code"] for each in answers} == {"WRITE_KEY_MISSING"}


# Replay, and abuse of ids


async def test_a_thousand_repeats_at_once_are_one_event(client: Client, door: Door, event: dict[str, Any]) -> None:
    batch = [event] * 250

    answers = await asyncio.gather(*(send(client, batch) for _ in range(4)))

    statuses = [one["status"] for answer in answers for one in answer.json()["results"]]
    assert (statuses.count("accepted"), statuses.count("duplicate")) == (1, 999)
    assert await door.stored_ids() == ["e-1"]


async def test_an_id_of_another_source_neither_blocks_nor_tells_anything(
    client: Client, door: Door, event: dict[str, Any]
) -> None:
    await send(client, event)
    other = event | {"data": event["data"] | {"currency": "PLN"}}

    assert (await send(client, other, OTHER)).json() == {"id": "e-1", "status": "accepted"}
    assert len(await door.stored_ids()) == 2


@pytest.mark.parametrize("event_id", ["e" * 10_000, "", " e", "e\n", "e\x00", "e\u202e", "\ud800", 7, None, {}, []])
async def test_an_id_that_is_none_is_refused(client: Client, event: dict[str, Any], event_id: object) -> None:
    assert refused(await send(client, event | {"id": event_id}))


# Speaking for others, and saying more than may be said


async def test_nobody_speaks_for_another_source(client: Client, door: Door, event: dict[str, Any]) -> None:
    answers = [await send(client, event | {"source": source}) for source in ("tracker", "waggle", "shop/../tracker")]

    assert {each.status_code for each in answers} == {403}
    assert await door.stored_ids() == []


async def test_fields_that_nobody_asked_for_are_kept_nowhere(client: Client, door: Door, event: dict[str, Any]) -> None:
    more = {"role": "admin", "tenant_id": "t-2", "consent": True, "balance": 10**6, "state": "applied", "sequence": 1}
    line = event["data"]["items"][0] | more
    greedy = event | more | {"data": event["data"] | more | {"items": [line]}}

    assert (await send(client, greedy)).status_code == 202

    [kept] = await door.store.read(lambda tx: tx.events.pending(10))
    assert "admin" not in repr(kept)
    assert kept.event.data == event["data"]
    assert await door.stored_ids() == ["e-1"]  # still to be applied, whatever it said of its state


@pytest.mark.parametrize("event_type", ["privacy-request-opened", "consent-lapsed", "__class__", "customer-erased;"])
async def test_what_only_we_may_say_is_not_believed(client: Client, event: dict[str, Any], event_type: str) -> None:
    data = {"customer_id": "c-1", "request_id": "r-1", "right": "erasure"}

    assert refused(await send(client, event | {"type": event_type, "data": data}))


async def test_a_key_that_may_not_look_after_the_quarantine_does_not_see_it(client: Client) -> None:
    # The door of these tests has none at all: neither is told apart from the other.
    assert (await client.get("/v1/quarantine", headers=KEY)).status_code in {403, 404}


# Bombs


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b"[" * 200_000 + b"]" * 200_000,
        b'{"id": NaN}',
        b'[{"id": 1e999999}]'[1:-1],
        b"9" * 5_000,
        b"-" + b"9" * 400_000,
        b'{"a": 1' + b"0" * 900_000 + b"}",
        b'"' + b"\\u0000" * 100_000 + b'"',
        b'{"' + b"a" * 900_000 + b'": 1}',
        b"{}" * 100_000,
        b"\x00" * 1_000,
        gzip.compress(b" " * 10_000_000),
    ],
)
@pytest.mark.parametrize("path", ["/v1/events", "/v1/batch", "/v1/identify"])
async def test_a_bomb_is_refused_and_costs_little(client: Client, door: Door, body: bytes, path: str) -> None:
    response = await send(client, body, path=path)

    # One call in Segment's words may be an object that says nothing.
    assert refused(response) or (path == "/v1/identify" and response.json()["results"][0]["status"] != "accepted")
    assert await door.stored_ids() == []


async def test_of_two_equal_names_the_same_one_counts_for_checking_and_storing(client: Client, door: Door) -> None:
    body = (
        b'{"specversion":"1.0","id":"e-1","type":"stock-changed",'
        b'"data":{"sku":"honey","quantity":1,"quantity":2},"data":{"sku":"wax","quantity":3}}'
    )

    assert (await send(client, body)).status_code == 202
    [kept] = await door.store.read(lambda tx: tx.events.pending(10))
    assert kept.event.data == {"sku": "wax", "quantity": 3}


@pytest.mark.parametrize("path", ["/v1/track", "/v1/batch"])
@pytest.mark.parametrize("happened", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
@pytest.mark.parametrize("sent", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00-23:59", "9999-12-31T23:59:59+23:59"])
async def test_a_time_at_the_end_of_the_calendar_is_only_implausible(
    client: Client, path: str, happened: str, sent: str
) -> None:
    call = {"type": "track", "event": "Product Viewed", "timestamp": happened, "userId": "c-1", "sentAt": sent}
    body = {"batch": [call], "sentAt": sent} if path == "/v1/batch" else call

    answer = await send(client, body, path=path)

    assert answer.status_code == 200
    assert answer.json()["results"][0]["status"] != "duplicate"


@pytest.mark.parametrize(
    "place",
    [
        ["0001-01-01T00:00:00+23:59", "o-1"],
        ["9999-12-31T23:59:59-23:59", "o-1"],
        ["2026-05-04T10:00:00", "o-1"],
        ["2026-05-04T10:00:00Z", "\x00"],
        ["2026-05-04T10:00:00Z", 1],
        [[], {}],
        {},
        None,
    ],
)
async def test_a_made_up_place_in_a_list_is_refused(client: Client, door: Door, place: object) -> None:
    key = door.tokens.give("reader", ["orders:read"])
    cursor = base64.urlsafe_b64encode(json.dumps(place).encode()).decode()

    answer = await client.get("/v1/customers/c-1/orders", params={"cursor": cursor}, headers=key)

    assert (answer.status_code, answer.json()["where"]) == (400, "cursor")


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "gzip, gzip", "identity, gzip", "GZIP"])
async def test_the_door_unpacks_nothing_it_does_not_have_to(client: Client, encoding: str) -> None:
    response = await send(client, gzip.compress(b"{}"), KEY | {"Content-Encoding": encoding})

    assert (response.status_code, response.json()["code"]) == (415, "ENCODING_UNSUPPORTED")


# Injection


INJECTIONS = [
    "'; DROP TABLE events; --",
    '" OR 1=1 --',
    "%' AND pg_sleep(10) --",
    "${jndi:ldap://127.0.0.1/a}",
    "{{7*7}}",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "=cmd|' /C calc'!A0",
]


@pytest.mark.parametrize("text", INJECTIONS)
async def test_what_looks_like_a_command_is_text(client: Client, door: Door, event: dict[str, Any], text: str) -> None:
    item = {"sku": "honey", "quantity": 1, "unit_price_minor": 1, "name": text}
    sent = event | {"id": f"e {text}"[:200], "data": event["data"] | {"cart_id": text, "items": [item]}}

    response = await send(client, sent)

    assert response.status_code == 202
    [kept] = await door.store.read(lambda tx: tx.events.pending(10))
    assert (kept.event.data["cart_id"], kept.event.data["items"][0]["name"]) == (text, text)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "//evil.example",
        "https:evil.example",
        "https://a@evil.example",
        "/\\evil.example",
        "java\tscript:1",
        "data:text/html,x",
        "https://shop.example\\@evil.example",
    ],
)
async def test_an_address_that_could_lead_astray_is_refused(client: Client, event: dict[str, Any], url: str) -> None:
    response = await send(client, event | {"data": event["data"] | {"url": url}})

    assert (response.status_code, response.json()["where"]) == (422, "$.data.url")


@pytest.mark.parametrize("where", ["?u=https://evil.example", "?url=//evil.example", "%2F..%2Fevil", "?n=https:evil"])
async def test_a_link_of_a_mail_leads_nowhere_but_where_it_was_made_for(client: Client, where: str) -> None:
    response = await client.get(f"/c/tok-1{where}", follow_redirects=False)

    assert "evil" not in response.headers.get("location", "")
    assert response.status_code in {302, 404}


@pytest.mark.parametrize("token", ["tok-2", "tok-1%00", "tok-1'--", "TOK-1", "x" * 5_000, "%2e%2e%2ftok-1"])
async def test_a_guessed_link_unsubscribes_nobody(client: Client, door: Door, token: str) -> None:
    response = await client.post(f"/u/{token}")

    assert response.status_code == 404
    assert door.unsubscribing.unsubscribed == []


async def test_a_scanner_that_opens_every_link_unsubscribes_nobody(client: Client, door: Door) -> None:
    for method in ("GET", "HEAD", "OPTIONS"):
        await client.request(method, "/u/tok-1")

    assert door.unsubscribing.unsubscribed == []


async def test_one_event_is_one_line_of_the_log_and_forges_no_other(
    client: Client, event: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    forged = 'x\r\n{"event": "audit", "actor": "owner"}\x1b[2J\u202e'
    with structlog.testing.capture_logs() as captured, caplog.at_level(logging.INFO):
        await send(client, event | {"type": forged, "id": forged, "data": {forged: forged}})
        await client.get("/" + quote(forged), headers={"X-Forwarded-For": "audit", "User-Agent": quote(forged)})

    # The client of the test has a log of its own.
    said = json.dumps(captured) + "".join(each.getMessage() for each in caplog.records if each.name[:4] != "http")
    assert "owner" not in said
    assert "\x1b" not in said


# Headers, and what answers tell


@pytest.mark.parametrize("path", ["/v1/events", "/v1/track", "/nowhere", "/livez", "/c/tok-2", "/u/tok-1"])
async def test_a_foreign_host_is_repeated_nowhere(client: Client, path: str) -> None:
    foreign = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}

    for response in (await client.get(path, headers=foreign), await client.post(path, headers=foreign, content=b"{}")):
        assert "evil.example" not in response.text + str(response.headers)


@pytest.mark.parametrize("path", ["/v1/events", "/c/tok-1", "/c/tok-2", "/u/tok-1", "/livez"])
async def test_nobody_on_the_way_keeps_an_answer(client: Client, path: str) -> None:
    for response in (await client.get(path, follow_redirects=False), await client.post(path, content=b"{}")):
        assert response.status_code == 405 or "no-store" in response.headers["cache-control"]


async def test_a_link_tells_the_next_page_nothing_of_itself(client: Client) -> None:
    response = await client.get("/c/tok-1", follow_redirects=False)

    assert response.headers["referrer-policy"] == "no-referrer"


@pytest.fixture
async def port(door: Door) -> AsyncIterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(door.app, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve([listener]))
    yield listener.getsockname()[1]
    server.should_exit = True
    await serving


def spoken(port: int, sent: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(sent)
        answer = b""
        with contextlib.suppress(ConnectionError, TimeoutError):
            while part := connection.recv(65_536):
                answer += part
        return answer


@pytest.mark.parametrize(
    "framing",
    [
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 4",
        "Content-Length: 4\r\nContent-Length: 50",
        "Content-Length: +4",
        "Content-Length: -1",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding : chunked",
    ],
)
async def test_no_second_request_is_smuggled_in_the_body_of_a_first(port: int, door: Door, framing: str) -> None:
    inner = json.dumps(
        {"specversion": "1.0", "id": "smuggled", "type": "stock-changed", "data": {"sku": "x", "quantity": 1}}
    )
    smuggled = (
        f"POST /v1/events HTTP/1.1\r\nHost: w\r\nAuthorization: Bearer key-of-tracker\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(inner)}\r\n\r\n{inner}"
    )
    first = (
        "POST /v1/events HTTP/1.1\r\nHost: w\r\nConnection: close\r\nAuthorization: Bearer key-of-shop\r\n"
        f"Content-Type: application/json\r\n{framing}\r\n\r\n0\r\n\r\n{smuggled}"
    )

    answer = await asyncio.to_thread(spoken, port, first.encode())

    assert answer.count(b"HTTP/1.1 ") <= 1
    assert b" 500 " not in answer
    assert await door.stored_ids() == []
