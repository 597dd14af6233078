"""Sources that are asked tell everything once, whatever is away or dies on the way."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

import pytest

from waggle.domain.mapping import read_mapping
from waggle.errors import PermanentFailure, Rejected, TemporaryFailure
from waggle.ports.pulling import Cursor
from waggle.ports.sources import Item, Page, Unread
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.intake import Intake
from waggle.services.pulling import FeedPlan, Overtaken, Puller, Pulling, Stopped, read_record
from waggle.testing.clock import A_SUNDAY_NOON, HandClock
from waggle.testing.facts import event
from waggle.testing.feeds import PagedFeed

pytestmark = pytest.mark.anyio

T = TypeVar("T")
MINUTE = timedelta(minutes=1)


def stock(number: int, at: datetime = A_SUNDAY_NOON) -> Item:
    return event("stock-changed", f"stock-{number}", {"sku": f"sku-{number}", "quantity": number}, at)


def plan(feed: PagedFeed, **changes: object) -> FeedPlan:
    return replace(FeedPlan(source="erp", feed=feed), **changes)  # type: ignore[arg-type]


def never(tx: Transaction, source: str) -> None:
    return None


@pytest.fixture
def puller(store: UnitOfWork, clock: HandClock) -> Puller:
    return Puller(store, Intake(store, clock), clock)


async def pending(store: UnitOfWork) -> list[str]:
    return await store.run(lambda tx: [stored.event.id for stored in tx.events.pending(100)])


async def read_all(puller: Puller, asked: FeedPlan) -> None:
    while (await puller.page(asked)).more:
        pass


class MortalStore:
    """A process that dies, once, right before or right after its transaction of a given number."""

    def __init__(self, store: UnitOfWork, fatal: int, *, committed: bool) -> None:
        self._store = store
        self._fatal = fatal
        self._committed = committed

    async def run(self, work: Callable[[Transaction], T]) -> T:
        self._fatal -= 1
        if self._fatal:
            return await self._store.run(work)
        if self._committed:
            await self._store.run(work)
        raise KilledError

    async def read(self, work: Callable[[Transaction], T]) -> T:
        return await self._store.read(work)


class KilledError(BaseException):
    """Nobody catches it."""


async def test_every_page_is_stored_and_the_next_round_goes_on_behind_it(store: UnitOfWork, puller: Puller) -> None:
    feed = PagedFeed([stock(n) for n in range(5)])

    await read_all(puller, plan(feed))
    feed.items.append(stock(5))
    await read_all(puller, plan(feed))

    assert await pending(store) == [f"stock-{n}" for n in range(6)]
    assert [cursor for cursor, _ in feed.asked] == [None, "2", "4", "5"]
    assert (await puller.cursor("erp")).items == 6


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize("fatal", [1, 2, 3])
async def test_a_process_that_is_killed_loses_nothing_and_repeats_nothing(
    store: UnitOfWork, clock: HandClock, fatal: int, *, committed: bool
) -> None:
    feed = PagedFeed([stock(n) for n in range(5)])
    mortal = MortalStore(store, fatal, committed=committed)
    with pytest.raises(KilledError):
        await read_all(Puller(mortal, Intake(mortal, clock), clock), plan(feed))

    await read_all(Puller(store, Intake(store, clock), clock), plan(feed))

    assert await pending(store) == [f"stock-{n}" for n in range(5)]
    # At most the page of the killed one was asked for twice.
    assert len(feed.asked) <= 4


async def test_of_two_that_ask_for_the_same_page_one_stores_it(store: UnitOfWork, puller: Puller) -> None:
    feed = PagedFeed([stock(n) for n in range(2)])

    async def other_is_quicker(cursor: str | None, since: datetime | None) -> Page:
        await puller.page(plan(feed))
        return await feed.pull(cursor, since)

    slow = PagedFeed()
    slow.pull = other_is_quicker  # type: ignore[method-assign]
    with pytest.raises(Overtaken):
        await puller.page(plan(slow))

    assert await pending(store) == ["stock-0", "stock-1"]
    assert (await puller.cursor("erp")).items == 2


async def test_kinds_are_covered_until_the_round_began_once_its_last_page_is_stored(
    store: UnitOfWork, puller: Puller, clock: HandClock
) -> None:
    feed = PagedFeed([stock(n) for n in range(3)])

    await puller.page(plan(feed, covers=("price",)))
    assert await store.read(lambda tx: tx.pulling.coverage()) == []
    clock.advance(MINUTE)
    await puller.page(plan(feed, covers=("price",)))

    known = await store.read(lambda tx: tx.pulling.coverage())
    assert {each.kind: each.covered_until for each in known} == {"price": A_SUNDAY_NOON, "stock": A_SUNDAY_NOON}


async def test_a_round_without_news_covers_what_the_source_is_known_to_tell(
    store: UnitOfWork, puller: Puller, clock: HandClock
) -> None:
    feed = PagedFeed([stock(1)])
    await puller.page(plan(feed))
    clock.advance(MINUTE)

    await puller.page(plan(feed))

    [known] = await store.read(lambda tx: tx.pulling.coverage())
    assert (known.kind, known.covered_until) == ("stock", A_SUNDAY_NOON + MINUTE)


async def test_a_failure_is_noted_and_the_pause_grows(puller: Puller, clock: HandClock) -> None:
    feed = PagedFeed([stock(1)], trouble=[TemporaryFailure("REST_BUSY", retry_after_s=0) for _ in range(3)])
    pauses = []
    for _ in range(3):
        with pytest.raises(TemporaryFailure):
            await puller.page(plan(feed))
        noted = await puller.cursor("erp")
        assert noted.not_before_at is not None
        pauses.append((noted.not_before_at - clock.now()).total_seconds())

    assert pauses == [5, 10, 20]
    assert (noted.failures, noted.last_code) == (3, "REST_BUSY")
    await puller.page(plan(feed))
    assert (await puller.cursor("erp")).failures == 0


async def test_a_source_is_not_asked_again_before_it_wants_to_be(puller: Puller, clock: HandClock) -> None:
    feed = PagedFeed(trouble=[TemporaryFailure("REST_BUSY", retry_after_s=600)])
    with pytest.raises(TemporaryFailure):
        await puller.page(plan(feed))

    assert (await puller.cursor("erp")).not_before_at == clock.now() + timedelta(seconds=600)


async def test_a_fault_in_a_connector_ends_nobody_else_and_quotes_nothing(puller: Puller) -> None:
    feed = PagedFeed(trouble=[KeyError("anna@example.com")])

    with pytest.raises(PermanentFailure) as caught:
        await puller.page(plan(feed))

    assert str(caught.value) == "FEED_BROKEN: KeyError"


async def test_a_source_that_gives_the_same_page_for_ever_is_stopped(puller: Puller) -> None:
    class Stuck(PagedFeed):
        async def pull(self, cursor: str | None, since: datetime | None) -> Page:
            return Page(items=[], cursor="1", more=True)

    await puller.page(plan(Stuck()))
    with pytest.raises(PermanentFailure, match="FEED_STUCK"):
        await puller.page(plan(Stuck()))


async def test_what_cannot_be_read_is_set_aside_and_holds_up_nothing(store: UnitOfWork, puller: Puller) -> None:
    class Garbled(PagedFeed):
        async def pull(self, cursor: str | None, since: datetime | None) -> Page:
            page = await super().pull(cursor, since)
            return replace(page, unread=[Unread(raw=b'{"qty": "x"}', code="RECORD_UNREADABLE", where="event[0].data")])

    bad = {**stock(7), "type": "no-such-type"}
    pulled = await puller.page(plan(Garbled([stock(1), bad])))

    assert [receipt.status for receipt in pulled.receipts] == ["accepted", "refused"]
    assert await pending(store) == ["stock-1"]
    waiting = await store.read(lambda tx: tx.quarantine.waiting(10))
    assert sorted(each.code for each in waiting) == ["RECORD_UNREADABLE", "TYPE_UNKNOWN"]


async def test_a_stretch_is_walked_beside_the_main_one_and_ends_at_its_end(store: UnitOfWork, puller: Puller) -> None:
    feed = PagedFeed([stock(n, A_SUNDAY_NOON - timedelta(hours=9 - n)) for n in range(9)])
    since, until = A_SUNDAY_NOON - timedelta(hours=12), A_SUNDAY_NOON - timedelta(hours=6, minutes=30)

    while (await puller.page(plan(feed), walk="gap", since=since, until=until)).more:
        pass

    assert feed.asked[0] == (None, since)
    assert await pending(store) == ["stock-0", "stock-1", "stock-2"]
    assert await puller.cursor("erp") == Cursor(source="erp")
    assert await store.read(lambda tx: tx.pulling.coverage()) == []


async def test_the_first_page_reaches_as_far_back_as_was_said(puller: Puller, clock: HandClock) -> None:
    feed = PagedFeed()

    await puller.page(plan(feed, first_pull=timedelta(days=2)))
    await puller.page(plan(feed, first_pull=timedelta(days=2)))

    assert feed.asked == [(None, clock.now() - timedelta(days=2)), ("0", None)]


class Loop:
    """Runs the loops until a condition holds; the clock is moved by the test."""

    def __init__(self, store: UnitOfWork, puller: Puller, clock: HandClock, heard_at: datetime | None = None) -> None:
        self.heard_at = heard_at
        self._store = store
        self._puller = puller
        self._clock = clock

    async def until(self, feed: PagedFeed, asked: int, **changes: object) -> None:
        """Run until *feed* was *asked* so often."""
        assert await self._comes_to(feed, asked, within_s=60, **changes)

    async def never(self, feed: PagedFeed, asked: int, **changes: object) -> None:
        """Run for a moment, in which *feed* is not *asked* so often."""
        assert not await self._comes_to(feed, asked, within_s=0.5, **changes)

    async def _comes_to(self, feed: PagedFeed, asked: int, *, within_s: float, **changes: object) -> bool:
        stop = asyncio.Event()
        loops = Pulling(
            self._puller,
            [plan(feed, **changes)],
            self._store,
            self._clock,
            heard=lambda tx, source: self.heard_at,
            chance=random.Random(1),  # noqa: S311 -- the same pauses each time
        )
        running = asyncio.create_task(loops.run(stop))
        try:
            async with asyncio.timeout(within_s):
                while len(feed.asked) < asked:  # noqa: ASYNC110 -- a source tells nobody that it was asked
                    await asyncio.sleep(0.005)
        except TimeoutError:
            return False
        finally:
            stop.set()
            await running
        return True


async def test_a_source_is_asked_at_the_start_to_the_end_then_at_its_pace(
    store: UnitOfWork, puller: Puller, clock: HandClock
) -> None:
    loop, feed = Loop(store, puller, clock), PagedFeed([stock(n) for n in range(3)])
    await loop.until(feed, 2, every=10 * MINUTE)

    # Begun again, it asks at once: nobody knows what was missed.
    await loop.until(feed, 3, every=10 * MINUTE)
    await loop.never(feed, 5, every=10 * MINUTE)


async def test_a_source_that_calls_us_is_asked_when_it_is_silent_too_long(
    store: UnitOfWork, puller: Puller, clock: HandClock
) -> None:
    loop, feed = Loop(store, puller, clock, heard_at=A_SUNDAY_NOON), PagedFeed()
    await puller.page(plan(feed))
    stop = asyncio.Event()
    loops = Pulling(
        puller,
        [plan(feed, expect_within=timedelta(hours=1))],
        store,
        clock,
        heard=lambda tx, source: loop.heard_at,
    )
    due_in_s = loops._due_in_s
    asked = plan(feed, expect_within=timedelta(hours=1))

    clock.advance(59 * MINUTE)
    assert await due_in_s(asked, 1.0, is_first=False) == 60
    loop.heard_at = clock.now()
    clock.advance(MINUTE)
    assert await due_in_s(asked, 1.0, is_first=False) == 59 * 60
    clock.advance(59 * MINUTE)
    assert await due_in_s(asked, 1.0, is_first=False) == 0
    assert not stop.is_set()


async def test_a_source_that_asked_for_rest_is_left_alone_also_after_a_new_start(
    store: UnitOfWork, puller: Puller, clock: HandClock
) -> None:
    feed = PagedFeed(trouble=[TemporaryFailure("REST_BUSY", retry_after_s=600)])
    with pytest.raises(TemporaryFailure):
        await puller.page(plan(feed))

    await Loop(store, puller, clock).never(feed, 2, every=MINUTE)
    clock.advance(timedelta(seconds=601))
    await Loop(store, puller, clock).until(feed, 2, every=MINUTE)


def test_a_record_that_was_set_aside_is_read_under_the_mapping_as_it_is_now() -> None:
    table = {"event": [{"type": "stock-changed", "time": "at", "data": {"sku": "sku", "quantity": "free"}}]}
    mapping = read_mapping(table, "stock")
    raw = b'{"sku": "honey", "free": "12.0", "at": "2026-02-01T00:00:00Z"}'

    [item] = read_record(mapping, raw, A_SUNDAY_NOON)

    assert item["data"] == {"sku": "honey", "quantity": 12}
    for wrong in (b'{"sku": "honey"}', b"[]", b"{"):
        with pytest.raises(Rejected, match="RECORD_UNREADABLE"):
            read_record(mapping, wrong, A_SUNDAY_NOON)


async def test_a_source_that_does_not_answer_is_given_up_in_time(puller: Puller) -> None:
    with pytest.raises(TemporaryFailure, match="FEED_SILENT"):
        await puller.page(plan(Mute(), timeout_s=0.01))

    assert (await puller.cursor("erp")).last_code == "FEED_SILENT"


async def test_who_is_told_to_end_does_not_wait_for_a_source(puller: Puller) -> None:
    stop = asyncio.Event()
    asking = asyncio.create_task(puller.page(plan(Mute()), stop=stop))
    await asyncio.sleep(0)
    stop.set()

    with pytest.raises(Stopped):
        await asking
    assert (await puller.cursor("erp")).failures == 0


class Mute(PagedFeed):
    """Never answers."""

    async def pull(self, cursor: str | None, since: datetime | None) -> Page:
        await asyncio.Event().wait()
        raise AssertionError
