"""Requests about personal data over HTTP: for keys that may, in ids and dates alone."""

from collections.abc import AsyncIterator

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from waggle.api.privacy import privacy_routes
from waggle.api.problem import problem_handlers
from waggle.services.privacy_requests import PrivacyRequestBook
from waggle.storage.store import Store
from waggle.testing import facts
from waggle.testing.access import GivenTokens
from waggle.testing.clock import HandClock
from waggle.testing.journey_engine import RememberingEngine

pytestmark = pytest.mark.anyio

Client = AsyncTestClient[Litestar]
PATH = "/v1/privacy/requests"


@pytest.fixture
def access() -> GivenTokens:
    return GivenTokens()


@pytest.fixture
def officer(access: GivenTokens) -> dict[str, str]:
    return access.give("officer", {"privacy:manage"})


@pytest.fixture
async def client(store: Store, access: GivenTokens) -> AsyncIterator[Client]:
    clock = HandClock()
    await facts.shop(store, clock, RememberingEngine()).customer()
    routes = privacy_routes(PrivacyRequestBook(store, clock), access)
    app = Litestar([routes], exception_handlers=problem_handlers(), openapi_config=None, logging_config=None)
    async with AsyncTestClient(app) as client:
        yield client


async def test_a_request_is_opened_shown_and_listed_without_the_person(client: Client, officer: dict[str, str]) -> None:
    opened = await client.post(PATH, json={"customer_id": "c-1", "right": "access"}, headers=officer)
    assert opened.status_code == 201
    request_id = opened.json()["request_id"]

    shown = await client.get(f"{PATH}/{request_id}", headers=officer)
    listed = await client.get(PATH, headers=officer)

    assert shown.json() == opened.json()
    assert [each["request_id"] for each in listed.json()["requests"]] == [request_id]
    for response in (opened, shown, listed):
        assert "example.com" not in response.text


@pytest.mark.parametrize("scopes", [set(), {"events:write"}, {"customers:read"}], ids=["none", "events", "reading"])
async def test_a_key_without_the_scope_is_turned_away(client: Client, access: GivenTokens, scopes: set[str]) -> None:
    headers = access.give("other", scopes)

    for response in (
        await client.post(PATH, json={"customer_id": "c-1", "right": "erasure"}, headers=headers),
        await client.get(PATH, headers=headers),
        await client.get(f"{PATH}/x", headers=headers),
    ):
        assert response.status_code == 403
        assert response.json()["code"] == "SCOPE_MISSING"
    assert (await client.get(PATH)).status_code == 401


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"customer_id": "c-9", "right": "access"}, 404, "NOT_FOUND"),
        ({"customer_id": "c-1", "right": "fame"}, 422, "FIELD_INVALID"),
        ({"customer_id": "c-1"}, 422, "FIELD_MISSING"),
        ({"customer_id": "a@b.example", "right": "access"}, 422, "ID_NOT_OPAQUE"),
        ({"customer_id": "c-1", "right": "access", "confirmed": False}, 422, "FIELD_INVALID"),
        ([], 422, "FIELD_INVALID"),
    ],
)
async def test_what_cannot_be_opened_is_named(
    client: Client, officer: dict[str, str], body: object, status: int, code: str
) -> None:
    response = await client.post(PATH, json=body, headers=officer)

    assert (response.status_code, response.json()["code"]) == (status, code)


async def test_what_is_no_json_is_said_to_be_none(client: Client, officer: dict[str, str]) -> None:
    for content in (b"", b"{", b"\xff"):
        response = await client.post(PATH, content=content, headers=officer)
        assert (response.status_code, response.json()["code"]) == (400, "NOT_JSON")


async def test_an_unknown_request_is_not_there(client: Client, officer: dict[str, str]) -> None:
    assert (await client.get(f"{PATH}/made-up", headers=officer)).status_code == 404
