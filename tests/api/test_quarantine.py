from collections.abc import AsyncIterator

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from tests.api.door import NOW, Door
from waggle.api.app import create_app
from waggle.services.intake import Intake
from waggle.services.quarantine import QuarantineDesk
from waggle.testing.clock import HandClock

pytestmark = pytest.mark.anyio

Client = AsyncTestClient[Litestar]


@pytest.fixture
async def desk(door: Door) -> AsyncIterator[Client]:
    clock = HandClock(NOW)
    intake = Intake(door.store, clock)
    for number in range(3):
        item = {"id": f"e-{number}", "type": "canary", "data": {"email": "canary@example.com"}}
        await intake.accept("queue", [item], keep_refused=True)
    app = create_app(
        intake,
        door.tokens,
        door.tracking,
        door.unsubscribing,
        door.readiness,
        quarantine=QuarantineDesk(door.store, intake, clock),
    )
    async with AsyncTestClient(app) as client:
        yield client


async def test_what_waits_is_told_page_by_page_without_what_it_says(desk: Client, door: Door) -> None:
    header = door.tokens.give("key-of-duty", ["events:manage"])

    first = await desk.get("/v1/quarantine?limit=2", headers=header)
    rest = await desk.get("/v1/quarantine?after=2", headers=header)

    assert [each["id"] for each in first.json()["waiting"]] == ["q1", "q2"]
    assert [each["id"] for each in rest.json()["waiting"]] == ["q3"]
    assert first.json()["waiting"][0]["code"] == "ENVELOPE_INVALID"
    assert "canary" not in first.text
    assert first.headers["cache-control"] == "no-store"


async def test_only_who_looks_after_events_is_told(desk: Client) -> None:
    response = await desk.get("/v1/quarantine", headers={"Authorization": "Bearer key-of-shop"})

    assert (response.status_code, response.json()["code"]) == (403, "SCOPE_MISSING")
    assert (await desk.get("/v1/quarantine")).status_code == 401


@pytest.mark.parametrize("query", ["limit=0", "limit=9999999", "after=-1", "after=9e99", "limit=x", f"after={10**30}"])
async def test_a_question_that_makes_no_sense_is_refused(desk: Client, door: Door, query: str) -> None:
    header = door.tokens.give("key-of-duty", ["events:manage"])

    assert (await desk.get(f"/v1/quarantine?{query}", headers=header)).status_code == 400
