from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from tests.api.door import Door
from waggle.storage.store import open_store


@pytest.fixture
def door(sqlite_url: str) -> Iterator[Door]:
    """The routes do not know which database it is; the intake's own tests run on each."""
    store = open_store(sqlite_url)
    yield Door(store)
    store.close()


@pytest.fixture
async def client(door: Door) -> AsyncIterator[AsyncTestClient[Litestar]]:
    async with AsyncTestClient(door.app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def event() -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "e-1",
        "type": "cart-updated",
        "time": "2026-05-04T09:59:00Z",
        "data": {
            "cart_id": "cart-1",
            "currency": "EUR",
            "items": [{"sku": "honey", "quantity": 2, "unit_price_minor": 650}],
        },
    }
