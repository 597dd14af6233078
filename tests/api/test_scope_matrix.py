"""Which key may do what: every operation that the API describes, with every scope there is, and none."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from tests.api.peopled import Peopled, peopled
from waggle.api.reference import openapi_document
from waggle.api.segment import PATHS as SEGMENT_PATHS
from waggle.app import App
from waggle.domain.role import SCOPES
from waggle.http_api import http_api
from waggle.settings import load_settings
from waggle.testing.clock import HandClock

SENDING = frozenset({"events:write", "events:track"})
OPENED_BY: dict[tuple[str, str], frozenset[str]] = {
    ("post", "/v1/events"): SENDING,
    **{("post", path): SENDING for path in SEGMENT_PATHS},
    ("get", "/v1/quarantine"): frozenset({"events:manage"}),
    ("get", "/v1/privacy/requests"): frozenset({"privacy:manage"}),
    ("post", "/v1/privacy/requests"): frozenset({"privacy:manage"}),
    ("get", "/v1/privacy/requests/{request_id}"): frozenset({"privacy:manage"}),
    ("post", "/v1/customers/lookup"): frozenset({"customers:read"}),
    ("get", "/v1/customers/{ref}"): frozenset({"customers:read"}),
    ("get", "/v1/customers/{ref}/consents"): frozenset({"consents:read"}),
    ("get", "/v1/customers/{ref}/orders"): frozenset({"orders:read"}),
    ("get", "/v1/customers/{ref}/carts"): frozenset({"orders:read"}),
    ("get", "/v1/customers/{ref}/coupons"): frozenset({"coupons:read"}),
    ("get", "/v1/orders/{order_id}"): frozenset({"orders:read"}),
    ("get", "/v1/carts/{cart_id}"): frozenset({"orders:read"}),
    ("get", "/v1/products/{sku}"): frozenset({"products:read"}),
    ("get", "/v1/coupons/{code}"): frozenset({"coupons:read"}),
}
"""Operation -> the scopes of which any is enough."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient[Litestar], Peopled, dict[str, str]]]:
    """A client, what there is, and a key for each scope."""
    folder = tmp_path_factory.mktemp("matrix")
    environment = {
        "WAGGLE_HOME": str(folder),
        "WAGGLE_DATABASE__URL": f"sqlite:///{folder / 'waggle.db'}",
        "WAGGLE_API__REQUESTS_PER_S": "0",
    }
    app = App(load_settings(environment, here=folder))
    there = asyncio.run(peopled(app.store, HandClock(datetime.now(UTC) - timedelta(hours=1))))

    async def keys() -> dict[str, str]:
        made = app.accounts.keys
        return {
            scope: (await made.create(scope.replace(":", "-"), scopes=[scope], by="test")).token for scope in SCOPES
        }

    with TestClient(http_api(app), raise_server_exceptions=False) as client:
        yield client, there, asyncio.run(keys())
    app.close()


def test_every_operation_that_asks_for_a_key_is_in_the_matrix() -> None:
    described = {
        (method, path)
        for path, item in openapi_document()["paths"].items()
        for method, operation in item.items()
        if "security" in operation
    }

    assert described == OPENED_BY.keys()


@pytest.mark.parametrize("operation", OPENED_BY, ids=" ".join)
def test_a_key_opens_what_its_scope_says_and_nothing_else(
    house: tuple[TestClient[Litestar], Peopled, dict[str, str]], operation: tuple[str, str]
) -> None:
    client, there, keys = house
    method, path = operation
    url = path.format_map({"request_id": "r-1", **there.path(path)})
    content = b"{}" if method == "post" else None

    def status(key: str) -> int:
        sent = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        return client.request(method.upper(), url, headers=sent, content=content).status_code

    assert status("") == 401
    assert status("wk_" + "a" * 43) == 401
    opened = {scope for scope, key in keys.items() if status(key) != 403}
    assert opened == OPENED_BY[operation]
