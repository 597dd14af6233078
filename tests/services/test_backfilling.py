"""What was missed is asked for again, once, and somebody can say who asked and why."""

import asyncio
from datetime import timedelta

import pytest

from waggle.errors import BadSettings, TemporaryFailure
from waggle.ports.pulling import Cursor
from waggle.ports.sources import Item
from waggle.ports.unit_of_work import UnitOfWork
from waggle.services.backfilling import Backfill, Backfilling
from waggle.services.intake import Intake
from waggle.services.pulling import FeedPlan, Puller
from waggle.testing.clock import A_SUNDAY_NOON, HandClock
from waggle.testing.facts import event
from waggle.testing.feeds import PagedFeed

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)
SINCE, UNTIL = A_SUNDAY_NOON - 8 * HOUR, A_SUNDAY_NOON - 3 * HOUR


def feed() -> PagedFeed:
    """Return a shop to which something happened each hour since seven in the morning."""
    items: list[Item] = [
        event("stock-changed", f"s-{n}", {"sku": f"sku-{n}", "quantity": n}, A_SUNDAY_NOON - (5 - n) * HOUR)
        for n in range(5)
    ]
    return PagedFeed(items, size=1)


class House:
    def __init__(self, store: UnitOfWork, clock: HandClock, source: PagedFeed) -> None:
        self.store = store
        self.puller = Puller(store, Intake(store, clock), clock)
        self.plan = FeedPlan(source="shopify", feed=source)
        self.backfilling = Backfilling(self.puller, lambda: [self.plan], store, clock)

    async def run(self, stop_after: int = 99, **changes: object) -> Backfill:
        stop = asyncio.Event()

        def tell(so_far: Backfill) -> None:
            if so_far.pages == stop_after:
                stop.set()

        return await self.backfilling.run("shopify", SINCE, UNTIL, stop, by="kim", why="webhooks were off", tell=tell)


async def test_a_stretch_is_read_to_its_end_and_what_is_known_changes_nothing(
    store: UnitOfWork, clock: HandClock
) -> None:
    source = feed()
    house = House(store, clock, source)
    await Intake(store, clock).accept("shopify", [source.items[1]])

    done = await house.run()

    assert (done.accepted, done.duplicates, done.finished) == (2, 1, True)
    pending = await store.run(lambda tx: [stored.event.id for stored in tx.events.pending(10)])
    assert sorted(pending) == ["s-0", "s-1", "s-2"]
    assert await house.puller.cursor("shopify") == Cursor(source="shopify")
    [entry] = await store.read(lambda tx: tx.audit.of_subject("shopify"))
    assert (entry.actor, entry.action, entry.why) == ("kim", "source-backfilled", "webhooks were off")


async def test_a_stretch_that_was_stopped_is_gone_on_with(store: UnitOfWork, clock: HandClock) -> None:
    source = feed()
    house = House(store, clock, source)

    first = await house.run(stop_after=2)
    second = await house.run()

    assert (first.accepted, first.finished) == (2, False)
    assert (second.accepted, second.duplicates, second.finished) == (1, 0, True)


async def test_a_source_that_is_away_for_a_moment_is_waited_for(store: UnitOfWork, clock: HandClock) -> None:
    source = feed()
    source.trouble = [TemporaryFailure("REST_BUSY", retry_after_s=0.01)]

    assert (await House(store, clock, source).run()).accepted == 3


async def test_a_source_that_is_away_for_long_is_given_up(store: UnitOfWork, clock: HandClock) -> None:
    source = feed()
    source.trouble = [TemporaryFailure("REST_BUSY", retry_after_s=3600)]

    with pytest.raises(TemporaryFailure, match="REST_BUSY"):
        await House(store, clock, source).run()


async def test_only_a_source_that_can_be_asked_is_asked(store: UnitOfWork, clock: HandClock) -> None:
    house = House(store, clock, feed())

    with pytest.raises(BadSettings, match=r"SOURCE_UNKNOWN.*shopify"):
        await house.backfilling.run("erp", SINCE, UNTIL, asyncio.Event(), by="kim", why="")
    with pytest.raises(BadSettings, match="STRETCH_EMPTY"):
        await house.backfilling.run("shopify", UNTIL, SINCE, asyncio.Event(), by="kim", why="")
