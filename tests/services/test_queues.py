"""What lies in a queue becomes an event, or is set aside; either before it is acknowledged."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from waggle.domain.event import Receipt
from waggle.errors import TemporaryFailure
from waggle.ports.sources import Letter
from waggle.services.intake import Intake
from waggle.services.queues import QueueReader
from waggle.storage.store import Store
from waggle.testing.clock import A_SUNDAY_NOON, HandClock

pytestmark = pytest.mark.anyio

Handle = Callable[[Sequence[Letter]], Awaitable[Sequence[str | None]]]


def stock(event_id: str, **changes: object) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "/erp/stock",
        "type": "stock-changed",
        "time": A_SUNDAY_NOON.isoformat(),
        "data": {"sku": "honey", "quantity": 3},
        **changes,
    }


def letter(item: object, **attributes: str) -> Letter:
    return Letter(body=json.dumps(item).encode(), attributes=attributes)


class NoQueue:
    async def consume(self, handle: Handle, stop: asyncio.Event) -> None:
        raise AssertionError


def reader(store: Store) -> QueueReader:
    return QueueReader("erp", NoQueue(), Intake(store, HandClock()))


async def accepted(store: Store) -> list[tuple[str, str]]:
    pending = await store.run(lambda tx: tx.events.pending(100))
    return [(stored.event.source, stored.event.id) for stored in pending]


async def test_an_envelope_is_an_event_of_the_queue_whatever_source_it_names(store: Store) -> None:
    assert await reader(store).take([letter(stock("e-1")), letter(stock("e-2"))]) == [None, None]

    assert await accepted(store) == [("erp", "e-1"), ("erp", "e-2")]


async def test_what_comes_again_is_one_event(store: Store) -> None:
    for _ in range(2):
        assert await reader(store).take([letter(stock("e-1"))]) == [None]

    assert await accepted(store) == [("erp", "e-1")]


async def test_attributes_beside_the_body_are_an_envelope_too(store: Store) -> None:
    attributes = {"specversion": "1.0", "id": "e-1", "type": "stock-changed", "source": "/erp"}

    assert await reader(store).take([letter({"sku": "honey", "quantity": 3}, **attributes)]) == [None]

    assert await accepted(store) == [("erp", "e-1")]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "ITEM_UNREADABLE"),
        (b"\xff\xfe", "ITEM_UNREADABLE"),
        (b'{"id": ', "ITEM_UNREADABLE"),
        (b"[" * 100_000, "ITEM_UNREADABLE"),
        (b'"' + b"x" * 1_000_001 + b'"', "ITEM_UNREADABLE"),
        (b"[]", "ENVELOPE_INVALID"),
        (json.dumps(stock("e-1", type="stock-vanished")).encode(), "TYPE_UNKNOWN"),
        (json.dumps(stock("e-1", data={"sku": "honey"})).encode(), "FIELD_MISSING"),
    ],
)
async def test_what_is_no_event_is_set_aside_and_named(store: Store, body: bytes, code: str) -> None:
    assert await reader(store).take([Letter(body=body), letter(stock("good"))]) == [code, None]

    [kept] = await store.read(lambda tx: tx.quarantine.waiting(10))
    assert (kept.source, kept.code) == ("erp", code)
    assert await accepted(store) == [("erp", "good")]


async def test_what_must_not_be_held_is_not_even_set_aside(store: Store) -> None:
    card = stock("e-1", data={"sku": "honey", "quantity": 1, "note": "4111 1111 1111 1111"})

    assert await reader(store).take([letter(card)]) == ["FORBIDDEN_DATA"]

    assert await store.read(lambda tx: tx.quarantine.waiting(10)) == []


class Queue:
    """Gives its letters until they were taken."""

    def __init__(self, *letters: Letter) -> None:
        self.letters = letters
        self.codes: list[str | None] = []

    async def consume(self, handle: Handle, stop: asyncio.Event) -> None:
        self.codes.extend(await handle(self.letters))


class AwayIntake(Intake):
    """Has a database that is away for some calls, and a defect in it for some ids."""

    def __init__(self, store: Store, away: int = 0, breaks_at: str = "") -> None:
        super().__init__(store, HandClock())
        self.away = away
        self.breaks_at = breaks_at

    async def accept(self, source: str, items: Sequence[object], **how: Any) -> list[Receipt]:  # noqa: ANN401 -- passed on
        if self.away:
            self.away -= 1
            raise TemporaryFailure("DATABASE_LOCKED")
        if any(isinstance(item, dict) and item["id"] == self.breaks_at for item in items):
            raise ZeroDivisionError
        return await super().accept(source, items, **how)


async def test_a_database_that_is_away_is_waited_for(store: Store) -> None:
    queue = Queue(letter(stock("e-1")))

    await QueueReader("erp", queue, AwayIntake(store, away=2)).run(asyncio.Event())

    assert queue.codes == [None]
    assert await accepted(store) == [("erp", "e-1")]


async def test_who_is_to_stop_meanwhile_leaves_the_letters_where_they_are(store: Store) -> None:
    queue = Queue(letter(stock("e-1")))
    stop = asyncio.Event()
    stop.set()

    with pytest.raises(TemporaryFailure):
        await QueueReader("erp", queue, AwayIntake(store, away=99)).run(stop)

    assert queue.codes == []


async def test_one_letter_that_breaks_us_holds_up_no_other_and_is_kept(store: Store) -> None:
    intake = AwayIntake(store, breaks_at="e-2")
    queue = Queue(*(letter(stock(f"e-{n}")) for n in (1, 2, 3)))

    await QueueReader("erp", queue, intake).run(asyncio.Event())

    assert queue.codes == [None, "ITEM_UNREADABLE", None]
    assert await accepted(store) == [("erp", "e-1"), ("erp", "e-3")]
    assert len(await store.read(lambda tx: tx.quarantine.waiting(10))) == 1
