import asyncio

import pytest

from waggle.engine.worker.capacity import Capacity
from waggle.engine.worker.pace import Pace

pytestmark = pytest.mark.anyio


class HandWatch:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


async def entered(capacity: Capacity, count: int = 1) -> None:
    for _ in range(count):
        await capacity.take_one()
        assert await capacity.enter()


async def test_there_is_room_for_as_many_jobs_as_there_are_places() -> None:
    capacity = Capacity(3, None)

    await capacity.take_one()

    assert capacity.take_all() == 2
    assert capacity.room == capacity.take_all() == 0


async def test_a_place_is_free_again_before_the_outcome_is_told() -> None:
    capacity = Capacity(1, None)
    await entered(capacity)

    capacity.leave(handler_s=10)

    assert capacity.room == 1


async def test_outcomes_that_the_engine_does_not_take_hold_new_jobs_back() -> None:
    capacity = Capacity(2, None)
    for _ in range(8):
        await entered(capacity)
        capacity.leave(handler_s=10)
    assert (capacity.untold, capacity.room) == (8, 2)

    await entered(capacity, 2)
    capacity.leave(handler_s=10)
    assert (capacity.untold, capacity.room) == (9, 0)

    capacity.told()
    assert capacity.room == 1


async def test_quick_handlers_have_the_next_jobs_at_hand_and_slow_ones_have_not() -> None:
    quick, slow = Capacity(4, None), Capacity(4, None)
    for capacity, handler_s in ((quick, 0.05), (slow, 5.0)):
        await entered(capacity)
        capacity.leave(handler_s)
        capacity.told()

    assert (quick.room, slow.room) == (12, 4)


async def test_jobs_enter_in_the_order_in_which_they_came() -> None:
    capacity = Capacity(1, None)
    await entered(capacity)
    came: list[int] = []

    async def come(number: int) -> None:
        assert await capacity.enter()
        came.append(number)
        capacity.leave(0.0)

    coming = [asyncio.create_task(come(number)) for number in range(3)]
    await asyncio.sleep(0)
    capacity.leave(0.0)
    await asyncio.gather(*coming)

    assert came == [0, 1, 2]


async def test_a_job_that_no_longer_waits_leaves_its_place_to_the_next() -> None:
    capacity = Capacity(1, None)
    await entered(capacity)
    first, second = asyncio.create_task(capacity.enter()), asyncio.create_task(capacity.enter())
    await asyncio.sleep(0)

    capacity.leave(0.0)
    first.cancel()

    assert await second
    assert first.cancelled() or await asyncio.gather(first, return_exceptions=True)


async def test_a_poll_asks_for_more_as_soon_as_what_it_brought_has_a_place() -> None:
    capacity = Capacity(4, None)
    brought = capacity.take_all() - 3
    capacity.give_back(3)

    assert brought == 1
    assert capacity.take_all() == 3


async def test_a_poll_asks_again_when_half_of_what_was_ahead_has_a_place() -> None:
    capacity = Capacity(4, None)
    await entered(capacity)
    capacity.leave(handler_s=0.05)
    await entered(capacity, 4)
    for _ in range(5):
        await capacity.take_one()
    assert (capacity.room, capacity.take_all()) == (3, 0)

    capacity.leave(handler_s=0.05)
    assert await capacity.enter()

    assert capacity.take_all() == 4


async def test_room_for_a_job_that_is_already_here_is_taken_at_once_or_not_at_all() -> None:
    capacity = Capacity(2, None)

    assert [capacity.take_now() for _ in range(3)] == [True, True, False]


async def test_nobody_enters_once_it_is_closed() -> None:
    capacity = Capacity(1, None)
    await entered(capacity)
    waiting = asyncio.create_task(capacity.enter())
    await asyncio.sleep(0)

    capacity.close()

    assert not await waiting
    assert not await capacity.enter()


async def test_a_pushed_job_takes_room_before_a_poll_does() -> None:
    capacity = Capacity(1, None)
    await entered(capacity)
    pushed = asyncio.create_task(capacity.take_one())
    await asyncio.sleep(0)

    capacity.leave(10)

    assert capacity.take_all() == 0
    await pushed


async def test_only_a_pushed_job_that_waits_for_a_place_counts_as_held_up() -> None:
    capacity = Capacity(1, None)
    assert capacity.take_all() == 1
    pushed = asyncio.create_task(capacity.take_one())
    await asyncio.sleep(0)
    assert not await capacity.held_up(within_s=0)

    capacity.give_back()
    await pushed
    assert await capacity.enter()
    pushed = asyncio.create_task(capacity.take_one())
    assert await capacity.held_up(within_s=5)

    pushed.cancel()


def test_beginnings_are_spread_evenly() -> None:
    watch = HandWatch()
    pace = Pace(4, watch)
    begun_s: list[float] = []
    while len(begun_s) < 8:
        watch.now_s += max(0.0, pace.wait_s)
        pace.begin()
        begun_s.append(watch.now_s)

    assert begun_s[-1] - begun_s[0] == pytest.approx(7 / 4 - 0.1)


def test_what_was_missed_is_caught_up_by_a_tenth_of_a_second_at_most() -> None:
    watch = HandWatch()
    pace = Pace(100, watch)
    watch.now_s += 3600
    begun = 0
    while pace.wait_s <= 0:
        pace.begin()
        begun += 1

    assert begun in (10, 11)


def test_no_more_jobs_are_wanted_than_may_begin_soon() -> None:
    watch = HandWatch()
    slow, quick = Pace(0.1, watch), Pace(50, watch)
    assert (slow.soon, quick.soon) == (1, 18)

    slow.begin()
    assert slow.soon == 0
    watch.now_s += slow.soon_in_s
    assert slow.soon == 1


async def test_room_comes_with_the_rate() -> None:
    capacity = Capacity(8, Pace(20))
    await capacity.wait_for_room()
    first = capacity.take_all()
    for _ in range(first):
        assert await capacity.enter()

    await capacity.wait_for_room()

    assert 0 < first < 8
    assert 0 < capacity.take_all() < 8
