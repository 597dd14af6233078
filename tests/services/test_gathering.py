import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pytest

from waggle.errors import TemporaryFailure
from waggle.ports.unit_of_work import Transaction
from waggle.services.gathering import Gathering

pytestmark = pytest.mark.anyio

T = TypeVar("T")


class Ledger:
    """A store that remembers how much each of its transactions was given, and can be away."""

    def __init__(self) -> None:
        self.transactions: list[list[int]] = []
        self.begun = 0
        self.away = False
        self.open = asyncio.Event()
        self.open.set()

    async def run(self, work: Callable[[Transaction], T]) -> T:
        self.begun += 1
        await self.open.wait()
        await asyncio.sleep(0.001)
        if self.away:
            raise TemporaryFailure("DATABASE_LOCKED")
        transaction: Any = []
        result = work(transaction)
        self.transactions.append(transaction)
        return result

    async def read(self, work: Callable[[Transaction], T]) -> T:
        raise NotImplementedError


def double(tx: Any, given: Sequence[int]) -> list[int]:  # noqa: ANN401 - a fake of it
    if -1 in given:
        raise ValueError("one of them is bad")
    tx.extend(given)
    return [2 * each for each in given]


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def gathering(ledger: Ledger) -> Gathering[int, int]:
    return Gathering(ledger, double, most_waiting=2_000)


async def test_each_call_hears_of_its_own(ledger: Ledger, gathering: Gathering[int, int]) -> None:
    answers = await asyncio.gather(*(gathering.run([number, number + 100]) for number in range(50)))

    assert answers == [[2 * number, 2 * number + 200] for number in range(50)]
    assert sum(map(len, ledger.transactions)) == 100
    assert len(ledger.transactions) < 5


async def test_those_who_come_again_at_once_share_one_transaction_each_time(
    ledger: Ledger, gathering: Gathering[int, int]
) -> None:
    async def come_again(number: int) -> None:
        for _ in range(10):
            await gathering.run([number])

    await asyncio.gather(*(come_again(number) for number in range(8)))

    assert sum(map(len, ledger.transactions)) == 80
    assert len(ledger.transactions) <= 20  # one by one and the rest would be 20, all together 10


async def test_so_many_that_a_commit_is_worth_it_wait_for_nobody(
    ledger: Ledger, gathering: Gathering[int, int]
) -> None:
    await asyncio.gather(gathering.run([1]), gathering.run([2]))

    many = asyncio.create_task(gathering.run(list(range(200))))  # one of two who were here a moment ago
    for _ in range(3):
        await asyncio.sleep(0)

    assert ledger.begun == 2
    await many


async def test_a_bad_call_fails_alone(ledger: Ledger, gathering: Gathering[int, int]) -> None:
    good, bad, also_good = await asyncio.gather(
        gathering.run([1]), gathering.run([-1]), gathering.run([2]), return_exceptions=True
    )

    assert (good, also_good) == ([2], [4])
    assert isinstance(bad, ValueError)
    assert sorted(each for transaction in ledger.transactions for each in transaction) == [1, 2]


async def test_when_the_store_is_away_all_are_asked_to_come_back_and_then_taken(
    ledger: Ledger, gathering: Gathering[int, int]
) -> None:
    ledger.away = True
    answers = await asyncio.gather(*(gathering.run([number]) for number in range(3)), return_exceptions=True)
    ledger.away = False

    assert [type(each) for each in answers] == [TemporaryFailure] * 3
    assert await gathering.run([7]) == [14]
    assert gathering.waiting == 0


async def test_who_went_away_holds_up_nobody_and_is_not_stored(ledger: Ledger, gathering: Gathering[int, int]) -> None:
    ledger.open.clear()
    first = asyncio.create_task(gathering.run([1]))
    await asyncio.sleep(0)
    gone, stays = asyncio.create_task(gathering.run([2])), asyncio.create_task(gathering.run([3]))
    await asyncio.sleep(0.01)
    gone.cancel()
    await asyncio.sleep(0)
    ledger.open.set()

    assert (await first, await stays) == ([2], [6])
    assert 2 not in [each for transaction in ledger.transactions for each in transaction]
    assert gathering.waiting == 0


async def test_a_transaction_does_not_grow_without_end(ledger: Ledger, gathering: Gathering[int, int]) -> None:
    await asyncio.gather(*(gathering.run([0] * 400) for _ in range(5)))

    assert max(map(len, ledger.transactions)) <= 1_000
