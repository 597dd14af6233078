"""What happened leaves the house: in order, at least once, without what is nobody's business."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete

from waggle.domain.event import FACTS, personal_fields
from waggle.errors import PermanentFailure, Rejected, TemporaryFailure
from waggle.ports.unit_of_work import Transaction
from waggle.services.disclosure import Disclosure
from waggle.services.message_closing import close
from waggle.services.streaming import NamedStream, Outbox, Streaming, StreamLine
from waggle.storage import tables
from waggle.storage.store import Store
from waggle.testing import facts
from waggle.testing.clock import HandClock
from waggle.testing.email import RecordingSender
from waggle.testing.facts import Shop
from waggle.testing.journey_engine import RememberingEngine
from waggle.testing.streams import RememberingStream

pytestmark = pytest.mark.anyio


@pytest.fixture
def shop(store: Store) -> Shop:
    return facts.shop(store, HandClock(), RememberingEngine())


@pytest.fixture
def bi() -> RememberingStream:
    return RememberingStream()


def named(stream: RememberingStream, disclosure: Disclosure | None = None, name: str = "bi") -> NamedStream:
    return NamedStream(name, stream, disclosure, "beginning")


def process(shop: Shop, *streams: NamedStream, holder: str = "one") -> Streaming:
    """Return the streams of one process, which may be asked for again and again."""
    streaming = Streaming(shop.store, streams, shop.clock)
    streaming._holder = holder
    return streaming


async def tell_all(shop: Shop, *streams: NamedStream) -> Streaming:
    streaming = process(shop, *streams)
    await streaming.number()
    for stream in streams:
        while await streaming.tell(stream):
            pass
    return streaming


async def changed(shop: Shop, change: Callable[[Transaction], object]) -> None:
    await shop.store.run(change)


async def stock(shop: Shop, *skus: str) -> None:
    for sku in skus:
        await shop.tell("stock-changed", {"sku": sku, "quantity": 1})


def skus(stream: RememberingStream) -> list[str]:
    return [item["data"]["sku"] for item in stream.items]


async def test_an_applied_event_is_told_as_the_envelope_it_came_in(shop: Shop, bi: RememberingStream) -> None:
    event_id = await shop.tell("stock-changed", {"sku": "honey", "quantity": 3})
    await tell_all(shop, named(bi))

    assert bi.items == [
        {
            "specversion": "1.0",
            "id": event_id,
            "source": "shop",
            "type": "stock-changed",
            "subject": "honey",
            "time": "2026-03-01T12:00:00Z",
            "datacontenttype": "application/json",
            "data": {"sku": "honey", "quantity": 3},
        }
    ]


async def test_an_event_is_told_once_it_is_applied_and_not_before(shop: Shop, bi: RememberingStream) -> None:
    await shop.send("stock-changed", {"sku": "honey", "quantity": 3})
    await tell_all(shop, named(bi))
    assert bi.items == []

    await shop.relay.apply_events()
    await tell_all(shop, named(bi))
    assert skus(bi) == ["honey"]


async def test_everything_a_journey_comes_to_is_told_in_order(shop: Shop, bi: RememberingStream) -> None:
    await shop.customer()
    await shop.cart()
    enrolment = await shop.enrolment()
    coupon = facts.coupon(enrolment.enrolment_id, shop.clock.now())
    await changed(shop, lambda tx: tx.coupons.save(coupon))
    await facts.sending(shop.store, shop.clock, RecordingSender()).send(
        enrolment_id=enrolment.enrolment_id, step="first-mail", template="abandoned-cart", coupon_id=coupon.coupon_id
    )
    await shop.order(customer_id="c-1", coupon_code=coupon.code)
    ended = replace(enrolment, state="ended", ended_at=shop.clock.now(), outcome="bought", outcome_reason="ok")
    for _ in range(2):
        await changed(shop, lambda tx: tx.enrolments.save(ended))
    await tell_all(shop, named(bi))

    ours = [item for item in bi.items if item["source"] == "waggle"]
    assert [item["type"] for item in ours] == ["message-sent", "coupon-issued", "coupon-redeemed", "enrolment-ended"]
    assert len({item["id"] for item in ours}) == 4
    assert {item["subject"] for item in ours} == {"c-1"}
    assert ours[0]["data"]["step"] == "first-mail"
    assert ours[2]["data"]["order_id"] == "o-1"
    assert (ours[3]["data"]["journey"], ours[3]["data"]["outcome"]) == ("abandoned-cart", "bought")
    assert "AAAA-BBBB-CCCC" not in str(ours)


async def test_a_doubt_that_was_settled_is_told_twice(shop: Shop, bi: RememberingStream) -> None:
    await shop.customer()
    await shop.cart()
    enrolment_id = (await shop.enrolment()).enrolment_id
    await facts.sending(shop.store, shop.clock, RecordingSender()).send(
        enrolment_id=enrolment_id, step="first-mail", template="abandoned-cart", coupon_id=None
    )
    message = await shop.message(enrolment_id)
    await changed(shop, lambda tx: close(tx, message, "in_doubt", "answer_lost", shop.clock.now()))
    await changed(shop, lambda tx: close(tx, message, "sent", "settled_by_hand", shop.clock.now()))
    await tell_all(shop, named(bi))

    told = [item["type"] for item in bi.items if item["type"].startswith("message-")]
    assert told == ["message-sent", "message-in-doubt", "message-sent"]


async def test_what_was_undone_is_not_told(shop: Shop, bi: RememberingStream) -> None:
    def half(tx: Transaction) -> None:
        tx.events.mark_applied([stored.sequence for stored in tx.events.pending(10)], shop.clock.now())
        raise Rejected("NO")

    await shop.send("stock-changed", {"sku": "honey", "quantity": 3})
    with pytest.raises(Rejected):
        await shop.store.run(half)
    await tell_all(shop, named(bi))

    assert bi.items == []


async def test_what_comes_after_a_failure_waits_for_what_failed(shop: Shop, bi: RememberingStream) -> None:
    await stock(shop, "a", "b", "c")
    stream, streaming = named(bi), process(shop, named(bi))
    await streaming.number()
    bi.failing = TemporaryFailure("AWAY")
    with pytest.raises(TemporaryFailure):
        await streaming.tell(stream)
    bi.failing = None
    await stock(shop, "d")
    await tell_all(shop, stream)

    assert skus(bi) == ["a", "b", "c", "d"]


async def test_what_was_taken_without_an_answer_is_told_again(shop: Shop, bi: RememberingStream) -> None:
    await stock(shop, "a", "b")
    stream, streaming = named(bi), process(shop, named(bi))
    await streaming.number()
    bi.failing, bi.takes_before_it_fails = TemporaryFailure("ANSWER_LOST"), True
    with pytest.raises(TemporaryFailure):
        await streaming.tell(stream)
    bi.failing = None
    await tell_all(shop, stream)

    assert skus(bi) == ["a", "b", "a", "b"]
    assert [event.position for event in bi.told[:2]] == [event.position for event in bi.told[2:]]


async def test_a_destination_that_is_away_holds_up_no_other(shop: Shop, bi: RememberingStream) -> None:
    dead = RememberingStream()
    dead.failing = PermanentFailure("GONE")
    streaming = process(shop, named(dead, name="dead"), named(bi))
    stop = asyncio.Event()
    running = asyncio.create_task(streaming.run(stop))
    await stock(shop, "a", "b")

    async def standing() -> dict[str, StreamLine]:
        return {line.name: line for line in await Outbox(shop.store, shop.clock).lines()}

    async def dead_has_failed() -> bool:
        return (lines := await standing()).keys() >= {"dead"} and lines["dead"].failures > 0

    async with asyncio.timeout(60):
        while len(bi.told) < 2 or not await dead_has_failed():  # noqa: ASYNC110 -- as an onlooker would
            await asyncio.sleep(0.02)
    stop.set()
    await running

    lines = await standing()
    assert (lines["bi"].waiting, lines["bi"].code) == (0, None)
    assert (lines["dead"].waiting, lines["dead"].code) == (2, "GONE")
    assert lines["dead"].failures >= 1
    assert lines["dead"].waiting_since == shop.clock.now()
    assert bi.closed
    assert dead.closed


async def test_each_stream_has_its_own_place(shop: Shop, bi: RememberingStream) -> None:
    slow = RememberingStream(most_at_once=1)
    await stock(shop, "a", "b")
    streaming = await tell_all(shop, named(bi))
    await streaming.tell(named(slow, name="slow"))

    assert (skus(bi), skus(slow)) == (["a", "b"], ["a"])


async def test_only_one_process_tells_a_stream_until_it_is_gone(shop: Shop, bi: RememberingStream) -> None:
    await stock(shop, "a")
    await tell_all(shop, named(bi))
    other = process(shop, named(bi), holder="another")
    await stock(shop, "b")
    await other.number()
    assert await other.tell(named(bi)) == 0

    shop.clock.advance(timedelta(seconds=61))
    assert await other.tell(named(bi)) == 1
    assert skus(bi) == ["a", "b"]


async def test_a_new_stream_begins_with_what_happens_from_then_on(shop: Shop, bi: RememberingStream) -> None:
    await stock(shop, "old")
    stream = NamedStream("bi", bi, None, "now")
    await tell_all(shop, stream)
    await stock(shop, "new")
    await tell_all(shop, stream)

    assert skus(bi) == ["new"]


async def test_a_stream_can_be_set_back_and_the_audit_log_says_by_whom(shop: Shop, bi: RememberingStream) -> None:
    outbox = Outbox(shop.store, shop.clock)
    await stock(shop, "a")
    shop.clock.advance(timedelta(hours=1))
    await stock(shop, "b")
    await tell_all(shop, named(bi))

    assert await outbox.rewind("bi", shop.clock.now(), by="kim", why="the lake lost a day") == 1
    await tell_all(shop, named(bi))
    assert await outbox.rewind("bi", 0, by="kim", why="again") == 0
    await tell_all(shop, named(bi))

    assert skus(bi) == ["a", "b", "b", "a", "b"]
    first, second = await shop.store.read(lambda tx: tx.audit.of_subject("bi"))
    assert (first.actor, first.action, first.detail) == ("kim", "stream-rewound", {"from": "2", "to": "1"})
    assert second.why == "again"


@pytest.mark.parametrize(("name", "to", "code"), [("no", 0, "STREAM_UNKNOWN"), ("bi", 9, "POSITION_UNKNOWN")])
async def test_what_cannot_be_set_back_is_said(
    shop: Shop, bi: RememberingStream, name: str, to: int, code: str
) -> None:
    await stock(shop, "a")
    await tell_all(shop, named(bi))

    with pytest.raises(Rejected, match=code):
        await Outbox(shop.store, shop.clock).rewind(name, to, by="kim", why="test")


async def test_a_batch_under_way_while_the_stream_is_set_back_does_not_move_it_on(
    shop: Shop, bi: RememberingStream
) -> None:
    await stock(shop, "a", "b")
    await tell_all(shop, named(bi))
    await stock(shop, "c")
    streaming = process(shop, named(bi))
    await streaming.number()
    outbox = Outbox(shop.store, shop.clock)

    class SetBackMeanwhile(RememberingStream):
        async def publish(self, events: object) -> None:
            await outbox.rewind("bi", 0, by="kim", why="just now")

    assert await streaming.tell(named(SetBackMeanwhile())) == 0
    [line] = await outbox.lines()
    assert line.position == 0


async def test_personal_fields_stay_here(shop: Shop, bi: RememberingStream) -> None:
    await shop.customer("c-1", phone="+48123456789", last_name="Lovelace", birth_date="1990-04-30")
    await tell_all(shop, named(bi))

    told = str(bi.items)
    assert bi.items[0]["data"]["customer_id"] == "c-1"
    assert not personal_fields_told(bi)
    assert not any(word in told for word in ("@", "Ada", "Lovelace", "48123456789", "1990"))


def personal_fields_told(stream: RememberingStream) -> set[str]:
    return {name for item in stream.items if item["type"] in FACTS for name in item["data"]} & {
        name for fact in FACTS.values() for name in personal_fields(fact)
    }


CRM = Disclosure("crm", frozenset({"email", "first_name"}))


async def test_declared_fields_of_those_who_agree_are_told_and_the_transfer_is_registered(
    shop: Shop, bi: RememberingStream
) -> None:
    await shop.tell("consent-given", {"customer_id": "c-1", "purpose": "crm"})
    await shop.customer("c-1", last_name="Lovelace")
    await shop.customer("c-2")
    await tell_all(shop, named(bi, CRM))

    identified = {item["subject"]: item["data"] for item in bi.items if item["type"] == "customer-identified"}
    assert identified["c-1"] == {
        "customer_id": "c-1",
        "email": "c-1@example.com",
        "first_name": "Ada",
        "time_zone": "UTC",
    }
    assert identified["c-2"] == {"customer_id": "c-2", "time_zone": "UTC"}
    [transfer] = await shop.store.read(lambda tx: tx.transfers.newest(10))
    assert (transfer.destination, transfer.purpose, transfer.count) == ("bi", "crm", 1)


async def test_who_takes_consent_back_or_is_forgotten_is_told_of_no_more(shop: Shop, bi: RememberingStream) -> None:
    for customer in ("c-1", "c-2"):
        await shop.tell("consent-given", {"customer_id": customer, "purpose": "crm"})
        await shop.customer(customer)
    shop.clock.advance(timedelta(hours=1))
    await shop.tell("consent-withdrawn", {"customer_id": "c-1", "purpose": "crm"})
    await shop.tell("customer-erased", {"customer_id": "c-2"})
    await tell_all(shop, named(bi, CRM))

    assert not personal_fields_told(bi)


async def test_positions_go_on_when_what_was_told_is_deleted(shop: Shop, bi: RememberingStream, store: Store) -> None:
    await stock(shop, "a", "b")
    await tell_all(shop, named(bi))
    with store._engine.begin() as connection:
        connection.execute(delete(tables.outcomes))
    await stock(shop, "c")
    await tell_all(shop, named(bi))

    assert [event.position for event in bi.told] == [1, 2, 3]
    assert skus(bi) == ["a", "b", "c"]
