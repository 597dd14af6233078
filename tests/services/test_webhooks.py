"""Calls of other systems: taken once, with what they say, or not at all."""

import asyncio
import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.connectors.vendors import NOW, WHSEC, standard, vendors
from waggle.errors import Rejected, TemporaryFailure
from waggle.ports.sources import Webhook, WebhookRequest
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.intake import Intake
from waggle.services.webhooks import KEPT_FOR, Webhooks
from waggle.testing.clock import HandClock

pytestmark = pytest.mark.anyio

SHOPIFY = vendors()["shopify"]
SOURCE = "shop-main"


@pytest.fixture
def clock() -> HandClock:
    return HandClock(NOW)


@pytest.fixture
def heard() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def webhooks(store: UnitOfWork, clock: HandClock, heard: list[tuple[str, str]]) -> Webhooks:
    receivers: dict[str, Webhook] = {SOURCE: SHOPIFY.webhook, "erp": standard(WHSEC)}
    return Webhooks(store, Intake(store, clock), clock, receivers, tell=lambda *told: heard.append(told))


def shopify(topic: str, sample: str, delivery_id: str = "e-1") -> WebhookRequest:
    body = SHOPIFY.body(sample)
    return WebhookRequest(SHOPIFY.sign(topic, body, delivery_id, NOW), body)


async def types(store: UnitOfWork) -> list[str]:
    kept = await store.run(lambda tx: tx.events.pending(1_000))
    return [each.event.type for each in kept]


async def test_what_a_call_says_is_in_the_inbox_under_the_name_of_its_source(
    webhooks: Webhooks, store: UnitOfWork
) -> None:
    taken = await webhooks.receive(SOURCE, shopify("orders/create", "orders_create"))

    assert taken.outcome == "taken"
    assert {receipt.status for receipt in taken.receipts} == {"accepted"}
    kept = await store.run(lambda tx: tx.events.pending(1_000))
    assert {each.event.source for each in kept} == {SOURCE}
    assert [each.event.type for each in kept] == [
        *("customer-identified", "consent-given", "consent-given", "order-placed")
    ]


async def test_a_call_that_comes_again_does_nothing(webhooks: Webhooks, store: UnitOfWork) -> None:
    request = shopify("orders/create", "orders_create")
    outcomes = [(await webhooks.receive(SOURCE, request)).outcome for _ in range(3)]

    assert outcomes == ["taken", "repeated", "repeated"]
    assert len(await types(store)) == 4


async def test_a_call_that_comes_many_times_at_once_is_taken_once(webhooks: Webhooks, store: UnitOfWork) -> None:
    request = shopify("orders/create", "orders_create")
    taken = await asyncio.gather(*(webhooks.receive(SOURCE, request) for _ in range(20)))

    assert sorted(each.outcome for each in taken) == ["repeated"] * 19 + ["taken"]
    assert len(await types(store)) == 4


async def test_a_captured_call_under_a_new_id_says_nothing_new(webhooks: Webhooks, store: UnitOfWork) -> None:
    await webhooks.receive(SOURCE, shopify("orders/create", "orders_create", "e-1"))
    again = await webhooks.receive(SOURCE, shopify("orders/create", "orders_create", "e-2"))

    assert {receipt.status for receipt in again.receipts} == {"duplicate"}
    assert len(await types(store)) == 4


async def test_a_captured_call_is_known_for_longer_than_any_vendor_repeats_it(
    webhooks: Webhooks, store: UnitOfWork, clock: HandClock
) -> None:
    request = shopify("orders/create", "orders_create")
    await webhooks.receive(SOURCE, request)
    clock.advance(timedelta(days=30))
    assert (await webhooks.receive(SOURCE, request)).outcome == "repeated"

    clock.advance(KEPT_FOR)
    await webhooks.receive(SOURCE, shopify("products/update", "products_update", "e-2"))
    late = await webhooks.receive(SOURCE, request)

    assert {receipt.status for receipt in late.receipts} == {"duplicate"}


async def test_one_event_under_two_topics_is_taken_twice(webhooks: Webhooks, store: UnitOfWork) -> None:
    await webhooks.receive(SOURCE, shopify("orders/create", "orders_create", "e-1"))
    await webhooks.receive(SOURCE, shopify("orders/paid", "orders_paid", "e-1"))

    assert (await types(store))[-1] == "order-paid"


async def test_another_body_under_a_known_id_is_set_aside_for_somebody_to_look_at(
    webhooks: Webhooks, store: UnitOfWork
) -> None:
    await webhooks.receive(SOURCE, shopify("orders/updated", "orders_create"))
    other = await webhooks.receive(SOURCE, shopify("orders/updated", "orders_cancelled"))

    assert other.outcome == "set-aside"
    assert "order-cancelled" not in await types(store)
    [kept] = await store.read(lambda tx: tx.quarantine.waiting(10))
    assert (kept.source, kept.topic, kept.code) == (SOURCE, "orders/updated", "DELIVERY_ID_REUSED")


@pytest.mark.parametrize("topic", ["themes/publish", "inventory_levels/update"])
async def test_what_does_not_concern_us_is_answered_and_forgotten(
    webhooks: Webhooks, store: UnitOfWork, topic: str
) -> None:
    taken = await webhooks.receive(SOURCE, shopify(topic, "inventory_levels_update"))

    assert (taken.outcome, await types(store)) == ("not-for-us", [])


async def test_a_call_that_nobody_understands_is_kept_and_can_be_read_later(
    webhooks: Webhooks, store: UnitOfWork
) -> None:
    request = shopify("customers/update", "orders_create")
    assert (await webhooks.receive(SOURCE, request)).outcome == "set-aside"
    assert (await webhooks.receive(SOURCE, request)).outcome == "repeated"

    [kept] = await store.read(lambda tx: tx.quarantine.waiting(10))
    assert (kept.code, kept.topic, kept.where) == ("PAYLOAD_UNREADABLE", "customers/update", "$.admin_graphql_api_id")
    content = await store.read(lambda tx: tx.quarantine.content(kept.quarantine_id))
    assert content == request.body
    assert [item["type"] for item in webhooks.read(SOURCE, "orders/create", content, NOW)][-1] == "order-placed"
    with pytest.raises(Rejected, match="SOURCE_UNKNOWN"):
        webhooks.read("nobody", "orders/create", content, NOW)


async def test_one_wrong_fact_of_a_call_does_not_hold_up_the_others(webhooks: Webhooks, store: UnitOfWork) -> None:
    body = SHOPIFY.body("orders_create").replace(b"anna@example.com", b"anna at example.com")
    taken = await webhooks.receive(SOURCE, WebhookRequest(SHOPIFY.sign("orders/create", body, "e-1", NOW), body))

    assert [receipt.status for receipt in taken.receipts] == ["refused", "accepted", "accepted", "accepted"]
    [kept] = await store.read(lambda tx: tx.quarantine.waiting(10))
    assert kept.where == "$.data.email"


async def test_a_forged_call_is_refused_and_counted_without_a_row_for_each(
    webhooks: Webhooks, store: UnitOfWork, clock: HandClock, heard: list[tuple[str, str]]
) -> None:
    body = SHOPIFY.body()
    forged = WebhookRequest(SHOPIFY.sign_otherwise("orders/create", body, "e-1", NOW), body)
    for request in (*[forged] * 50, replace(forged, headers={})):
        with pytest.raises(Rejected):
            await webhooks.receive(SOURCE, request)
    at_first = await store.read(lambda tx: tx.deliveries.refusals(SOURCE))
    clock.advance(timedelta(seconds=11))
    await webhooks.receive(SOURCE, shopify("orders/create", "orders_create"))

    assert at_first == {"SIGNATURE_WRONG": (1, NOW)}
    counted = await store.read(lambda tx: tx.deliveries.refusals(SOURCE))
    assert {code: count for code, (count, _) in counted.items()} == {"SIGNATURE_WRONG": 50, "SIGNATURE_MISSING": 1}
    assert heard.count((SOURCE, "SIGNATURE_WRONG")) == 50
    assert heard[-1] == (SOURCE, "taken")


async def test_a_persons_request_through_the_shop_is_opened_once(webhooks: Webhooks, store: UnitOfWork) -> None:
    for topic, sample in (
        ("customers/data_request", "customers_data_request"),
        ("customers/redact", "customers_redact"),
    ):
        for delivery_id in ("e-1", "e-1", "e-2"):
            await webhooks.receive(SOURCE, shopify(topic, sample, delivery_id))

    opened = await store.read(lambda tx: tx.privacy_requests.of_customer("7402150199411"))
    assert sorted((each.right, each.source) for each in opened) == [("access", SOURCE), ("erasure", SOURCE)]


async def test_a_shop_that_lets_us_go_is_noted_until_it_calls_again(webhooks: Webhooks, store: UnitOfWork) -> None:
    await webhooks.receive(SOURCE, shopify("app/uninstalled", "app_uninstalled"))

    assert await store.read(lambda tx: tx.deliveries.ended(SOURCE)) == ("app-uninstalled", NOW)
    [entry] = await store.read(lambda tx: tx.audit.of_subject(SOURCE))
    assert (entry.action, entry.why) == ("source-ended", "app-uninstalled")

    await webhooks.receive(SOURCE, shopify("orders/create", "orders_create"))
    assert await store.read(lambda tx: tx.deliveries.ended(SOURCE)) is None


async def test_when_it_was_last_heard_and_what_it_said_can_be_looked_up(
    webhooks: Webhooks, store: UnitOfWork, clock: HandClock
) -> None:
    await webhooks.receive(SOURCE, shopify("orders/create", "orders_create"))
    clock.advance(timedelta(minutes=5))
    await webhooks.receive(SOURCE, shopify("orders/paid", "orders_paid"))

    def look(tx: Transaction) -> object:
        return (
            tx.deliveries.last_heard_at(SOURCE),
            tx.deliveries.counts(SOURCE, NOW),
            tx.deliveries.last_heard_at("erp"),
        )

    assert await store.read(look) == (NOW + timedelta(minutes=5), {"orders/create": 1, "orders/paid": 1}, None)


async def test_what_is_kept_of_a_call_confirms_no_guess_of_what_it_said(
    webhooks: Webhooks, store: UnitOfWork, database_url: str
) -> None:
    request = shopify("orders/create", "orders_create")
    nameless = replace(request, headers={name: value for name, value in request.headers.items() if "-id" not in name})
    await webhooks.receive(SOURCE, nameless)

    digest = hashlib.sha256(request.body).hexdigest()

    def rows(tx: Transaction) -> str:
        return str(tx.deliveries._connection.exec_driver_sql("SELECT * FROM webhook_deliveries").all())  # type: ignore[attr-defined]

    found = await store.read(rows)
    assert "orders/create" in found
    assert digest not in found


class Away:
    """A store that has gone away."""

    async def run(self, work: object) -> object:
        raise TemporaryFailure("DATABASE_UNREACHABLE")

    async def read(self, work: object) -> object:
        raise TemporaryFailure("DATABASE_UNREACHABLE")


async def test_while_the_database_is_away_good_calls_come_again_and_forged_ones_hear_the_same_as_ever() -> None:
    clock = HandClock(NOW)
    webhooks = Webhooks(Away(), Intake(Away(), clock), clock, {SOURCE: SHOPIFY.webhook})  # type: ignore[arg-type]

    with pytest.raises(TemporaryFailure):
        await webhooks.receive(SOURCE, shopify("orders/create", "orders_create"))
    with pytest.raises(Rejected, match="SIGNATURE_MISSING"):
        await webhooks.receive(SOURCE, WebhookRequest({}, b"{}"))
