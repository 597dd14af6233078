"""Calls that come at the same time share one transaction."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from waggle.errors import TemporaryFailure
from waggle.ports.unit_of_work import Transaction, UnitOfWork

Given = TypeVar("Given")
Told = TypeVar("Told")

_MOST_AT_ONCE = 1_000
"""A commit costs one wait for the disk whatever it holds; more than this only makes the first to come wait."""
_WORTH_A_COMMIT = 200
"""So many wait for nobody: a thread stores them while the event loop judges what comes meanwhile."""
_SHARE_OF_WAIT = 1.0
"""Of the time the last transaction took: so long at most is waited for others to join the next."""
_LONGEST_WAIT_S = 0.005


class Gathering(Generic[Given, Told]):
    """Hands what has gathered to *work*, all of it in one transaction, while the next ones gather.

    *work* answers each thing it is given, in order. If it fails, each call is tried alone, so that none suffers from
    what another one brought.
    """

    def __init__(
        self, store: UnitOfWork, work: Callable[[Transaction, Sequence[Given]], list[Told]], *, most_waiting: int
    ) -> None:
        self._store = store
        self._work = work
        self._most_waiting = most_waiting
        self._calls: list[tuple[Sequence[Given], asyncio.Future[list[Told]]]] = []
        self._waiting = 0
        self._carrying: asyncio.Task[None] | None = None
        self._enough: tuple[int, asyncio.Event] | None = None
        self._expected = 0
        self._ended_s = 0.0
        self._pause_s = 0.0

    @property
    def waiting(self) -> int:
        """How many things wait for their commit."""
        return self._waiting

    def require_room(self, count: int) -> None:
        """Say before any work is done for them whether *count* more may wait.

        Raises:
            TemporaryFailure: TOO_BUSY.
        """
        if self._waiting + count > self._most_waiting:
            raise TemporaryFailure("TOO_BUSY", f"{self._waiting} wait to be stored", retry_after_s=1)

    async def run(self, given: Sequence[Given]) -> list[Told]:
        """Return what *work* said of *given* once it is committed.

        Raises:
            TemporaryFailure: TOO_BUSY, too many wait already; or the database takes nothing. Nothing was stored.
        """
        self.require_room(len(given))
        told: asyncio.Future[list[Told]] = asyncio.get_running_loop().create_future()
        self._calls.append((given, told))
        self._waiting += len(given)
        if self._enough is not None and len(self._calls) >= self._enough[0]:
            self._enough[1].set()
        if self._carrying is None or self._carrying.done():
            self._carrying = asyncio.create_task(self._carry())
        try:
            return await told
        finally:
            self._waiting -= len(given)

    async def _carry(self) -> None:
        while self._calls:
            await self._gather()
            calls = self._next_calls()
            began_s = time.monotonic()
            try:
                await self._together(calls)
            except TemporaryFailure as failure:
                _fail(calls, failure)
            except Exception as error:  # noqa: BLE001 -- one of the calls is bad; found by carrying them one by one
                if len(calls) == 1:
                    _fail(calls, error)
                else:
                    await self._one_by_one(calls)
            # Whoever was answered just now mostly comes again at once: without a moment's wait the first of them alone
            # would have the next transaction, and all the others the one after it.
            self._expected = len(calls) + len(self._calls)
            self._ended_s = time.monotonic()
            self._pause_s = min(_SHARE_OF_WAIT * (self._ended_s - began_s), _LONGEST_WAIT_S)

    async def _gather(self) -> None:
        """Wait for those who were here a moment ago, but for a moment only."""
        pause_s = self._pause_s - (time.monotonic() - self._ended_s)
        if len(self._calls) >= self._expected or self._waiting >= _WORTH_A_COMMIT or pause_s <= 0:
            return
        self._enough = (self._expected, asyncio.Event())
        try:
            async with asyncio.timeout(pause_s):
                await self._enough[1].wait()
        except TimeoutError:
            pass
        finally:
            self._enough = None

    def _next_calls(self) -> list[tuple[Sequence[Given], asyncio.Future[list[Told]]]]:
        taken, count = 0, 0
        while taken < len(self._calls) and (not taken or count + len(self._calls[taken][0]) <= _MOST_AT_ONCE):
            count += len(self._calls[taken][0])
            taken += 1
        calls, self._calls = self._calls[:taken], self._calls[taken:]
        # Who has gone away was told nothing, so nothing need be stored for them.
        return [call for call in calls if not call[1].done()]

    async def _together(self, calls: list[tuple[Sequence[Given], asyncio.Future[list[Told]]]]) -> None:
        everything = [each for given, _ in calls for each in given]

        def store(tx: Transaction) -> list[Told]:
            return self._work(tx, everything)

        answers = await self._store.run(store)
        start = 0
        for given, told in calls:
            if not told.done():
                told.set_result(answers[start : start + len(given)])
            start += len(given)

    async def _one_by_one(self, calls: list[tuple[Sequence[Given], asyncio.Future[list[Told]]]]) -> None:
        for call in calls:
            try:
                await self._together([call])
            except Exception as error:  # noqa: BLE001 -- whatever it is, the one that waits must hear of it
                _fail([call], error)


def _fail(calls: list[tuple[Sequence[Given], asyncio.Future[list[Told]]]], error: Exception) -> None:
    for _, told in calls:
        if not told.done():
            told.set_exception(error)
