"""Derive what is known from the events anew, beside the running system, and let the differences follow.

The events are applied to a second, empty store: the shadow. What a row says there is compared with what it says here in
one transaction, in which no event that the shadow has not seen has been applied to anything that the row is about. So
it does not matter what the relay does meanwhile. Nothing is enrolled, sent or told again: the shadow's effects go
nowhere, and here only rows of state are written.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from waggle.domain.event import Event
from waggle.ports.state import STATE_TABLES, Bookmark, Document, Key, Position, StateTable
from waggle.ports.unit_of_work import StoredEvent, Transaction, UnitOfWork
from waggle.services.projections import fact_of, project
from waggle.services.state_rules import StateRules

_EVENTS_AT_ONCE = 500
_ROWS_AT_ONCE = 200
_LATE = 2_000
"""How many numbers further on a transaction may commit that took its number before."""
_MOST_ROUNDS = 100
_PAUSE_S = 0.05

PARTS: dict[str, tuple[StateTable, ...]] = {
    "customers": ("customers", "identities", "merges", "merged_ids", "product_views"),
    "consents": ("consents", "restrictions"),
    "carts": ("carts",),
    "orders": ("orders", "early_orders", "payments"),
    "products": ("products",),
    "loyalty": ("loyalty_entries",),
}
"""What may be rebuilt alone."""

_FOLLOWS_FROM_OTHERS: frozenset[StateTable] = frozenset({"merged_ids"})
"""May change through events that do not name the row's key."""

# Known by the first event that told it, which is another where two arrived the other way round.
_INCIDENTAL: dict[StateTable, frozenset[str]] = {
    "identities": frozenset({"source", "event_id", "first_seen_at", "last_seen_at"}),
    # The wording that was known when the statement arrived.
    "consents": frozenset({"text_sha256"}),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that is not what follows from the events."""

    table: StateTable
    key: Key
    kind: Literal["missing", "surplus", "other"]
    fields: tuple[str, ...] = ()
    """Names of the columns that differ."""


@dataclass(slots=True)
class Report:
    """What came of it."""

    events: int = 0
    rows: int = 0
    differences: list[Difference] = field(default_factory=list)
    """Each was so in one consistent view; unless only looked for, it is no more."""
    unsettled: int = 0
    """Rows that changed all the time, so that nothing can be said of them."""


Progress = Callable[[str, int, int], None]
"""Hears what is being done, how far it is and how much there is."""


def _silent(_what: str, _done: int, _total: int) -> None:
    return


class Replay:
    """One run; the same again goes on where the last one was cut off."""

    def __init__(
        self, store: UnitOfWork, shadow: UnitOfWork, rules: StateRules, bookmark: Bookmark, progress: Progress = _silent
    ) -> None:
        self._store = store
        self._shadow = shadow
        self._rules = rules
        self._bookmark = bookmark
        self._progress = progress
        self._position = bookmark.load()
        self._seen: set[int] = set()
        self._folded = 0

    async def run(self, parts: Sequence[str] = (), *, mend: bool) -> Report:
        """Rebuild *parts*, all if none are named; without *mend* only say what differs.

        Raises:
            TemporaryFailure: the database is away; run it again.
        """
        await self._fold_all()
        tables = [table for part in parts or PARTS for table in PARTS[part]]
        report = Report()
        candidates: list[tuple[StateTable, Key]] = []
        for table in STATE_TABLES:
            if table in tables:
                rows, found = await self._compare(table)
                report.rows += rows
                candidates += [(table, key) for key in found]
        await self._settle(candidates, report, mend=mend)
        report.events = self._folded
        return report

    async def _fold_all(self) -> None:
        total = await self._store.read(lambda tx: tx.events.count_applied())
        while True:
            after = self._position.sequence
            applied, others = await self._store.read(
                lambda tx, after=after: tx.events.applied_after(after, _EVENTS_AT_ONCE)  # type: ignore[misc]
            )
            if not applied and not others:
                break
            await self._fold(applied)
            waiting = (*self._position.waiting, *others)
            self._keep(Position(max([*applied, *others]), waiting))
            self._progress("events", self._folded, total)

    async def _fold(self, sequences: Sequence[int]) -> None:
        """Apply these events to the shadow; an event that it has seen changes nothing."""
        for start in range(0, len(sequences), _EVENTS_AT_ONCE):
            some = sequences[start : start + _EVENTS_AT_ONCE]
            stored = await self._store.read(lambda tx, some=some: tx.events.of_numbers(some))  # type: ignore[misc]
            await self._shadow.run(lambda tx, stored=stored: self._project(tx, stored))  # type: ignore[misc]
            self._seen.update(some)
            self._folded += len(some)

    def _project(self, tx: Transaction, stored: Iterable[StoredEvent]) -> None:
        for each in stored:
            project(tx, each.event, fact_of(each.event), self._rules)

    async def _catch_up(self) -> None:
        """Apply to the shadow what was applied here since."""
        unseen = await self._store.read(self._unseen)
        if unseen:
            await self._fold(unseen)
            still = tuple(each for each in self._position.waiting if each not in self._seen)
            self._keep(Position(max(self._position.sequence, *unseen), still))

    def _unseen(self, tx: Transaction) -> list[int]:
        late, waiting = self._position.sequence - _LATE, self._position.waiting
        found: list[int] = []
        while True:
            applied, others = tx.events.applied_after(late, _EVENTS_AT_ONCE)
            found += applied
            if not applied and not others:
                break
            late = max([*applied, *others])
        if waiting:
            found += tx.events.applied_among(waiting)
        return sorted({each for each in found if each not in self._seen})

    def _keep(self, position: Position) -> None:
        self._position = position
        # Of what is older nothing is asked again, but of those that wait, and they were not seen.
        self._seen = {each for each in self._seen if each > position.sequence - _LATE}
        self._bookmark.save(position)

    async def _compare(self, table: StateTable) -> tuple[int, list[Key]]:
        """Return how many rows there are, and keys of those that may differ: the views are not of one moment."""
        found: list[Key] = []
        rows = 0
        for one, other in ((self._store, self._shadow), (self._shadow, self._store)):
            after: Key | None = None
            while True:
                keys = await one.read(lambda tx, after=after: tx.state.keys(table, after, _ROWS_AT_ONCE))  # type: ignore[misc]
                if not keys:
                    break
                after = keys[-1]
                rows += len(keys) if one is self._store else 0
                theirs = await other.read(lambda tx, keys=keys: tx.state.documents(table, keys))  # type: ignore[misc]
                if one is self._shadow:
                    found += [key for key in keys if key not in theirs]
                    continue
                mine = await one.read(lambda tx, keys=keys: tx.state.documents(table, keys))  # type: ignore[misc]
                found += [key for key in keys if _differ(table, mine.get(key), theirs.get(key))]
                self._progress(table, rows, rows)
        return rows, list(dict.fromkeys(found))

    async def _settle(self, candidates: Sequence[tuple[StateTable, Key]], report: Report, *, mend: bool) -> None:
        left = list(candidates)
        for _ in range(_MOST_ROUNDS):
            waiting: list[tuple[StateTable, Key]] = []
            for table in STATE_TABLES:
                keys = [key for of, key in left if of == table]
                for start in range(0, len(keys), _ROWS_AT_ONCE):
                    some = keys[start : start + _ROWS_AT_ONCE]
                    waiting += [(table, key) for key in await self._judge(table, some, report, mend=mend)]
            left = waiting
            if not left:
                return
            await asyncio.sleep(_PAUSE_S)
        report.unsettled = len(left)

    async def _judge(self, table: StateTable, keys: Sequence[Key], report: Report, *, mend: bool) -> list[Key]:
        """Compare these rows in one transaction, and return the keys of those that have to wait."""
        await self._catch_up()
        should = await self._shadow.read(lambda tx: tx.state.documents(table, keys))

        def judge(tx: Transaction) -> tuple[list[Difference], list[Key]]:
            unseen = tx.events.of_numbers(self._unseen(tx))
            moving = _named(each.event for each in unseen)
            waiting = [key for key in keys if (unseen and table in _FOLLOWS_FROM_OTHERS) or not moving.isdisjoint(key)]
            calm = [key for key in keys if key not in set(waiting)]
            known = tx.state.documents(table, calm) if calm else {}
            differences = [
                _difference(table, key, known.get(key), should.get(key))
                for key in calm
                if _differ(table, known.get(key), should.get(key))
            ]
            for each in differences if mend else ():
                document = should.get(each.key)
                if document is None:
                    tx.state.drop(table, each.key)
                else:
                    incidental = {name: known[each.key][name] for name in _left_out(table)} if each.key in known else {}
                    tx.state.put(table, each.key, {**document, **incidental})
            return differences, waiting

        differences, waiting = await (self._store.run(judge) if mend else self._store.read(judge))
        report.differences += differences
        return waiting


def _named(events: Iterable[Event]) -> set[str]:
    """Return everything that events may be about."""
    named: set[str] = set()
    for event in events:
        named |= {event.id, event.subject, *(value for value in event.data.values() if isinstance(value, str))}
    return named


def _differ(table: StateTable, known: Document | None, should: Document | None) -> bool:
    return _compared(table, known) != _compared(table, should)


def _compared(table: StateTable, document: Document | None) -> Document | None:
    return None if document is None else {name: document[name] for name in document if name not in _left_out(table)}


def _left_out(table: StateTable) -> frozenset[str]:
    return _INCIDENTAL.get(table, frozenset())


def _difference(table: StateTable, key: Key, known: Document | None, should: Document | None) -> Difference:
    if known is None:
        return Difference(table, key, "missing")
    if should is None:
        return Difference(table, key, "surplus")
    names = sorted(name for name in known if known[name] != should.get(name) and name not in _left_out(table))
    return Difference(table, key, "other", tuple(names))


def dump(tx: Transaction) -> dict[str, dict[Key, Document]]:
    """Return all of the state, open and in one form, so that two databases can be compared."""
    found: dict[str, dict[Key, Document]] = {}
    for table in STATE_TABLES:
        rows: dict[Key, Document] = {}
        after: Key | None = None
        while keys := tx.state.keys(table, after, _ROWS_AT_ONCE):
            after = keys[-1]
            rows |= {
                key: compared
                for key, document in tx.state.documents(table, keys).items()
                if (compared := _compared(table, document)) is not None
            }
        found[table] = dict(sorted(rows.items()))
    return found
