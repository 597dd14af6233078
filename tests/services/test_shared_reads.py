"""Questions that come together are answered together, and each gets its own answer or failure."""

import asyncio
from collections.abc import Callable, Collection
from typing import TypeVar

import pytest

from waggle.domain.product import Product
from waggle.errors import PermanentFailure, TemporaryFailure
from waggle.ports.unit_of_work import Transaction
from waggle.services.shared_reads import Question, SharedReads
from waggle.storage.store import Store

pytestmark = pytest.mark.anyio

T = TypeVar("T")


class Counting:
    """Remembers how many transactions there were."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.looks = 0
        self.failure: Exception | None = None

    async def look(self, work: Callable[[Transaction], T]) -> T:
        self.looks += 1
        if self.failure is not None:
            raise self.failure
        return await self._store.look(work)


def quantity(tx: Transaction, sku: str) -> int | None:
    if sku == "broken":
        raise PermanentFailure("SEAL_BROKEN")
    product = tx.products.get(sku)
    return None if product is None else product.quantity


def prepare(tx: Transaction, skus: Collection[str]) -> None:
    tx.products.prepare(skus)


QUANTITY = Question(quantity, prepare)


@pytest.fixture
async def counting(store: Store) -> Counting:
    for number in range(200):
        await store.run(lambda tx, number=number: tx.products.save(product(number)))  # type: ignore[misc]
    return Counting(store)


def product(number: int) -> Product:
    return Product(sku=f"s-{number}", quantity=number)


async def test_those_of_one_moment_share_transactions(counting: Counting) -> None:
    reads = SharedReads(counting)

    found = await asyncio.gather(*(reads.ask(QUANTITY, f"s-{number}") for number in (*range(150), 999, 7, 7)))

    assert found == [*range(150), None, 7, 7]
    assert counting.looks <= 5


async def test_one_that_fails_fails_alone(counting: Counting) -> None:
    reads = SharedReads(counting)

    found = await asyncio.gather(
        *(reads.ask(QUANTITY, sku) for sku in ("s-1", "broken", "s-2")), return_exceptions=True
    )

    assert found[::2] == [1, 2]
    assert isinstance(found[1], PermanentFailure)


async def test_a_database_that_is_away_is_told_to_all(counting: Counting) -> None:
    counting.failure = TemporaryFailure("DATABASE_UNREACHABLE")
    reads = SharedReads(counting)

    found = await asyncio.gather(*(reads.ask(QUANTITY, "s-1") for _ in range(3)), return_exceptions=True)

    assert [type(each) for each in found] == [TemporaryFailure] * 3
    counting.failure = None
    assert await reads.ask(QUANTITY, "s-1") == 1


async def test_whoever_goes_away_takes_nothing_from_the_others(counting: Counting) -> None:
    reads = SharedReads(counting)
    asked = [asyncio.create_task(reads.ask(QUANTITY, f"s-{number}")) for number in range(3)]
    await asyncio.sleep(0)
    asked[1].cancel()

    assert (await asked[0], await asked[2]) == (0, 2)
    assert await reads.ask(QUANTITY, "s-1") == 1


async def test_whoever_asks_while_the_last_answers_are_given_is_answered_too(counting: Counting) -> None:
    reads = SharedReads(counting)
    async with asyncio.timeout(60):
        for turns in range(12):
            asked = [asyncio.create_task(reads.ask(QUANTITY, f"s-{number}")) for number in range(3)]
            await asked[0]
            for _ in range(turns):
                await asyncio.sleep(0)
            assert await reads.ask(QUANTITY, "s-7") == 7
            await asyncio.gather(*asked)
