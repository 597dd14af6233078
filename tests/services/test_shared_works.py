"""Works that come together are committed together, and each ends as if it had come alone."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest

from waggle.domain.product import Product
from waggle.errors import PermanentFailure, TemporaryFailure
from waggle.ports.unit_of_work import Transaction
from waggle.services.shared_works import SharedWorks
from waggle.storage.store import Store

pytestmark = pytest.mark.anyio

T = TypeVar("T")


class Counting:
    """Remembers how many transactions there were, and is away if told so."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.runs = 0
        self.begun = asyncio.Event()
        self.failure: Exception | None = None

    async def run(self, work: Callable[[Transaction], T]) -> T:
        self.runs += 1
        self.begun.set()
        if self.failure is not None:
            raise self.failure
        return await self.store.run(work)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        return await self.store.read(work)


class Shelf:
    """Counts up products, each change a work of its own."""

    def __init__(self, store: Store) -> None:
        self.counting = Counting(store)
        self.prepared: list[Sequence[str]] = []
        self.works = SharedWorks[str](self.counting, self._prepare, most_at_once=32)

    def _prepare(self, tx: Transaction, skus: Sequence[str]) -> None:
        self.prepared.append(list(skus))
        tx.products.prepare(skus)

    async def add(self, sku: str, *, but_fail: bool = False) -> int:
        def one_more(tx: Transaction) -> int:
            known = tx.products.get(sku)
            quantity = 1 + ((known.quantity or 0) if known is not None else 0)
            tx.products.save(Product(sku=sku, quantity=quantity))
            if but_fail:
                raise PermanentFailure("BROKEN_ON_THE_WAY", sku)
            return quantity

        return await self.works.run(sku, one_more)

    async def quantity(self, sku: str) -> int | None:
        found = await self.counting.read(lambda tx: tx.products.get(sku))
        return None if found is None else found.quantity


@pytest.fixture
def shelf(store: Store) -> Shelf:
    return Shelf(store)


async def test_where_none_may_share_each_has_its_own_transaction(store: Store) -> None:
    shelf = Shelf(store)
    shelf.works = SharedWorks[str](shelf.counting, shelf.works._prepare, most_at_once=1)

    assert sorted(await asyncio.gather(*(shelf.add("honey") for _ in range(3)))) == [1, 2, 3]
    assert shelf.counting.runs == 3
    assert shelf.prepared == []


async def test_those_of_one_moment_share_a_transaction_and_see_each_other(shelf: Shelf) -> None:
    assert await asyncio.gather(*(shelf.add("honey") for _ in range(3)), shelf.add("wax")) == [1, 2, 3, 1]

    assert shelf.counting.runs == 1
    assert shelf.prepared == [["honey", "honey", "honey", "wax"]]


async def test_those_that_come_during_a_commit_share_the_next(shelf: Shelf) -> None:
    first = asyncio.create_task(shelf.add("honey"))
    await shelf.counting.begun.wait()

    await asyncio.gather(first, *(shelf.add(f"s-{number}") for number in range(5)))

    assert shelf.counting.runs == 2
    assert [len(keys) for keys in shelf.prepared] == [5]


async def test_no_transaction_takes_more_than_its_share(shelf: Shelf) -> None:
    await asyncio.gather(*(shelf.add(f"s-{number}") for number in range(70)))

    assert [len(keys) for keys in shelf.prepared] == [32, 32, 6]


async def test_one_that_fails_leaves_nothing_behind_and_the_others_are_stored(shelf: Shelf) -> None:
    told = await asyncio.gather(
        shelf.add("honey"),
        shelf.add("honey", but_fail=True),
        shelf.add("honey"),
        shelf.add("wax", but_fail=True),
        return_exceptions=True,
    )

    assert [told[0], told[2]] == [1, 2]
    assert all(isinstance(told[place], PermanentFailure) for place in (1, 3))
    assert (await shelf.quantity("honey"), await shelf.quantity("wax")) == (2, None)


async def test_a_database_that_is_away_is_told_to_all_and_asked_once(shelf: Shelf) -> None:
    shelf.counting.failure = TemporaryFailure("DATABASE_LOCKED")

    told = await asyncio.gather(*(shelf.add("honey") for _ in range(4)), return_exceptions=True)

    assert [str(each).startswith("DATABASE_LOCKED") for each in told] == [True] * 4
    assert shelf.counting.runs == 1
    shelf.counting.failure = None
    assert await shelf.add("honey") == 1


async def test_who_is_cancelled_before_its_turn_has_done_nothing(shelf: Shelf) -> None:
    first = asyncio.create_task(shelf.add("honey"))
    await shelf.counting.begun.wait()
    second, third = (asyncio.create_task(shelf.add("wax")) for _ in range(2))
    await asyncio.sleep(0)
    second.cancel()

    assert list(await asyncio.gather(first, third)) == [1, 1]
    assert await shelf.quantity("wax") == 1


async def test_the_work_is_called_by_the_name_of_the_first(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []

    async def run(work: Callable[[Transaction], T]) -> T:
        names.append(work.__qualname__)
        return await shelf.counting.store.run(work)

    monkeypatch.setattr(shelf.counting, "run", run)
    await asyncio.gather(shelf.add("honey"), shelf.add("wax"))

    assert names == ["Shelf.add.<locals>.one_more"]
