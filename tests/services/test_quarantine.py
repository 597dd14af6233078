import json
from typing import Any

import pytest

from tests.services.sample_events import GOOD_DATA, NOW, event, stored, with_data
from waggle.errors import Rejected
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.intake import Intake
from waggle.services.quarantine import QuarantineDesk, Retried
from waggle.services.segment import Call, translated
from waggle.services.setting_aside import set_aside
from waggle.testing.clock import HandClock

pytestmark = pytest.mark.anyio

WHY = {"by": "kim", "why": "the shop says so"}


@pytest.fixture
def intake(store: UnitOfWork) -> Intake:
    return Intake(store, HandClock(NOW))


@pytest.fixture
def desk(store: UnitOfWork, intake: Intake) -> QuarantineDesk:
    return QuarantineDesk(store, intake, HandClock(NOW))


async def keep(intake: Intake, *items: object) -> None:
    await intake.accept("queue", items, keep_refused=True)


async def fail(store: UnitOfWork, intake: Intake, *items: dict[str, Any]) -> list[int]:
    """Accept *items* and let each be one that could not be applied."""
    await intake.accept("shop", items)
    sequences = [each.sequence for each in await stored(store)]

    def quarantine(tx: Transaction) -> None:
        for sequence in sequences:
            tx.events.quarantine(sequence, "LookupError", NOW)

    await store.run(quarantine)
    return sequences


async def actions(store: UnitOfWork, subject: str) -> list[str]:
    return [entry.action for entry in await store.read(lambda tx: tx.audit.of_subject(subject))]


async def test_what_waits_is_listed_with_its_reason_and_without_what_it_says(
    store: UnitOfWork, intake: Intake, desk: QuarantineDesk
) -> None:
    await keep(intake, with_data("cart-updated", currency="euro", customer_id="canary-7"))
    [sequence] = await fail(store, intake, event("stock-changed", "e-2"))

    unread, failed = await desk.waiting()

    assert (unread.id, unread.source, unread.code, unread.where) == ("q1", "queue", "FIELD_INVALID", "$.data.currency")
    assert (failed.id, failed.what, failed.code) == (f"e{sequence}", "stock-changed", "LookupError")
    assert "canary" not in repr([unread, failed, await desk.shape("q1")])
    counts = await desk.counts()
    assert (counts.pending, counts.unapplied, counts.unread) == (0, 1, 1)


async def test_the_same_is_kept_once_while_it_waits(store: UnitOfWork, intake: Intake, desk: QuarantineDesk) -> None:
    for _ in range(3):
        await keep(intake, event(type="cart-stolen"))

    [line] = await desk.waiting()
    await desk.drop(line.id, **WHY)
    await keep(intake, event(type="cart-stolen"))
    assert [each.id for each in await desk.waiting()] == ["q2"]


async def test_a_mended_event_is_taken_and_waits_no_more(
    store: UnitOfWork, intake: Intake, desk: QuarantineDesk
) -> None:
    await keep(intake, with_data("cart-updated", currency="euro"))

    assert await desk.retry("q1") == Retried("q1", "refused", "FIELD_INVALID", "$.data.currency")
    await desk.mend("q1", {"data.currency": "EUR", "data.items[0].quantity": "3"}, **WHY)
    assert await desk.retry("q1") == Retried("q1", "taken")

    [kept] = await stored(store)
    assert (kept.event.source, kept.event.data["currency"], kept.event.data["items"][0]["quantity"]) == (
        "queue",
        "EUR",
        3,
    )
    assert await desk.waiting() == []
    assert await store.read(lambda tx: tx.quarantine.content(1)) is None
    assert await actions(store, "q1") == ["quarantined-mended"]


async def test_what_is_still_wrong_goes_on_waiting_with_its_new_reason(intake: Intake, desk: QuarantineDesk) -> None:
    await keep(intake, with_data("cart-updated", currency="euro", url="javascript:1"))
    await desk.mend("q1", {"data.currency": "EUR"}, **WHY)

    await desk.retry("q1")

    [line] = await desk.waiting()
    assert (line.code, line.where) == ("FIELD_INVALID", "$.data.url")


async def test_what_was_taken_meanwhile_is_not_taken_twice(
    store: UnitOfWork, intake: Intake, desk: QuarantineDesk
) -> None:
    await keep(intake, with_data("stock-changed", quantity=-1))
    await intake.accept("queue", [event("stock-changed")])
    await desk.mend("q1", {"data.quantity": "0"}, **WHY)

    assert await desk.retry("q1") == Retried("q1", "taken")
    assert len(await stored(store)) == 1


async def test_a_call_in_other_words_is_mended_in_its_own(
    store: UnitOfWork, intake: Intake, desk: QuarantineDesk
) -> None:
    message = {
        "type": "track",
        "event": "Product Added",
        "messageId": "m-1",
        "anonymousId": "v-1",
        "timestamp": "2026-05-04T09:00:00Z",
        "properties": {"cart_id": "cart-1", "sku": "honey", "price": 6.5},
    }
    await keep(intake, translated(Call("track", message, None), NOW))
    [line] = await desk.waiting()
    assert (line.what, line.code) == ("segment", "FIELD_MISSING")

    await desk.mend(line.id, {"properties.currency": "EUR"}, **WHY)

    assert await desk.retry(line.id) == Retried(line.id, "taken")
    [kept] = await stored(store)
    assert kept.event.data["unit_price_minor"] == 650


async def test_what_others_send_is_read_by_those_who_know_it(store: UnitOfWork, intake: Intake) -> None:
    def read(source: str, topic: str, raw: bytes, _now: object) -> list[object]:
        if raw == b"?":
            raise Rejected("PAYLOAD_UNREADABLE", "order: not there")
        assert (source, topic) == ("shopify", "orders/create")
        return [event("order-placed", "o-1", data=json.loads(raw))]

    desk = QuarantineDesk(store, intake, HandClock(NOW), read=read)
    good = json.dumps(GOOD_DATA["order-placed"]).encode()

    def put(tx: Transaction) -> None:
        for raw in (b"?", good):
            set_aside(tx, "shopify", "orders/create", raw, "PAYLOAD_UNREADABLE", NOW)

    await store.run(put)

    assert await desk.retry_all() == [Retried("q1", "refused", "PAYLOAD_UNREADABLE"), Retried("q2", "taken")]
    assert [each.event.source for each in await stored(store)] == ["shopify"]


async def test_an_event_that_failed_is_mended_and_applied_again(
    store: UnitOfWork, intake: Intake, desk: QuarantineDesk
) -> None:
    [sequence] = await fail(store, intake, event("customer-identified"))

    await desk.mend(f"e{sequence}", {"data.email": "Ada@EXAMPLE.com"}, **WHY)
    assert await desk.retry(f"e{sequence}") == Retried(f"e{sequence}", "released")

    [kept] = await stored(store)
    assert kept.event.data == GOOD_DATA["customer-identified"] | {"email": "Ada@example.com"}
    # To its sender it is what it was.
    [receipt] = await intake.accept("shop", [event("customer-identified")])
    assert receipt.status == "duplicate"


async def test_an_event_cannot_be_mended_into_none(store: UnitOfWork, intake: Intake, desk: QuarantineDesk) -> None:
    [sequence] = await fail(store, intake, event("stock-changed"))

    for changes, code in (({"data.quantity": "-1"}, "FIELD_INVALID"), ({"type": "x"}, "PATH_UNKNOWN")):
        with pytest.raises(Rejected, match=code):
            await desk.mend(f"e{sequence}", changes, **WHY)
    with pytest.raises(Rejected, match="EVENT_ACCEPTED"):
        await desk.drop(f"e{sequence}", **WHY)


async def test_everything_is_tried_again_at_once(store: UnitOfWork, intake: Intake, desk: QuarantineDesk) -> None:
    await keep(intake, *(with_data("stock-changed", quantity=-1) | {"id": f"e-{number}"} for number in range(3)))
    [sequence] = await fail(store, intake, event("stock-changed", "e-9"))
    await desk.mend("q2", {"data.quantity": "5"}, **WHY)

    done = await desk.retry_all()

    assert [(each.id, each.status) for each in done] == [
        ("q1", "refused"),
        ("q2", "taken"),
        ("q3", "refused"),
        (f"e{sequence}", "released"),
    ]


async def test_who_looked_at_what_it_says_is_remembered(
    store: UnitOfWork, intake: Intake, desk: QuarantineDesk
) -> None:
    await keep(intake, with_data("customer-identified", email="ada"))

    content = await desk.content("q1", by="kim")

    assert isinstance(content, dict)
    assert content["data"]["email"] == "ada"
    assert await actions(store, "q1") == ["quarantined-shown"]


@pytest.mark.parametrize("unknown", ["q1", "e1", "x", "q99999999999999999999", "ada@example.com"])
async def test_what_does_not_wait_is_unknown(desk: QuarantineDesk, unknown: str) -> None:
    for asked in (desk.shape(unknown), desk.retry(unknown), desk.mend(unknown, {"data.x": "1"}, **WHY)):
        with pytest.raises(Rejected, match="QUARANTINE_UNKNOWN") as refused:
            await asked
        assert "ada" not in str(refused.value)


async def test_nothing_forbidden_is_mended_in(intake: Intake, desk: QuarantineDesk) -> None:
    await keep(intake, with_data("product-updated", name=""))

    with pytest.raises(Rejected, match="FORBIDDEN_DATA"):
        await desk.mend("q1", {"data.name": "4111 1111 1111 1111"}, **WHY)


async def test_a_reason_that_tells_of_somebody_is_refused(intake: Intake, desk: QuarantineDesk) -> None:
    await keep(intake, event(type="cart-stolen"))

    with pytest.raises(Rejected, match="WORDS_REFUSED"):
        await desk.mend("q1", {"type": "cart-updated"}, by="kim", why="ada@example.com asked")


async def test_what_is_set_aside_is_not_found_in_the_clear(store: UnitOfWork, database_url: str) -> None:
    def put(tx: Transaction) -> None:
        set_aside(tx, "shop", "orders/create", b'{"note": "canary-4711"}', "PAYLOAD_UNREADABLE", NOW)

    await store.run(put)

    def rows(tx: Transaction) -> str:
        connection: Any = tx.quarantine._connection  # type: ignore[attr-defined]
        return repr(connection.exec_driver_sql("SELECT * FROM quarantine").all())

    assert "canary" not in await store.read(rows)
    assert await store.read(lambda tx: tx.quarantine.content(1)) == b'{"note": "canary-4711"}'
