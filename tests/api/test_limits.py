import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from limits.storage import memory
from litestar.testing import AsyncTestClient

from tests.api.door import NOW, Door
from waggle.api.app import create_app
from waggle.api.limits import Limits, LimitSettings
from waggle.api.problem import ProblemError
from waggle.services.intake import Intake
from waggle.storage.store import open_store
from waggle.testing.clock import HandClock

pytestmark = pytest.mark.anyio

KEY = {"Authorization": "Bearer key-of-shop", "Content-Type": "application/json"}


def limits(**given: Any) -> Limits:  # noqa: ANN401 - the settings' own types
    return Limits(LimitSettings(**given))


class HandWatch:
    """Stands in for the module `time`: a second does not end while the calls of a test are counted."""

    now_s = 1_000_000.0

    def time(self) -> float:
        return self.now_s


@pytest.fixture(autouse=True)
def watch(monkeypatch: pytest.MonkeyPatch) -> HandWatch:
    watch = HandWatch()
    monkeypatch.setattr(memory, "time", watch)
    return watch


class Trickle:
    """Stands for a request whose body comes when it is told to."""

    def __init__(self, length: int | None) -> None:
        self.headers = {} if length is None else {"content-length": str(length)}
        self.arrived = asyncio.Event()

    async def body(self) -> bytes:
        await self.arrived.wait()
        return b"{}"


def test_a_key_that_sends_too_often_is_asked_to_come_back(watch: HandWatch) -> None:
    per_key = limits(requests_per_s=3)

    def answers() -> list[str]:
        found = []
        for _ in range(5):
            try:
                per_key.count_request("k-1")
                found.append("")
            except ProblemError as problem:
                found.append(f"{problem.code} {problem.headers['Retry-After']}")
        return found

    assert answers() == ["", "", "", "RATE_LIMITED 1", "RATE_LIMITED 1"]
    per_key.count_request("k-2")
    watch.now_s += 1.1
    assert answers()[:3] == ["", "", ""]


def test_events_are_counted_not_only_calls() -> None:
    per_key = limits(events_per_s=10)
    per_key.count_events("k-1", 10)

    with pytest.raises(ProblemError, match="RATE_LIMITED"):
        per_key.count_events("k-1", 1)


def test_a_batch_larger_than_the_limit_passes_by_itself() -> None:
    limits(events_per_s=10).count_events("k-1", 500)


def test_without_limits_nothing_is_counted() -> None:
    free = limits()
    for _ in range(100):
        free.count_request("k-1")
        free.count_events("k-1", 500)


async def test_bodies_in_memory_at_once_are_bounded() -> None:
    memory = limits(bodies_bytes=2_000_000)
    told, untold = Trickle(1_000_000), Trickle(None)

    async def take(request: Any) -> bytes:  # noqa: ANN401 - a fake of it
        async with memory.body_of(request) as body:
            return body

    first = asyncio.create_task(take(told))
    await asyncio.sleep(0)
    with pytest.raises(ProblemError, match="TOO_BUSY"):
        await take(untold)
    told.arrived.set()
    untold.arrived.set()
    assert await first == b"{}"
    assert await take(untold) == b"{}"


async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    slow = Trickle(10)
    memory = limits(body_timeout_s=0.01, bodies_bytes=1_048_576)

    with pytest.raises(ProblemError, match="BODY_TOO_SLOW"):
        async with memory.body_of(slow):  # type: ignore[arg-type]
            pass
    # Its place is free again.
    slow.arrived.set()
    async with memory.body_of(slow) as body:  # type: ignore[arg-type]
        assert body == b"{}"


async def test_when_too_many_events_wait_the_sender_is_asked_to_come_back(door: Door, event: dict[str, Any]) -> None:
    full = Intake(door.store, HandClock(NOW), most_waiting=0)
    app = create_app(full, door.tokens, door.tracking, door.unsubscribing, door.readiness)
    async with AsyncTestClient(app) as client:
        for path, body in (("/v1/events", event), ("/v1/track", {"event": "Order Cancelled"})):
            response = await client.post(path, content=json.dumps(body), headers=KEY)

            assert (response.status_code, response.json()["code"]) == (503, "TOO_BUSY")
            assert response.headers["retry-after"] == "1"


@pytest.fixture
async def strict(sqlite_url: str) -> AsyncIterator[AsyncTestClient[Any]]:
    store = open_store(sqlite_url)
    async with AsyncTestClient(Door(store, limits=limits(requests_per_s=2, events_per_s=5)).app) as client:
        yield client
    store.close()


async def test_over_the_limit_the_answer_says_when_to_come_back(strict: AsyncTestClient[Any]) -> None:
    answers = [await strict.post("/v1/events", content=b"[]", headers=KEY) for _ in range(5)]

    refused = answers[2:]
    assert [each.status_code for each in answers] == [202, 202, 429, 429, 429]
    assert {each.json()["code"] for each in refused} == {"RATE_LIMITED"}
    assert {each.headers["retry-after"] for each in refused} == {"1"}


async def test_what_is_over_the_limit_is_never_acknowledged(
    strict: AsyncTestClient[Any], event: dict[str, Any], watch: HandWatch
) -> None:
    batches = [[event | {"id": f"{batch}-{number}"} for number in range(5)] for batch in range(2)]
    answers = [await strict.post("/v1/events", content=json.dumps(batch), headers=KEY) for batch in batches]
    again = []
    for batch in batches:
        watch.now_s += 1.1
        again.append(await strict.post("/v1/events", content=json.dumps(batch), headers=KEY))

    assert [each.status_code for each in answers] == [202, 429]
    assert [{one["status"] for one in each.json()["results"]} for each in again] == [{"duplicate"}, {"accepted"}]
