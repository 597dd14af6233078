from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

import pytest
from sqlalchemy import select

from tests.services.sample_events import GOOD_DATA, NOW, event, refusal, stored, with_data
from waggle.domain.event import FACTS, Receipt
from waggle.errors import TemporaryFailure
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.intake import Intake, Unreadable
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
    receipts = await intake.accept("shop", [event(event_type)])

    assert receipts == [Receipt("e-1", "accepted")]
    [kept] = await stored(store)
    assert (kept.event.source, kept.event.type, kept.event.data) == ("shop", event_type, GOOD_DATA[event_type])


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


async def test_unknown_fields_of_the_data_are_kept(intake: Intake, store: UnitOfWork) -> None:
    await intake.accept("shop", [with_data("stock-changed", warehouse="Gdańsk")])

    [kept] = await stored(store)
    assert kept.event.data == {"sku": "honey", "quantity": 0, "warehouse": "Gdańsk"}


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
