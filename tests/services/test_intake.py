import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

import pytest
from sqlalchemy import select

from tests.services.sample_events import GOOD_DATA, NOW, event, refusal, stored, with_data
from waggle.domain.event import FACTS, OWN_FACTS, Receipt
from waggle.errors import TemporaryFailure
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.intake import Intake, Translated, Unreadable
from waggle.services.keys import OWN_SOURCE
from waggle.storage.tables import refused_events
from waggle.testing.clock import HandClock

pytestmark = pytest.mark.anyio

T = TypeVar("T")


class CountingStore:
    """Passes on to a real store and remembers how many transactions there were."""

    def __init__(self, store: UnitOfWork) -> None:
        self._store = store
        self.transactions = 0

    async def run(self, work: Callable[[Transaction], T]) -> T:
        self.transactions += 1
        return await self._store.run(work)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        return await self._store.read(work)


class LockedStore:
    async def run(self, work: Callable[[Transaction], T]) -> T:
        raise TemporaryFailure("DATABASE_LOCKED", retry_after_s=2)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        raise TemporaryFailure("DATABASE_LOCKED", retry_after_s=2)


@pytest.fixture
def intake(store: UnitOfWork) -> Intake:
    return Intake(store, HandClock(NOW))


@pytest.mark.parametrize("event_type", FACTS)
async def test_every_type_of_event_is_accepted(intake: Intake, store: UnitOfWork, event_type: str) -> None:
    source = OWN_SOURCE if event_type in OWN_FACTS else "shop"

    receipts = await intake.accept(source, [event(event_type)])

    assert receipts == [Receipt("e-1", "accepted")]
    [kept] = await stored(store)
    assert (kept.event.source, kept.event.type, kept.event.data) == (source, event_type, GOOD_DATA[event_type])


@pytest.mark.parametrize("event_type", sorted(OWN_FACTS))
async def test_what_happens_here_alone_is_not_believed_from_outside(intake: Intake, event_type: str) -> None:
    assert await refusal(intake, event(event_type)) == ("SCOPE_MISSING", "$.type")


async def test_a_key_that_may_send_some_types_sends_no_others(store: UnitOfWork) -> None:
    intake = Intake(store, HandClock(NOW))
    items = [event("page-viewed"), event("customer-erased", "e-2"), event("order-placed", "e-3")]

    receipts = await intake.accept("tracker", items, only=frozenset({"page-viewed"}), keep_refused=True)

    assert [one.status for one in receipts] == ["accepted", "refused", "refused"]
    assert {one.problem.code for one in receipts if one.problem} == {"SCOPE_MISSING"}
    assert await store.read(lambda tx: tx.quarantine.waiting(10)) == []


async def test_what_was_said_in_other_words_is_a_duplicate_if_said_again(store: UnitOfWork) -> None:
    intake = Intake(store, HandClock(NOW))
    said = {"messageId": "m-1", "event": "Stock", "left": 0}
    first = Translated(event("stock-changed", "m-1", time="2026-05-04T09:00:00Z"), said, "segment")
    again = Translated(event("stock-changed", "m-1", time="2026-05-04T09:00:07Z"), dict(reversed(said.items())), "x")
    other = Translated(event("stock-changed", "m-1"), said | {"left": 1}, "segment")

    receipts = await intake.accept("shop", [first, again, other], keep_refused=True)

    assert [one.status for one in receipts] == ["accepted", "duplicate", "refused"]
    [kept] = await store.read(lambda tx: tx.quarantine.waiting(10))
    content = await store.read(lambda tx: tx.quarantine.content(kept.quarantine_id))
    assert (kept.topic, json.loads(content or b"")) == ("segment", said | {"left": 1})


async def test_the_same_event_again_is_a_duplicate_whatever_the_order_of_its_keys(
    intake: Intake, store: UnitOfWork
) -> None:
    first = event(time="2026-05-04T09:00:00Z")
    await intake.accept("shop", [first])

    again = dict(reversed(first.items())) | {"data": dict(reversed(first["data"].items())), "traceparent": "00-2-2-00"}

    assert await intake.accept("shop", [again]) == [Receipt("e-1", "duplicate")]
    assert len(await stored(store)) == 1


async def test_an_event_repeated_within_one_batch_is_stored_once(intake: Intake, store: UnitOfWork) -> None:
    receipts = await intake.accept("shop", [event(), event()])

    assert [receipt.status for receipt in receipts] == ["accepted", "duplicate"]
    assert len(await stored(store)) == 1


async def test_the_same_id_with_another_body_is_refused_and_changes_nothing(intake: Intake, store: UnitOfWork) -> None:
    await intake.accept("shop", [event()])

    assert await refusal(intake, with_data("cart-updated", items=[])) == ("EVENT_ID_REUSED", "$.id")
    [kept] = await stored(store)
    assert kept.event.data == GOOD_DATA["cart-updated"]


async def test_two_sources_may_use_the_same_id(intake: Intake, store: UnitOfWork) -> None:
    await intake.accept("shop", [event()])
    receipts = await intake.accept("tracker", [with_data("cart-updated", items=[])])

    assert receipts == [Receipt("e-1", "accepted")]
    assert len(await stored(store)) == 2


async def test_good_events_of_a_batch_are_kept_in_one_transaction_though_others_are_refused(store: UnitOfWork) -> None:
    counting = CountingStore(store)
    items = [event(), event(event_id="e-2", type="cart-stolen"), Unreadable(b"1e999"), "text", event(event_id="e-5")]

    receipts = await Intake(counting, HandClock(NOW)).accept("shop", items)

    assert [receipt.status for receipt in receipts] == ["accepted", "refused", "refused", "refused", "accepted"]
    assert [receipt.id for receipt in receipts] == ["e-1", "e-2", None, None, "e-5"]
    assert [kept.event.id for kept in await stored(store)] == ["e-1", "e-5"]
    assert counting.transactions == 1


async def test_every_refusal_is_recorded_with_its_reason_but_without_content(intake: Intake, store: UnitOfWork) -> None:
    await intake.accept("shop", [event(), with_data("cart-updated", items=[]), event(event_id="a@b"), event(data=None)])

    def refusals(tx: Transaction) -> list[tuple[str, str, str]]:
        connection = cast("Any", tx.events)._connection
        columns = refused_events.c
        return [tuple(row) for row in connection.execute(select(columns.source, columns.event_id, columns.code))]

    assert await store.read(refusals) == [
        ("shop", "e-1", "EVENT_ID_REUSED"),
        ("shop", "", "ID_NOT_OPAQUE"),
        ("shop", "e-1", "ENVELOPE_INVALID"),
    ]


async def test_when_the_database_is_locked_nothing_is_answered_as_accepted() -> None:
    with pytest.raises(TemporaryFailure, match="DATABASE_LOCKED"):
        await Intake(LockedStore(), HandClock(NOW)).accept("shop", [event()])


async def test_fields_beyond_the_vocabulary_are_dropped(intake: Intake, store: UnitOfWork) -> None:
    line = {"sku": "honey", "quantity": 1, "unit_price_minor": 650, "gift_note": "for you"}
    await intake.accept("shop", [with_data("cart-updated", items=[line], role="admin", consent=True)])

    [kept] = await stored(store)
    assert kept.event.data.keys() == GOOD_DATA["cart-updated"].keys()
    assert kept.event.data["items"] == [{"sku": "honey", "quantity": 1, "unit_price_minor": 650}]


async def test_fields_that_the_source_is_allowed_are_kept(store: UnitOfWork) -> None:
    intake = Intake(store, HandClock(NOW), allow_fields={"erp": frozenset({"warehouse"})})
    for source in ("erp", "shop"):
        await intake.accept(source, [with_data("stock-changed", warehouse="Gdańsk", shelf=7)])

    of_erp, of_shop = await stored(store)
    assert of_erp.event.data == {"sku": "honey", "quantity": 0, "warehouse": "Gdańsk"}
    assert of_shop.event.data == {"sku": "honey", "quantity": 0}


async def test_addresses_and_numbers_are_stored_in_one_way_of_writing(intake: Intake, store: UnitOfWork) -> None:
    await intake.accept(
        "shop", [with_data("customer-identified", email=" Ada.L@EXAMPLE.com", phone="+48 (12) 345-67-89")]
    )

    [kept] = await stored(store)
    assert (kept.event.data["email"], kept.event.data["phone"]) == ("Ada.L@example.com", "+48123456789")


async def test_the_address_of_a_page_loses_what_it_may_tell_of_the_visitor(intake: Intake, store: UnitOfWork) -> None:
    seen = {
        "url": "https://shop.example/unsubscribe/ada@example.com?email=ada%40example.com&utm_source=mail&utm_term=a@b.c#x",
        "referrer": "https://search.example/find?q=ada",
    }
    await intake.accept("tracker", [with_data("page-viewed", **seen)])

    [kept] = await stored(store)
    assert kept.event.data["url"] == "https://shop.example/unsubscribe/-?utm_source=mail"
    assert kept.event.data["referrer"] == "https://search.example/find"


async def test_a_shopper_still_finds_the_cart_by_its_address(intake: Intake, store: UnitOfWork) -> None:
    await intake.accept("shop", [event("cart-updated")])

    [kept] = await stored(store)
    assert kept.event.data["url"] == "https://shop.example/cart/1?from=mail#top"


async def test_what_is_refused_is_set_aside_for_senders_that_hear_no_answer(store: UnitOfWork) -> None:
    intake = Intake(store, HandClock(NOW))
    items = [event(), event("cart-updated", "e-2", type="cart-stolen"), with_data("cart-updated", items=[])]

    receipts = await intake.accept("queue", items, keep_refused=True)

    assert [(one.status, one.quarantine_id) for one in receipts] == [("accepted", None), ("refused", 1), ("refused", 2)]
    kept = await store.read(lambda tx: tx.quarantine.waiting(10))
    assert [(one.source, one.code, one.where) for one in kept] == [
        ("queue", "TYPE_UNKNOWN", "$.type"),
        ("queue", "EVENT_ID_REUSED", "$.id"),
    ]
    content = await store.read(lambda tx: tx.quarantine.content(1))
    assert content is not None
    assert json.loads(content) == items[1]


async def test_what_must_not_be_held_is_never_set_aside(store: UnitOfWork) -> None:
    item = with_data("product-updated", name="4111 1111 1111 1111")

    [receipt] = await Intake(store, HandClock(NOW)).accept("queue", [item], keep_refused=True)

    assert receipt.problem is not None
    assert (receipt.problem.code, receipt.quarantine_id) == ("FORBIDDEN_DATA", None)
    assert await store.read(lambda tx: tx.quarantine.waiting(10)) == []
    assert [(one.code, one.body_sha256) for one in await store.read(lambda tx: tx.events.refused(10))] == [
        ("FORBIDDEN_DATA", "")
    ]


async def test_calls_that_come_together_share_a_transaction_and_each_hears_of_its_own(store: UnitOfWork) -> None:
    counting = CountingStore(store)
    intake = Intake(counting, HandClock(NOW))
    calls = [
        [event("stock-changed", f"e-{number}"), event("stock-changed", f"e-{number // 2}")] for number in range(40)
    ]

    answers = await asyncio.gather(*(intake.accept("shop", call) for call in calls))

    assert [receipt.id for answer in answers for receipt in answer] == [item["id"] for call in calls for item in call]
    assert sum(receipt.status == "accepted" for answer in answers for receipt in answer) == 40
    assert len(await stored(store)) == 40
    assert counting.transactions < 10


async def test_who_comes_when_too_many_wait_is_asked_to_come_back(store: UnitOfWork) -> None:
    intake = Intake(store, HandClock(NOW), most_waiting=3)
    items = [event("stock-changed", f"e-{number}") for number in range(3)]

    first, second = await asyncio.gather(
        intake.accept("shop", items), intake.accept("shop", items), return_exceptions=True
    )

    assert not isinstance(first, BaseException)
    assert isinstance(second, TemporaryFailure)
    assert second.code == "TOO_BUSY"
    assert len(await intake.accept("shop", items)) == 3


@pytest.mark.parametrize(
    ("item", "subject"),
    [
        (event("cart-updated"), "c-1"),
        (with_data("cart-updated", customer_id=None), "cart-1"),
        (event("order-placed"), "cart-1"),
        (event("stock-changed"), "honey"),
        (event("message-clicked"), "m-1"),
        (event("cart-updated", subject="visitor-7"), "visitor-7"),
    ],
)
async def test_the_subject_is_the_customer_once_known_else_what_the_event_is_about(
    intake: Intake, store: UnitOfWork, item: dict[str, Any], subject: str
) -> None:
    await intake.accept("shop", [item])

    [kept] = await stored(store)
    assert kept.event.subject == subject


async def test_an_event_without_time_happened_now(intake: Intake, store: UnitOfWork) -> None:
    await intake.accept("shop", [event()])

    [kept] = await stored(store)
    assert kept.event.time == NOW


async def test_a_time_is_kept_as_utc(intake: Intake, store: UnitOfWork) -> None:
    await intake.accept("shop", [event(time="2026-05-04T11:30:00+02:00")])

    [kept] = await stored(store)
    assert kept.event.time == datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
