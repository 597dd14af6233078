import json
import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar

import httpx
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from tests.api.door import Door
from waggle.api.app import create_app
from waggle.errors import PermanentFailure, TemporaryFailure
from waggle.ports.unit_of_work import Transaction
from waggle.services.intake import Intake
from waggle.storage.store import open_store

pytestmark = pytest.mark.anyio

T = TypeVar("T")

Client = AsyncTestClient[Litestar]
KEY = {"Authorization": "Bearer key-of-shop"}
SINGLE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"


class FailingStore:
    def __init__(self, error: Exception) -> None:
        self._error = error

    async def run(self, work: Callable[[Transaction], T]) -> T:
        raise self._error

    async def read(self, work: Callable[[Transaction], T]) -> T:
        raise self._error


async def send(client: Client, body: object, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"Content-Type": "application/json", **KEY, **{name.replace("_", "-"): headers[name] for name in headers}}
    return await client.post("/v1/events", content=content, headers=given)


def problem(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == response.status_code
    assert body["title"]
    assert body["detail"]
    assert body["instance"].startswith("/")
    assert body["type"] == "/problems/" + body["code"].lower().replace("_", "-")
    return response.status_code, body["code"]


async def test_an_event_is_stored_before_it_is_acknowledged(client: Client, door: Door, event: dict[str, Any]) -> None:
    response = await send(client, event, Content_Type=SINGLE)

    assert (response.status_code, response.json()) == (202, {"id": "e-1", "status": "accepted"})
    assert await door.stored_ids() == ["e-1"]


async def test_the_same_event_again_is_a_duplicate(client: Client, door: Door, event: dict[str, Any]) -> None:
    await send(client, event)
    response = await send(client, event)

    assert (response.status_code, response.json()) == (200, {"id": "e-1", "status": "duplicate"})
    assert await door.stored_ids() == ["e-1"]


async def test_the_same_id_with_another_body_is_a_conflict(client: Client, event: dict[str, Any]) -> None:
    await send(client, event)

    assert problem(await send(client, event | {"type": "cart-updated", "time": "2026-05-04T09:58:00Z"})) == (
        409,
        "EVENT_ID_REUSED",
    )


async def test_each_event_of_a_batch_gets_its_own_answer(client: Client, door: Door, event: dict[str, Any]) -> None:
    batch = [event, event, event | {"id": "e-2", "type": "cart-stolen"}, event | {"id": "e-3"}]

    response = await send(client, batch, Content_Type=BATCH)

    results = response.json()["results"]
    assert response.status_code == 202
    assert [(one["id"], one["status"]) for one in results] == [
        ("e-1", "accepted"),
        ("e-1", "duplicate"),
        ("e-2", "refused"),
        ("e-3", "accepted"),
    ]
    assert results[2]["problem"]["code"] == "TYPE_UNKNOWN"
    assert results[2]["problem"]["where"] == "$.type"
    assert "cart-updated" in results[2]["problem"]["detail"]
    assert await door.stored_ids() == ["e-1", "e-3"]


@pytest.mark.parametrize("poison", [b'"1e999"', b'{"n": 1e999}', b'{"n": ' + b"9" * 5_000 + b"}", b'"\xff"'])
async def test_one_event_that_cannot_be_decoded_does_not_hold_up_its_batch(
    client: Client, door: Door, event: dict[str, Any], poison: bytes
) -> None:
    response = await send(client, b"[" + poison + b"," + json.dumps(event).encode() + b"]")

    assert [one["status"] for one in response.json()["results"]] == ["refused", "accepted"]
    assert await door.stored_ids() == ["e-1"]


async def test_half_an_emoji_refuses_only_the_event_that_holds_it(
    client: Client, door: Door, event: dict[str, Any]
) -> None:
    cut = event | {"id": "e-2", "data": event["data"] | {"note": "cut \ud83d"}}

    response = await send(client, [cut, event])

    first, second = response.json()["results"]
    assert first["problem"]["code"] == "TEXT_INVALID"
    assert second["status"] == "accepted"
    assert await door.stored_ids() == ["e-1"]


async def test_an_empty_batch_is_answered_with_no_results(client: Client) -> None:
    response = await send(client, [])

    assert (response.status_code, response.json()) == (202, {"results": []})


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"type": "cart-stolen"}, 422, "TYPE_UNKNOWN"),
        ({"data": {"currency": "EUR", "items": []}}, 422, "FIELD_MISSING"),
        ({"data": {"cart_id": "c", "currency": 7, "items": []}}, 422, "FIELD_INVALID"),
        ({"data": {"cart_id": "a@b.example", "currency": "EUR", "items": []}}, 422, "ID_NOT_OPAQUE"),
        ({"data": {"cart_id": "c\x00", "currency": "EUR", "items": []}}, 422, "TEXT_INVALID"),
        ({"id": ""}, 422, "ENVELOPE_INVALID"),
        ({"time": "2026-05-04T11:00:00Z"}, 422, "TIME_IN_FUTURE"),
        ({"source": "tracker"}, 403, "SOURCE_MISMATCH"),
    ],
)
async def test_a_wrong_event_is_refused(  # noqa: PLR0917 - fixtures and cases
    client: Client, door: Door, event: dict[str, Any], change: dict[str, Any], status: int, code: str
) -> None:
    assert problem(await send(client, event | change)) == (status, code)
    assert await door.stored_ids() == []


async def test_an_event_may_name_the_source_of_its_key(client: Client, event: dict[str, Any]) -> None:
    response = await send(client, event | {"source": "tracker"}, Authorization="bearer key-of-tracker")

    assert response.status_code == 202


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("", "WRITE_KEY_MISSING"),
        ("Bearer", "WRITE_KEY_MISSING"),
        ("Bearer  ", "WRITE_KEY_MISSING"),
        ("Basic a2V5LW9mLXNob3A6", "WRITE_KEY_MISSING"),
        ("Bearer another-key", "WRITE_KEY_UNKNOWN"),
        ("Bearer key-of-shop,key-of-tracker", "WRITE_KEY_UNKNOWN"),
    ],
)
async def test_without_a_known_write_key_nothing_is_accepted(
    client: Client, door: Door, event: dict[str, Any], authorization: str, code: str
) -> None:
    response = await send(client, event, Authorization=authorization)

    assert problem(response) == (401, code)
    assert response.headers["www-authenticate"].startswith("Bearer ")
    assert await door.stored_ids() == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{}{}",
        b"[1,",
        b'{"id": NaN}',
        b'{"id": Infinity}',
        b"[NaN]",
        b"\xef\xbb\xbf{}",
        b'{"id": "\xff"}',
        b"specversion=1.0",
        b"null,",
        b'["\\ud83d", NaN]',
    ],
)
async def test_what_is_no_json_is_said_to_be_none(client: Client, body: bytes) -> None:
    assert problem(await send(client, body)) == (400, "NOT_JSON")


@pytest.mark.parametrize("body", [b"null", b'"text"', b"7"])
async def test_json_that_is_no_object_is_no_event(client: Client, body: bytes) -> None:
    assert problem(await send(client, body)) == (422, "ENVELOPE_INVALID")


@pytest.mark.parametrize("body", [b'{"n": 1e999}', b"9" * 5_000])
async def test_a_number_beyond_all_sense_is_refused(client: Client, body: bytes) -> None:
    assert problem(await send(client, body)) == (422, "ITEM_UNREADABLE")


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 10_000 + b"]" * 10_000,
        b'{"data":' * 10_000 + b"1" + b"}" * 10_000,
        b'["]]]]]",' * 33 + b"1" + b"]" * 33,
        b"[" * 33 + b"]" * 33,
        b'[{"data": {}}, {"data":' + b"[" * 31 + b"]" * 31 + b"}]",
        b"[" * 10_000,
    ],
)
async def test_json_of_too_many_levels_is_refused_before_it_is_decoded(client: Client, body: bytes) -> None:
    assert problem(await send(client, body)) == (400, "TOO_DEEP")


async def test_as_many_levels_as_are_allowed_are_read(client: Client) -> None:
    body = b'[{"data":' + b"[" * 30 + b"]" * 30 + b"}]"

    assert (await send(client, body)).json()["results"][0]["problem"]["code"] == "ENVELOPE_INVALID"


async def test_brackets_in_text_are_no_levels(client: Client, event: dict[str, Any]) -> None:
    event["data"]["note"] = '\\"' + "[" * 100

    assert (await send(client, event)).status_code == 202


async def test_many_items_side_by_side_are_not_deep(client: Client, event: dict[str, Any]) -> None:
    batch = [event | {"id": f"e-{number}"} for number in range(100)]

    assert {one["status"] for one in (await send(client, batch)).json()["results"]} == {"accepted"}


async def test_more_than_500_events_at_once_are_refused(client: Client, door: Door, event: dict[str, Any]) -> None:
    batch = [event | {"id": f"e-{number}"} for number in range(501)]

    assert problem(await send(client, batch)) == (413, "TOO_MANY_EVENTS")
    assert await door.stored_ids() == []


async def test_a_body_of_one_mebibyte_is_still_read(client: Client, event: dict[str, Any]) -> None:
    body = json.dumps(event).encode()

    assert (await send(client, body + b" " * (1_048_576 - len(body)))).status_code == 202


async def test_a_body_over_one_mebibyte_is_refused(client: Client) -> None:
    assert problem(await send(client, b"[" + b" " * 1_048_576)) == (413, "BODY_TOO_LARGE")


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Content_Type": "application/x-www-form-urlencoded"}, "MEDIA_TYPE_UNSUPPORTED"),
        ({"Content_Type": "text/plain"}, "MEDIA_TYPE_UNSUPPORTED"),
        ({"Content_Type": ""}, "MEDIA_TYPE_UNSUPPORTED"),
        ({"Content_Encoding": "gzip"}, "ENCODING_UNSUPPORTED"),
        ({"Content_Type": "application/json; charset=utf-16"}, "ENCODING_UNSUPPORTED"),
    ],
)
async def test_a_body_of_another_kind_is_refused(
    client: Client, event: dict[str, Any], headers: dict[str, str], code: str
) -> None:
    assert problem(await send(client, event, **headers)) == (415, code)


@pytest.mark.parametrize("media_type", [SINGLE, BATCH])
async def test_a_body_must_be_what_its_media_type_says(client: Client, event: dict[str, Any], media_type: str) -> None:
    body = [event] if media_type == SINGLE else event

    assert problem(await send(client, body, Content_Type=media_type)) == (400, "NOT_JSON")


async def test_a_charset_of_utf_8_is_fine(client: Client, event: dict[str, Any]) -> None:
    assert (await send(client, event, Content_Type="application/json; charset=UTF-8")).status_code == 202


@pytest.mark.parametrize("code", ["DATABASE_LOCKED", "DATABASE_READ_ONLY", "DATABASE_UNREACHABLE", "DATABASE_FULL"])
async def test_when_the_database_takes_nothing_the_sender_is_asked_to_come_back(
    event: dict[str, Any], code: str
) -> None:
    door = Door(FailingStore(TemporaryFailure(code, "the file in the cellar", retry_after_s=1.2)))
    async with AsyncTestClient(door.app) as client:
        response = await send(client, event)

    assert problem(response) == (503, code)
    assert response.headers["retry-after"] == "2"
    assert "cellar" not in response.text


async def test_a_locked_database_is_answered_with_come_back_and_then_takes_the_same_event(
    sqlite_url: str, event: dict[str, Any]
) -> None:
    store = open_store(sqlite_url, busy_timeout_s=0.05)
    door = Door(store)
    locking = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    locking.execute("BEGIN IMMEDIATE")
    async with AsyncTestClient(door.app) as client:
        refused = await send(client, event)
        locking.execute("ROLLBACK")
        locking.close()
        taken = await send(client, event)

    assert problem(refused) == (503, "DATABASE_LOCKED")
    assert int(refused.headers["retry-after"]) >= 1
    assert taken.status_code == 202
    assert await door.stored_ids() == ["e-1"]
    store.close()


@pytest.mark.parametrize("error", [RuntimeError("ada@example.com"), PermanentFailure("DATABASE_BROKEN", "secret")])
async def test_a_fault_of_ours_is_not_quoted(event: dict[str, Any], error: Exception) -> None:
    door = Door(FailingStore(error))
    async with AsyncTestClient(door.app, raise_server_exceptions=False) as client:
        response = await send(client, event)

    assert problem(response) == (500, "INTERNAL_ERROR")
    assert "ada@" not in response.text
    assert "secret" not in response.text


async def test_an_unknown_address_is_a_problem_too(client: Client) -> None:
    assert problem(await client.get("/v2/events")) == (404, "NOT_FOUND")


async def test_a_wrong_method_names_the_right_ones(client: Client) -> None:
    response = await client.delete("/v1/events")

    assert problem(response) == (405, "METHOD_NOT_ALLOWED")
    assert "POST" in response.headers["allow"]


def test_making_the_app_touches_nothing() -> None:
    never: Any = None

    assert create_app(Intake(never, never), never, never, never, never).routes
