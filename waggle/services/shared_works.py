"""Works of one kind that come at the same time are done in one transaction, what they need read for all at once."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, Generic, TypeVar

from waggle.errors import TemporaryFailure
from waggle.ports.unit_of_work import Transaction, UnitOfWork

K = TypeVar("K")
T = TypeVar("T")


@dataclass(slots=True)
class _Asked(Generic[K]):
    """One work that waits for its turn."""

    key: K
    work: Callable[[Transaction], Any]
    future: asyncio.Future[Any]


class SharedWorks(Generic[K]):
    """Collects what comes within one turn of the event loop, or while others are being committed.

    Each work ends as if it had been run by itself: one that fails leaves nothing behind and is no other's trouble.
    """

    def __init__(
        self, store: UnitOfWork, prepare: Callable[[Transaction, Sequence[K]], None], most_at_once: int
    ) -> None:
        """*prepare* reads for the keys of many works what they will ask for; it is left out for a single one.

        Where it is one *at once*, none waits for another: the store puts them in line.
        """
        self._store = store
        self._most_at_once = most_at_once
        self._prepare = prepare
        self._line: deque[_Asked[K]] = deque()
        self._working: asyncio.Task[None] | None = None

    async def run(self, key: K, work: Callable[[Transaction], T]) -> T:
        """Return what *work* returned once it is committed; raises what it or the store raises.

        Who is cancelled before its turn has come has done nothing.
        """
        if self._most_at_once == 1:
            return await self._store.run(work)
        asked = _Asked(key, work, asyncio.get_running_loop().create_future())
        self._line.append(asked)
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work_all())
        found: T = await asked.future
        return found

    async def _work_all(self) -> None:
        while self._line:
            batch = [self._line.popleft() for _ in range(min(len(self._line), self._most_at_once))]
            try:
                await self._work([asked for asked in batch if not asked.future.done()])
            finally:
                # Ended from outside, with its event loop: nobody is left waiting.
                for asked in batch:
                    asked.future.cancel()

    async def _work(self, batch: list[_Asked[K]]) -> None:
        """Commit all of *batch* together; those beside one that fails are committed without it."""
        if not batch:
            return
        together = _Together(batch, self._prepare)

        @wraps(batch[0].work)
        def all_of_them(tx: Transaction) -> list[Any]:
            return together.run(tx)

        try:
            results = await self._store.run(all_of_them)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 -- whatever it is, those who wait must hear of it
            if len(batch) == 1 or _is_of_the_database(error):
                _tell(batch, error)
                return
            # It may have failed for what another did in the same transaction, and is asked again alone.
            for part in together.parted():
                await self._work(part)
            return
        for asked, result in zip(batch, results, strict=True):
            # Who asked may have gone away.
            if not asked.future.done():
                asked.future.set_result(result)


class _Together(Generic[K]):
    """Many works as one, which the store may run more than once."""

    def __init__(self, batch: list[_Asked[K]], prepare: Callable[[Transaction, Sequence[K]], None]) -> None:
        self._batch = batch
        self._prepare = prepare
        self._reached: int | None = None

    def run(self, tx: Transaction) -> list[Any]:
        self._reached = None
        if len(self._batch) > 1:
            self._prepare(tx, [asked.key for asked in self._batch])
        results = []
        for place, asked in enumerate(self._batch):
            self._reached = place
            results.append(asked.work(tx))
        return results

    def parted(self) -> list[list[_Asked[K]]]:
        """Return those before the one that failed, that one, and those behind it; each alone if it was none of them."""
        at = self._reached
        if at is None:
            return [[asked] for asked in self._batch]
        return [self._batch[:at], [self._batch[at]], self._batch[at + 1 :]]


def _tell(batch: Sequence[_Asked[Any]], error: BaseException) -> None:
    for asked in batch:
        if not asked.future.done():
            asked.future.set_exception(error)


def _is_of_the_database(error: BaseException) -> bool:
    return isinstance(error, TemporaryFailure) and error.code.startswith("DATABASE_")
