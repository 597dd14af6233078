"""Quiet is only what the engine's records and the database both show, twice, with nothing held back between."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from waggle.engine.records import JobValue, Ledger, Record, RecordStream
from waggle.services.overview import Overview
from waggle.simulation import Simulation

pytestmark = pytest.mark.anyio

AT = datetime(2026, 3, 1, tzinfo=UTC)


class Noon:
    def now(self) -> datetime:
        return AT


class Shop:
    """A store that tells its counts, one look after another, the last one again and again."""

    def __init__(self, *pending: int) -> None:
        self._pending = list(pending)
        self.looks = 0

    async def read(self, work: Callable[[Any], object]) -> Overview:
        self.looks += 1
        pending = self._pending.pop(0) if len(self._pending) > 1 else self._pending[0]
        return Overview({}, {}, events_pending=pending, engine_messages_due=0, quarantined=0, waves=0)


class Holding:
    """A fence before an engine that shows what it did only when it is asked."""

    hurries = True

    def __init__(self, records: RecordStream, held_back: list[list[str]]) -> None:
        self._records = records
        self.held_back = held_back
        self.passes = 0

    async def passed(self) -> None:
        self.passes += 1
        for intent in self.held_back.pop(0) if self.held_back else []:
            with self._records.ledger() as ledger:
                take(ledger, intent)


def take(ledger: Ledger, intent: str) -> None:
    value = JobValue("send-message", 3, "", "journey", 1, "Task_Send", 2)
    ledger.take(Record(position=0, partition=1, key=3, intent=intent, at=AT, value=value))


async def idle(shop: Shop, held_back: list[list[str]]) -> Holding:
    records = RecordStream()
    fence = Holding(records, held_back)
    store: Any = shop
    beside: Any = fence
    await Simulation(store, records, Path(), Noon(), beside).idle()
    return fence


async def test_a_job_that_the_engine_holds_back_is_waited_for() -> None:
    fence = await idle(Shop(0), [[], ["CREATED"], [], ["COMPLETED"]])

    assert fence.held_back == []
    # The look that found it gone, and one more.
    assert fence.passes == 5


async def test_a_job_that_came_and_went_between_two_looks_makes_it_look_again() -> None:
    fence = await idle(Shop(0), [["CREATED", "COMPLETED", "CREATED"], ["COMPLETED"], []])

    assert fence.passes == 3


async def test_the_engine_is_not_asked_while_the_shop_has_events_to_apply() -> None:
    shop = Shop(2, 1, 0)

    fence = await idle(shop, [])

    assert (shop.looks, fence.passes) == (4, 2)
