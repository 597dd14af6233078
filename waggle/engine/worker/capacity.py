"""How many jobs of one task type this process has at hand."""

import asyncio
from collections import deque

from waggle.engine.worker.pace import Pace

_AHEAD_S = 0.2
_UNTOLD_PER_PLACE = 4
_NEWEST_WEIGHT = 0.1


class Capacity:
    """Places for handlers, and room for the jobs that come to them.

    A job takes room before it comes, a place while its handler runs, and none while its outcome is told. There is as
    much room as there are places, and a little ahead of them: for jobs whose turn comes within a fifth of a second, as
    the handlers of late were, so that a place that frees is filled at once while the leases of slow work do not run for
    nothing. There is less when the engine is slow to take outcomes, so that it is not given more to do, and when a rate
    holds beginnings back. Those who wait are woken, none sleeps.
    """

    def __init__(self, places: int, pace: Pace | None) -> None:
        """Begin with *places* free places; with a *pace*, handlers begin as it says."""
        self._places = places
        self._pace = pace
        self._handler_s: float | None = None
        self._taken = 0
        """Room held by jobs that may come, wait for a place or are handled."""
        self._handled = 0
        self._untold = 0
        self._pushed = 0
        """Jobs that are here and wait for room."""
        self._is_closed = False
        self._held_up = asyncio.Event()
        self._for_room: list[asyncio.Future[None]] = []
        self._for_place: deque[asyncio.Future[bool]] = deque()
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """Jobs that wait for a place, or may come to do so."""
        return self._taken - self._handled

    @property
    def untold(self) -> int:
        """Outcomes that the engine does not know yet."""
        return self._untold

    @property
    def room(self) -> int:
        """How many more jobs may come."""
        room = self._places + self._ahead - self._taken
        room = min(room, (1 + _UNTOLD_PER_PLACE) * self._places - self._taken - self._untold)
        return room if self._pace is None else min(room, self._pace.soon - self.waiting)

    async def take_one(self) -> None:
        """Take room for a job that is already here: it must not wait for those that may come."""
        self._pushed += 1
        try:
            while self.room <= 0:
                if self._handled == self._places:
                    self._held_up.set()
                await self._room_changed()
            self._taken += 1
        finally:
            self._pushed -= 1
            self._wake()

    def take_now(self) -> bool:
        """Take room for a job that is already here if there is any, and say whether there was."""
        if self.room <= 0:
            return False
        self._taken += 1
        return True

    async def wait_for_room(self) -> None:
        """Return when there is room worth asking for: not for each job anew while enough of them wait."""
        while not self._is_worth_asking:
            await self._room_changed()

    def take_all(self) -> int:
        """Take all room that no job waits for, and return how much that is."""
        if not self._is_worth_asking:
            return 0
        taken = self.room - self._pushed
        self._taken += taken
        self._held_up.clear()
        return taken

    def give_back(self, count: int = 1) -> None:
        """Give room back that was taken for nothing."""
        self._taken -= count
        self._wake()

    async def enter(self) -> bool:
        """Wait for a place, and for the moment to begin; False: no handler begins here any more."""
        if self._is_closed:
            return False
        if not self._for_place and self._may_enter:
            self._occupy()
            return True
        waiter = asyncio.get_running_loop().create_future()
        self._for_place.append(waiter)
        self._call_in()
        try:
            is_in: bool = await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.result():
                self._handled -= 1
                self._call_in()
            raise
        return is_in

    def leave(self, handler_s: float) -> None:
        """Free a place whose handler ran *handler_s*; its outcome is to be told."""
        newest = _NEWEST_WEIGHT
        self._handler_s = handler_s if self._handler_s is None else (1 - newest) * self._handler_s + newest * handler_s
        self._handled -= 1
        self._taken -= 1
        self._untold += 1
        self._call_in()
        self._wake()

    def told(self) -> None:
        """Note that an outcome was told, or cannot be."""
        self._untold -= 1
        self._wake()

    def close(self) -> None:
        """Let nobody enter any more."""
        self._is_closed = True
        while self._for_place:
            waiter = self._for_place.popleft()
            if not waiter.done():
                waiter.set_result(False)

    async def held_up(self, within_s: float) -> bool:
        """Say whether, since room was last taken for a poll and *within_s* from now, a pushed job had to wait."""
        try:
            async with asyncio.timeout(within_s):
                await self._held_up.wait()
        except TimeoutError:
            return False
        return True

    @property
    def _ahead(self) -> int:
        if self._handler_s is None or self._pace is not None:
            return 0
        return min(2 * self._places, int(self._places * _AHEAD_S / max(self._handler_s, 1e-6)))

    @property
    def _is_worth_asking(self) -> bool:
        return self.room > self._pushed and self._taken - self._places <= self._ahead // 2

    @property
    def _may_enter(self) -> bool:
        return self._handled < self._places and (self._pace is None or self._pace.wait_s <= 0)

    def _occupy(self) -> None:
        self._handled += 1
        if self._pace is not None:
            self._pace.begin()

    def _call_in(self) -> None:
        while self._for_place and self._may_enter:
            waiter = self._for_place.popleft()
            if not waiter.done():
                self._occupy()
                waiter.set_result(True)
        self._set_alarm()

    async def _room_changed(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._for_room.append(waiter)
        self._set_alarm()
        await waiter

    def _wake(self) -> None:
        waiters, self._for_room = self._for_room, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _set_alarm(self) -> None:
        """Have those who wait for the rate, and for nothing else, called in time."""
        if self._pace is None or self._alarm is not None or not (self._for_place or self._for_room):
            return
        wait_s = self._pace.wait_s if self._for_place else self._pace.soon_in_s
        if wait_s > 0:
            self._alarm = asyncio.get_running_loop().call_later(wait_s, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._call_in()
        self._wake()
