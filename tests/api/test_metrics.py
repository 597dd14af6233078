from typing import Any

import pytest
from litestar.testing import AsyncTestClient
from prometheus_client import CollectorRegistry

from tests.api.door import NOW, Door
from waggle.api.app import create_app
from waggle.api.metrics import ApiMetrics
from waggle.services.intake import Intake
from waggle.testing.clock import HandClock

pytestmark = pytest.mark.anyio

KEY = {"Authorization": "Bearer key-of-shop"}


class Measured:
    """The API with its metrics, as its process wires them."""

    def __init__(self, door: Door) -> None:
        self.registry = CollectorRegistry()
        metrics = ApiMetrics(self.registry)
        app = create_app(
            Intake(door.store, HandClock(NOW)),
            door.tokens,
            door.tracking,
            door.unsubscribing,
            door.readiness,
            tell=metrics.received,
        )
        self.app: Any = metrics.measured(app)  # two libraries' names of one protocol

    def events(self, outcome: str) -> float | None:
        return self.registry.get_sample_value("waggle_api_events_total", {"outcome": outcome})

    def requests(self) -> dict[tuple[str, str], float]:
        [family] = [each for each in self.registry.collect() if each.name == "waggle_api_request_seconds"]
        return {
            (sample.labels["route"], sample.labels["status"]): sample.value
            for sample in family.samples
            if sample.name.endswith("_count")
        }


@pytest.fixture
def measured(door: Door) -> Measured:
    return Measured(door)


async def test_events_are_counted_by_what_became_of_them(measured: Measured, event: dict[str, Any]) -> None:
    other = event | {"data": event["data"] | {"currency": "USD"}}
    async with AsyncTestClient(measured.app) as client:
        for body in (event, event, other, event | {"id": "e-2", "type": "cart-eaten"}):
            await client.post("/v1/events", json=body, headers=KEY)
        await client.post("/v1/events", json=[event | {"id": "e-3"}, event | {"id": "e-4"}], headers=KEY)

    assert [measured.events(outcome) for outcome in ("accepted", "duplicate", "conflict", "refused")] == [3, 1, 1, 1]


async def test_requests_are_measured_by_route_and_status_and_never_by_address(
    measured: Measured, event: dict[str, Any]
) -> None:
    async with AsyncTestClient(measured.app) as client:
        await client.post("/v1/events", json=event, headers=KEY)
        await client.post("/v1/events", json=event)
        await client.get("/c/tok-1", follow_redirects=False)
        await client.get("/wp-admin/jane.doe@example.com")
        await client.get("/v1/events")

    assert measured.requests() == {
        ("/v1/events", "202"): 1,
        ("/v1/events", "401"): 1,
        ("/c/{token}", "302"): 1,
        ("none", "404"): 1,
        ("none", "405"): 1,
    }
