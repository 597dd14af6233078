"""Write what there is of one kind into files for other programs, a file to a day, nothing personal unless declared."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from waggle.domain.event import FACTS, CartItem
from waggle.domain.privacy import Transfer
from waggle.errors import Rejected
from waggle.log import get_logger
from waggle.ports.bulk_reads import Dataset
from waggle.ports.clock import Clock
from waggle.ports.row_files import Journal, Kind, Row, RowColumn, RowFile, RowFormat
from waggle.ports.unit_of_work import AuditEntry, Transaction, UnitOfWork
from waggle.services.disclosure import PERSONAL, Disclosure
from waggle.services.own_words import refuse_personal

log = get_logger(__name__)

_ROWS_AT_ONCE = 5_000
_A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Day:
    """One day that is written."""

    day: date
    rows: int
    file: Path | None
    """None: nothing happened on it."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What a run has written."""

    dataset: Dataset
    days: int
    rows: int
    files: int
    known_days: int
    """Days that an earlier run, which did not come to its end, had written."""


class BulkExport:
    """Writes one kind of rows into one format."""

    def __init__(self, store: UnitOfWork, clock: Clock, rows: RowFormat, disclosure: Disclosure | None = None) -> None:
        self._store = store
        self._clock = clock
        self._format = rows
        self._disclosure = disclosure

    async def run(  # noqa: PLR0913 -- what, where to, of when, and who hears of it
        self,
        dataset: Dataset,
        folder: Path,
        journal: Journal,
        *,
        since: date | None = None,
        until: date | None = None,
        tell: Callable[[Day], None] = lambda _day: None,
    ) -> Exported:
        """Write every day of [*since*, *until*), in UTC, to `<folder>/<dataset>/day=<day>/<dataset><suffix>`.

        Without *since* from the first row on, without *until* today too, as far as it is. A day that was written
        before is written anew, unless *journal* says that this very run has done so.

        Raises:
            Rejected: DAYS_EMPTY, *until* is not after *since*.
            PermanentFailure: FILE_UNWRITABLE.
        """
        columns = await self._store.read(lambda tx: self._columns(tx, dataset))
        days = await self._days(dataset, since, until)
        done = journal.done()
        written: list[Day] = []
        for day in days:
            if day.isoformat() in done:
                continue
            written.append(await self._write(dataset, columns, day, folder))
            journal.mark(day.isoformat())
            tell(written[-1])
        journal.close()
        return Exported(
            dataset=dataset,
            days=len(written),
            rows=sum(day.rows for day in written),
            files=sum(day.file is not None for day in written),
            known_days=len(days) - len(written),
        )

    async def _days(self, dataset: Dataset, since: date | None, until: date | None) -> list[date]:
        if since is None:
            first_at = await self._store.read(lambda tx: tx.bulk_reads.first_at(dataset))
            if first_at is None:
                return []
            since = first_at.astimezone(UTC).date()
        if until is None:
            until = max(self._clock.now().date(), since) + _A_DAY
        if until <= since:
            raise Rejected("DAYS_EMPTY", "--until is the day after the last: it must come after --since")
        return [since + number * _A_DAY for number in range((until - since).days)]

    async def _write(self, dataset: Dataset, columns: Sequence[RowColumn], day: date, folder: Path) -> Day:
        """Write one day; killed in the middle it leaves what was there before."""
        file = folder / dataset / f"day={day.isoformat()}" / f"{dataset}{self._format.suffix}"
        count, personal = 0, 0
        open_file: RowFile | None = None
        after = ""
        begin = datetime.combine(day, time(), UTC)
        try:
            while True:
                rows, after, told = await self._page(dataset, begin, after)
                if rows and open_file is None:
                    open_file = self._format.begin(file, columns)
                if rows and open_file is not None:
                    open_file.add(rows)
                count, personal = count + len(rows), personal + told
                if not after:
                    break
        except BaseException:
            if open_file is not None:
                open_file.abandon()
            raise
        if personal:
            await self._store.run(partial(self._register, dataset=dataset, count=personal))
        if open_file is None:
            self._format.remove(file)
            return Day(day, 0, None)
        open_file.finish()
        return Day(day, count, file)

    async def _page(self, dataset: Dataset, begin: datetime, after: str) -> tuple[list[Row], str, int]:
        def look(tx: Transaction) -> tuple[list[Row], str, int]:
            found = tx.bulk_reads.page(dataset, begin, begin + _A_DAY, after, _ROWS_AT_ONCE)
            if dataset != "events":
                return list(found.rows), found.after, 0
            rows, personal = [], 0
            for row in found.rows:
                given = self._given(tx, row)
                personal += bool(given)
                rows.append(_flat(row, given))
            return rows, found.after, personal

        return await self._store.read(look)

    def _given(self, tx: Transaction, row: Row) -> dict[str, Any]:
        if self._disclosure is None or not PERSONAL.get(str(row["type"])):
            return {}
        sequence = row["sequence"]
        return self._disclosure.given(tx, sequence, self._clock.now()) if isinstance(sequence, int) else {}

    def _register(self, tx: Transaction, dataset: Dataset, count: int) -> None:
        purpose = self._disclosure.purpose if self._disclosure is not None else ""
        tx.transfers.add(Transfer(at=self._clock.now(), destination=f"export-{dataset}", purpose=purpose, count=count))

    def _columns(self, tx: Transaction, dataset: Dataset) -> list[RowColumn]:
        own = [column for column in tx.bulk_reads.columns(dataset) if (dataset, column.name) != ("events", "data")]
        if dataset != "events":
            return own
        may_leave = self._disclosure.fields if self._disclosure is not None else frozenset[str]()
        return [
            *own,
            *(column for column in fact_columns() if column.name not in _PERSONAL or column.name in may_leave),
        ]


_PERSONAL = frozenset[str]().union(*PERSONAL.values())


def fact_columns() -> list[RowColumn]:
    """Return a column for each field of the vocabulary: a name means the same in every fact."""
    found: dict[str, Kind] = {}
    for fact in FACTS.values():
        hints = get_type_hints(fact)
        for field in fields(fact):
            found.setdefault(field.name, _kind(hints[field.name]))
    return [RowColumn(name, kind) for name, kind in found.items()]


def _kind(hint: Any) -> Kind:  # noqa: ANN401 -- an annotation
    if get_origin(hint) in {Union, UnionType}:
        [hint] = [each for each in get_args(hint) if each is not type(None)]
    kinds: Mapping[Any, Kind] = {str: "text", int: "whole", bool: "flag", datetime: "time", list[CartItem]: "lines"}
    return kinds.get(hint, "json")


def _flat(row: Row, given: Mapping[str, Any]) -> Row:
    data = row["data"]
    own = {name: value for name, value in row.items() if name != "data"}
    return {**(data if isinstance(data, Mapping) else {}), **given, **own}


async def record_export(store: UnitOfWork, dataset: Dataset, purpose: str, by: str, why: str, at: datetime) -> None:  # noqa: PLR0913, PLR0917 -- who takes what out, and why
    """Write into the audit log that somebody takes personal fields out of the house.

    Raises:
        Rejected: WORDS_REFUSED, *why* looks like an address or a phone number.
    """
    refuse_personal("why", why)
    entry = AuditEntry(at=at, actor=by, action="data-exported", subject=dataset, why=why, detail={"purpose": purpose})
    await store.run(lambda tx: tx.audit.add(entry))
