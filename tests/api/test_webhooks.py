"""The way in for systems that call."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient
from prometheus_client import CollectorRegistry

from tests.api.door import Door
from tests.connectors.vendors import NOW, Vendor, adobe_headers, vendors
from waggle.api.app import create_app
from waggle.api.webhooks import MAX_CALL_BYTES, WebhookMetrics
from waggle.errors import TemporaryFailure
from waggle.ports.sources import Webhook, WebhookRequest
from waggle.services.intake import Intake
from waggle.services.webhooks import Taken, Webhooks
from waggle.storage.store import open_store
from waggle.testing.clock import HandClock

pytestmark = pytest.mark.anyio

SHOPIFY = vendors()["shopify"]


@dataclass
class Trouble:
    """Strikes in place of the next call."""

    error: Exception | None = None


class Troubled(Webhooks):
    """The service, which fails when told to."""

    trouble = Trouble()

    async def receive(self, source: str, request: WebhookRequest) -> Taken:
        if self.trouble.error is not None:
            raise self.trouble.error
        return await super().receive(source, request)


@dataclass
class Place:
    door: Door
    webhooks: Troubled
    app: Litestar
    registry: CollectorRegistry


@pytest.fixture
def place(sqlite_url: str) -> Iterator[Place]:
    store, clock = open_store(sqlite_url), HandClock(NOW)
    registry = CollectorRegistry()
    receivers: dict[str, Webhook] = {vendor.name: vendor.webhook for vendor in vendors().values()}
    heard = WebhookMetrics(registry, clock).heard
    webhooks = Troubled(store, Intake(store, clock), clock, receivers, tell=heard)
    webhooks.trouble = Trouble()
    door = Door(store)
    app = create_app(
        Intake(store, clock), door.tokens, door.tracking, door.unsubscribing, door.readiness, webhooks=webhooks
    )
    yield Place(door, webhooks, app, registry)
    store.close()


@pytest.fixture
async def client(place: Place) -> AsyncIterator[AsyncTestClient[Litestar]]:
    async with AsyncTestClient(place.app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(params=vendors().values(), ids=lambda vendor: vendor.name)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    found: Vendor = request.param
    return found


def url(name: str) -> str:
    return f"/v1/webhooks/{name}"


async def test_a_signed_call_is_stored_before_it_is_answered(
    client: AsyncTestClient[Litestar], place: Place, vendor: Vendor
) -> None:
    request = vendor.request()

    answer = await client.post(url(vendor.name), content=request.body, headers=dict(request.headers))

    assert (answer.status_code, answer.content) == (200, vendor.webhook.answer)
    kept = await place.door.store.run(lambda tx: tx.events.pending(100))
    assert kept
    assert {each.event.source for each in kept} == {vendor.name}


async def test_a_replayed_call_is_answered_and_acts_once(
    client: AsyncTestClient[Litestar], place: Place, vendor: Vendor
) -> None:
    request = vendor.request()
    for _ in range(3):
        answer = await client.post(url(vendor.name), content=request.body, headers=dict(request.headers))
        assert answer.status_code == 200

    ids = await place.door.stored_ids()
    assert len(ids) == len(set(ids)) == len(vendor.told(vendor.topic, vendor.sample).items)


async def test_a_hundred_replays_at_once_act_once(client: AsyncTestClient[Litestar], place: Place) -> None:
    request = SHOPIFY.request()

    answers = await asyncio.gather(
        *(client.post(url("shopify"), content=request.body, headers=dict(request.headers)) for _ in range(100))
    )

    assert {answer.status_code for answer in answers} == {200}
    assert len(await place.door.stored_ids()) == 4


@pytest.mark.parametrize("how", ["unsigned", "forged", "changed"])
async def test_who_cannot_sign_hears_401_and_nothing_of_why(
    client: AsyncTestClient[Litestar], place: Place, vendor: Vendor, how: str
) -> None:
    body = vendor.body()
    headers = dict(vendor.sign(vendor.topic, body, "d-1", NOW))
    if how == "unsigned":
        headers = {}
    elif how == "forged":
        headers = dict(vendor.sign_otherwise(vendor.topic, body, "d-1", NOW))
    else:
        body += b" "

    answer = await client.post(url(vendor.name), content=body, headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"]
    assert answer.json()["code"] == ("SIGNATURE_MISSING" if how == "unsigned" else "SIGNATURE_WRONG")
    assert "secret" not in answer.json()["detail"].replace("same secret on both sides", "")
    assert await place.door.stored_ids() == []


async def test_a_source_that_is_set_nowhere_is_not_there(client: AsyncTestClient[Litestar]) -> None:
    request = SHOPIFY.request()
    for name in ("nobody", "..%2Fevents", "shopify%00", "%ff"):
        answer = await client.post(url(name), content=request.body, headers=dict(request.headers))
        assert answer.status_code == 404


async def test_one_source_cannot_speak_for_another(client: AsyncTestClient[Litestar], place: Place) -> None:
    request = SHOPIFY.request()

    answer = await client.post(url("woocommerce"), content=request.body, headers=dict(request.headers))

    assert answer.status_code == 401
    assert await place.door.stored_ids() == []


async def test_what_nobody_understands_is_answered_and_kept(client: AsyncTestClient[Litestar], place: Place) -> None:
    body = b'{"id": 1, "line_items": "none"}'
    headers = dict(SHOPIFY.sign("orders/create", body, "e-1", NOW))

    answer = await client.post(url("shopify"), content=body, headers=headers)

    assert answer.status_code == 200
    [kept] = await place.door.store.read(lambda tx: tx.quarantine.waiting(10))
    assert (kept.source, kept.topic, kept.code) == ("shopify", "orders/create", "PAYLOAD_UNREADABLE")


async def test_while_the_database_is_away_the_vendor_is_asked_to_come_back(
    client: AsyncTestClient[Litestar], place: Place
) -> None:
    request = SHOPIFY.request()
    place.webhooks.trouble.error = TemporaryFailure("DATABASE_UNREACHABLE", retry_after_s=7)
    answer = await client.post(url("shopify"), content=request.body, headers=dict(request.headers))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")

    place.webhooks.trouble.error = None
    again = await client.post(url("shopify"), content=request.body, headers=dict(request.headers))
    assert again.status_code == 200
    assert len(await place.door.stored_ids()) == 4


async def test_what_is_too_large_or_packed_is_refused(client: AsyncTestClient[Litestar]) -> None:
    request = SHOPIFY.request()
    headers = dict(request.headers)

    large = await client.post(url("shopify"), content=b"x" * (MAX_CALL_BYTES + 1), headers=headers)
    packed = await client.post(url("shopify"), content=request.body, headers={**headers, "content-encoding": "gzip"})

    assert (large.status_code, packed.status_code) == (413, 415)


async def test_a_system_that_asks_whether_somebody_is_there_hears_its_own_word(
    client: AsyncTestClient[Litestar],
) -> None:
    answer = await client.get(url("adobe_commerce"), params={"challenge": "8ec8d794-e0ab-42df-9017-e3dada8e84f7"})
    assert answer.json() == {"challenge": "8ec8d794-e0ab-42df-9017-e3dada8e84f7"}

    for name, challenge in (("adobe_commerce", "<script>"), ("adobe_commerce", ""), ("shopify", "abc")):
        assert (await client.get(url(name), params={"challenge": challenge})).status_code == 405


async def test_adobe_commerce_is_told_to_go_on(client: AsyncTestClient[Litestar]) -> None:
    body = vendors()["adobe_commerce"].body()

    answer = await client.post(url("adobe_commerce"), content=body, headers=adobe_headers("right", "order", body))

    assert answer.json() == {"op": "success"}


async def test_calls_are_counted_by_source_and_what_became_of_them(
    client: AsyncTestClient[Litestar], place: Place
) -> None:
    request = SHOPIFY.request()
    for headers in (dict(request.headers), dict(request.headers), {}):
        await client.post(url("shopify"), content=request.body, headers=headers)

    def count(outcome: str) -> float | None:
        return place.registry.get_sample_value("waggle_webhook_calls_total", {"source": "shopify", "outcome": outcome})

    assert [count(each) for each in ("taken", "repeated", "SIGNATURE_MISSING")] == [1, 1, 1]
    heard = place.registry.get_sample_value("waggle_webhook_last_heard_timestamp_seconds", {"source": "shopify"})
    assert heard == NOW.timestamp()
