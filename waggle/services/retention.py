"""Remove or empty what is older than the privacy map allows, a few rows to a transaction."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

from waggle.errors import TemporaryFailure
from waggle.log import get_logger
from waggle.ports.clock import Clock
from waggle.ports.privacy import Overdue, OverduePage, RowKey
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.exporting import way_to
from waggle.services.privacy_map import PrivacyMap

_log = get_logger(__name__)

_ROWS_PER_TRANSACTION: Final = 500
_ROWS_LOOKED_AT: Final = 2_000
"""At once, of which most are younger."""
_STALE_AFTER: Final = timedelta(hours=2)
"""A run that began so long ago and did not end is taken for one that was killed."""
_LOOK_EVERY_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class TooOld:
    """What of one table is older than it may be."""

    table: str
    kept: str
    then: str
    """`delete` or `empty`."""
    rows: int


class Retention:
    """Knows from the privacy map what is over its time, and sees to it; what a legal hold covers stays."""

    def __init__(self, store: UnitOfWork, privacy_map: PrivacyMap, clock: Clock) -> None:
        self._store = store
        self._map = privacy_map
        self._clock = clock

    async def overdue(self) -> list[TooOld]:
        """Count what is over its time, in each table that has a term."""
        found = []
        for table in self._timed():
            rows = 0
            async for keys in self._pages(table):
                rows += len(keys)
            retention = self._map.retention(table)
            found.append(TooOld(table, retention.words, retention.then, rows))
        return found

    async def apply(self, tell: Callable[[str, int], None] = lambda _table, _rows: None) -> dict[str, int]:
        """Delete or empty all of it; *tell* hears each step. Return how many rows by table.

        Raises:
            TemporaryFailure: the database is away; what was done stays done, and the next run goes on.
        """
        done = {}
        for table in self._timed():
            count = 0
            async for keys in self._pages(table):
                for start in range(0, len(keys), _ROWS_PER_TRANSACTION):
                    some = keys[start : start + _ROWS_PER_TRANSACTION]
                    count += await self._store.run(partial(self._see_to, table, some))
                    tell(table, count)
            done[table] = count
        return done

    async def run(self, stop: asyncio.Event) -> None:
        """Apply it once a day until *stop* is set; of several processes one does it."""
        while not stop.is_set():
            try:
                await self._daily()
            except TemporaryFailure as failure:
                _log.warning("retention waits", code=failure.code)
            try:
                await asyncio.wait_for(stop.wait(), _LOOK_EVERY_S)
            except TimeoutError:
                continue

    async def _daily(self) -> None:
        day = self._clock.now().date().isoformat()

        def begin(tx: Transaction) -> bool:
            now = self._clock.now()
            return tx.retention_runs.begin(day, now, now - _STALE_AFTER)

        def finish(tx: Transaction) -> None:
            tx.retention_runs.finish(day, self._clock.now())

        if not await self._store.run(begin):
            return
        done = await self.apply()
        await self._store.run(finish)
        _log.info("retention applied", rows=sum(done.values()))

    def _timed(self) -> list[str]:
        return [table for table in self._map.tables() if self._map.retention(table).period is not None]

    async def _pages(self, table: str) -> AsyncIterator[Sequence[RowKey]]:
        """Look through *table* without being in the way of whoever writes; yield the keys of what is over its time."""
        after: RowKey | None = ()
        while after is not None:
            page = await self._store.read(partial(self._look, table, after))
            if page.keys:
                yield page.keys
            after = page.after

    def _look(self, table: str, after: RowKey, tx: Transaction) -> OverduePage:
        return tx.personal_data.over(self._over(tx, table), after, _ROWS_LOOKED_AT)

    def _see_to(self, table: str, keys: Sequence[RowKey], tx: Transaction) -> int:
        # Asked once more: since it was looked at, somebody may have got a legal hold.
        see_to = tx.personal_data.drop_over
        if self._map.retention(table).then == "empty":
            see_to = tx.personal_data.empty_over
        return see_to(self._over(tx, table), keys)

    def _emptied(self, table: str) -> list[str]:
        subject = self._map.subject(table)
        kept = subject.column if subject is not None else ""
        return [
            each.name for each in self._map.columns_of(table).values() if each.is_about_person and each.name != kept
        ]

    def _over(self, tx: Transaction, table: str) -> Overdue:
        retention = self._map.retention(table)
        assert retention.period is not None  # noqa: S101 -- asked of timed tables only
        assert retention.since is not None  # noqa: S101 -- a period counts from something
        return Overdue(
            table=table,
            since=retention.since,
            before=self._clock.now() - retention.period,
            held=[] if self._map.subject(table) is None else [way_to(self._map, table)],
            persons={each for hold in tx.legal_holds.all() for each in tx.identities.all_of(hold.customer_id)},
            columns=self._emptied(table) if retention.then == "empty" else (),
        )
