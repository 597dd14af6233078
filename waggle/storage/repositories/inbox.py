"""Accepted events."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from typing import Any

import msgspec
from sqlalchemy import Row, Select, bindparam, func, insert, literal_column, or_, select, update

from waggle.domain.event import FACTS, Event, personal_fields
from waggle.ports.unit_of_work import Admission, Arrival, Quarantined, RefusedArrival, StoredEvent
from waggle.storage import tables
from waggle.storage.among import among
from waggle.storage.repositories.base import Repository
from waggle.storage.repositories.streams import tell_applied


def _pending_about() -> Select[Any]:
    t = tables.events
    # Also by what the data names: the sender may have given another subject.
    named = (t.c.subject, t.c.data["customer_id"].as_string(), t.c.data["cart_id"].as_string())
    concerned = or_(*(name.in_(bindparam("subjects", expanding=True)) for name in named))
    # Written out, as in the index: a condition given as a parameter makes SQLite plan the statement each time.
    return select(t.c.sequence).where(t.c.state == literal_column("'pending'"), concerned).limit(1)


def _pending_among() -> Select[Any]:
    t = tables.events
    named = (t.c.subject, t.c.data["customer_id"].as_string(), t.c.data["cart_id"].as_string())
    concerned = or_(*(among(name, "subjects") for name in named))
    return select(t.c.sequence).where(t.c.state == literal_column("'pending'"), concerned).limit(1)


_PENDING_ABOUT = _pending_about()
_PENDING_AMONG = _pending_among()


_PLAIN = {name: frozenset(field.name for field in fields(fact)) - personal_fields(fact) for name, fact in FACTS.items()}
"""Event type -> what is stored in the clear. Unknown fields are not: they may be anything."""


def place_of(source: str, event_id: str) -> str:
    """Return where an event's sealed fields stand, for the vault."""
    return f"events.sealed/{source}/{event_id}"


def person_of(data: Mapping[str, Any], subject: str) -> str:
    """Return whose key seals the fields of an event."""
    named = (data.get(name) for name in ("customer_id", "anonymous_id", "cart_id"))
    return next((person for person in named if isinstance(person, str)), subject)


def parted(event_type: str, data: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return of an event's data what may be stored in the clear, and what must be sealed."""
    plain = _PLAIN.get(event_type, _NAMES)
    if plain.issuperset(data):
        return dict(data), {}
    return (
        {name: value for name, value in data.items() if name in plain},
        {name: value for name, value in data.items() if name not in plain},
    )


_NAMES = frozenset({"customer_id", "anonymous_id", "cart_id"})
"""Stays in the clear in an event of a type that is no longer known: its key hangs on it."""


def has_personal(event: Event) -> bool:
    """Say whether something of the event's data must be sealed."""
    return not _PLAIN.get(event.type, _NAMES).issuperset(event.data)


def _admission(arrival: Arrival, blinded: str, known: dict[tuple[str, str], tuple[int, str]], newest: int) -> Admission:
    key = (arrival.event.source, arrival.event.id)
    sequence, kept = known[key]
    if sequence > newest:
        # Just added: the next of this id in the same batch is a repeat.
        known[key] = (0, kept)
        return "accepted"
    return "duplicate" if kept == blinded else "conflict"


_NEWEST = select(func.max(tables.events.c.sequence))
_COLUMNS = {
    "source": "text",
    "event_id": "text",
    "type": "text",
    "subject": "text",
    "time": "timestamptz",
    "received_at": "timestamptz",
    "body_sha256": "text",
    "customer_id": "text",
    "data": "json",
    "sealed": "text",
    "state": "text",
}
_INTO = f"INSERT INTO events ({', '.join(_COLUMNS)})"
_UNLESS_KNOWN = "ON CONFLICT (source, event_id) DO NOTHING"

# In the driver's own words: by way of SQLAlchemy each event took half as much processor time again. Many rows go with
# one statement. To PostgreSQL as one text, which its server takes apart: a statement for each was most of what storing
# cost this process. SQLite lets the event loop run during each statement, and gets on only when that has nothing to do:
# with a statement for each row, a thousand took a second beside a busy loop, and some ten milliseconds with few.
_ROWS_TOGETHER = (250, 100)
_FEW = 64
"""So many or fewer rows have a statement of their own length; the driver keeps the latest 128 that it compiled."""
_ADD_ON_POSTGRESQL = (
    f"{_INTO} SELECT {', '.join(_COLUMNS)} "  # noqa: S608 -- names of our own
    f"FROM json_to_recordset(%s::json) AS given({', '.join(f'{name} {kind}' for name, kind in _COLUMNS.items())}) "
    f"{_UNLESS_KNOWN}"
)


@cache
def _add_on_sqlite(count: int) -> str:
    row = f"({', '.join('?' * len(_COLUMNS))})"
    return f"{_INTO} VALUES {', '.join([row] * count)} {_UNLESS_KNOWN}"


def _portions(count: int) -> Iterator[int]:
    """Yield how many rows to insert together, until *count* are."""
    while count:
        size = next((size for size in _ROWS_TOGETHER if size <= count), min(count, _FEW))
        yield size
        count -= size


def _as_sqlite_keeps_it(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(" ", "microseconds").removesuffix("+00:00")


class _Row(msgspec.Struct):
    """A row of `events`, in the order of `_COLUMNS`."""

    source: str
    event_id: str
    type: str
    subject: str
    time: datetime
    received_at: datetime
    body_sha256: str
    customer_id: str | None
    data: dict[str, Any]
    sealed: str | None
    state: str = "pending"


def _as_sqlite_takes_them(rows: Sequence[_Row]) -> Iterator[Any]:
    """Yield the columns of all *rows*, one after another."""
    # Nearly all of what comes together came at the same time.
    written = {at: _as_sqlite_keeps_it(at) for at in {row.received_at for row in rows}}
    for row in rows:
        yield row.source
        yield row.event_id
        yield row.type
        yield row.subject
        yield _as_sqlite_keeps_it(row.time)
        yield written[row.received_at]
        yield row.body_sha256
        yield row.customer_id
        yield msgspec.json.encode(row.data).decode()
        yield row.sealed
        yield row.state


class Events(Repository):
    _not_pending: frozenset[str] = frozenset()
    """What no accepted event is about that is not yet applied; known until events are added."""

    def add(self, event: Event, received_at: datetime, body_sha256: str) -> Admission:
        [admission] = self.add_all([Arrival(event, received_at, body_sha256)])
        return admission

    def add_all(self, arrivals: Sequence[Arrival]) -> list[Admission]:
        t = tables.events
        if not arrivals:
            return []
        # Whatever is added now gets a higher number: no other transaction's rows are seen, or begins this one again.
        newest = self._connection.scalar(_NEWEST) or 0
        self._vault.provide(
            person_of(each.event.data, each.event.subject) for each in arrivals if has_personal(each.event)
        )
        if self._insert([self._row(each) for each in arrivals]) == len(arrivals):
            return ["accepted"] * len(arrivals)
        known: dict[tuple[str, str], tuple[int, str]] = {}
        for source in {each.event.source for each in arrivals}:
            ids = [each.event.id for each in arrivals if each.event.source == source]
            found = select(t.c.event_id, t.c.sequence, t.c.body_sha256).where(
                t.c.source == source, t.c.event_id.in_(ids)
            )
            known |= {
                (source, row.event_id): (row.sequence, row.body_sha256) for row in self._connection.execute(found)
            }
        return [_admission(each, self._blinded(each.body_sha256), known, newest) for each in arrivals]

    def known(self, source: str, event_ids: Collection[str]) -> set[str]:
        t = tables.events
        if not event_ids:
            return set()
        found = select(t.c.event_id).where(t.c.source == source, t.c.event_id.in_(event_ids))
        return set(self._connection.scalars(found))

    def _blinded(self, body_sha256: str) -> str:
        """Return what is kept of a hash: by itself it would confirm for ever who guesses what was hashed."""
        return self._vault.blind("body", body_sha256) if body_sha256 else ""

    def _insert(self, rows: Sequence[_Row]) -> int:
        """Insert the rows whose (source, event_id) is new, and return how many those were."""
        self._not_pending = frozenset()
        if self._connection.dialect.name == "postgresql":
            text = msgspec.json.encode(rows).decode()
            return self._connection.exec_driver_sql(_ADD_ON_POSTGRESQL, (text,)).rowcount
        values, added = _as_sqlite_takes_them(rows), 0
        for count in _portions(len(rows)):
            taken = tuple(islice(values, count * len(_COLUMNS)))
            added += self._connection.exec_driver_sql(_add_on_sqlite(count), taken).rowcount
        return added

    def _row(self, arrival: Arrival) -> _Row:
        event = arrival.event
        plain, sealed = self._sealed(event)
        return _Row(
            event.source,
            event.id,
            event.type,
            event.subject,
            event.time,
            arrival.received_at,
            self._blinded(arrival.body_sha256),
            plain.get("customer_id"),
            plain,
            sealed,
        )

    def refuse_all(self, refused: Sequence[RefusedArrival]) -> None:
        if refused:
            rows = [{**asdict(each), "body_sha256": self._blinded(each.body_sha256)} for each in refused]
            self._connection.execute(insert(tables.refused_events), rows)

    def refused(self, limit: int) -> list[RefusedArrival]:
        t = tables.refused_events
        return self._all(RefusedArrival, select(t).order_by(t.c.refusal_id.desc()).limit(limit))

    def get(self, sequence: int) -> StoredEvent | None:
        row = self._one(tables.events, sequence=sequence)
        return None if row is None else self._opened([row])[0]

    def mend(self, sequence: int, data: Mapping[str, Any]) -> None:
        t = tables.events
        row = self._one(t, sequence=sequence)
        if row is not None:
            plain, sealed = self._sealed(replace(self._event(row), data=dict(data)))
            self._seen.clear()
            self._connection.execute(
                update(t)
                .where(t.c.sequence == sequence, t.c.state == "quarantined")
                .values(data=plain, sealed=sealed, customer_id=plain.get("customer_id"))
            )

    def release(self, sequence: int) -> None:
        t = tables.events
        self._seen.clear()
        self._not_pending = frozenset()
        self._connection.execute(
            update(t)
            .where(t.c.sequence == sequence, t.c.state == "quarantined")
            .values(state="pending", code=None, settled_at=None)
        )

    def pending(self, limit: int) -> list[StoredEvent]:
        t = tables.events
        rows = self._connection.execute(
            select(t).where(t.c.state == "pending").order_by(t.c.sequence).limit(limit).with_for_update()
        )
        return self._opened(rows.all())

    def prepare_pending(self, subjects: Collection[str]) -> None:
        # Of many there is nearly always nothing: only if there is, is each asked for.
        if self._connection.scalar(_PENDING_AMONG, {"subjects": sorted(subjects)}) is None:
            self._not_pending = frozenset(subjects)

    def any_pending(self, subjects: Collection[str]) -> bool:
        if self._not_pending.issuperset(subjects):
            return False
        return self._connection.scalar(_PENDING_ABOUT, {"subjects": list(subjects)}) is not None

    def mark_applied(self, sequences: Collection[int], applied_at: datetime) -> None:
        t = tables.events
        self._connection.execute(
            update(t).where(t.c.sequence.in_(list(sequences))).values(state="applied", settled_at=applied_at)
        )
        tell_applied(self._connection, sequences, applied_at)

    def quarantine(self, sequence: int, code: str, at: datetime) -> None:
        t = tables.events
        self._connection.execute(
            update(t)
            .where(t.c.sequence == sequence, t.c.state == "pending")
            .values(state="quarantined", code=code, settled_at=at)
        )

    def quarantined(self) -> list[Quarantined]:
        t = tables.events
        rows = self._connection.execute(select(t).where(t.c.state == "quarantined").order_by(t.c.sequence))
        return [Quarantined(row.sequence, row.source, row.event_id, row.type, row.code, row.settled_at) for row in rows]

    def set_aside_about(self, customer_ids: Collection[str], code: str) -> list[int]:
        t = tables.events
        concerned = t.c.customer_id.in_(list(customer_ids))
        found = select(t.c.sequence).where(concerned, t.c.state == "quarantined", t.c.code == code)
        return list(self._connection.scalars(found.order_by(t.c.sequence)))

    def count_pending(self) -> int:
        t = tables.events
        return self._connection.scalar(select(func.count()).select_from(t).where(t.c.state == "pending")) or 0

    def oldest_pending_at(self) -> datetime | None:
        t = tables.events
        # Written out, as in the index: SQLite uses a partial index only if it sees that the condition holds.
        is_pending = t.c.state == bindparam("pending", "pending", literal_execute=True)
        return self._connection.scalar(select(t.c.received_at).where(is_pending).order_by(t.c.sequence).limit(1))

    def applied_after(self, sequence: int, limit: int) -> tuple[list[int], list[int]]:
        t = tables.events
        found = select(t.c.sequence, t.c.state).where(t.c.sequence > sequence).order_by(t.c.sequence).limit(limit)
        rows = self._connection.execute(found).all()
        applied = [row.sequence for row in rows if row.state == "applied"]
        return applied, [row.sequence for row in rows if row.state != "applied"]

    def applied_among(self, sequences: Collection[int]) -> list[int]:
        t = tables.events
        found = select(t.c.sequence).where(t.c.sequence.in_(list(sequences)), t.c.state == "applied")
        return list(self._connection.scalars(found.order_by(t.c.sequence)))

    def of_numbers(self, sequences: Collection[int]) -> list[StoredEvent]:
        t = tables.events
        found = select(t).where(t.c.sequence.in_(list(sequences))).order_by(t.c.sequence)
        return self._opened(self._connection.execute(found).all())

    def count_applied(self) -> int:
        t = tables.events
        return self._connection.scalar(select(func.count()).select_from(t).where(t.c.state == "applied")) or 0

    def forget(self, customer_id: str, told_until: datetime) -> None:
        t = tables.events
        of_customer = t.c.customer_id == customer_id
        before = self._vault.destroyed_at(customer_id)
        if before is None or before < told_until:
            later = select(t).where(of_customer, t.c.time > told_until, t.c.sealed.is_not(None))
            kept = self._opened(self._connection.execute(later).all())
            self._vault.destroy(customer_id, told_until)
            for stored in kept:
                _, sealed = self._sealed(stored.event)
                self._connection.execute(update(t).where(t.c.sequence == stored.sequence).values(sealed=sealed))
        told = update(t).where(of_customer, t.c.time <= told_until)
        self._connection.execute(told.where(t.c.sealed.is_not(None)).values(sealed=None))
        self._connection.execute(
            told.where(t.c.type == "customer-identified").values(data={"customer_id": customer_id})
        )

    def _sealed(self, event: Event) -> tuple[dict[str, Any], str | None]:
        """Return what of the data may stand in the clear, and the rest sealed, if there is any."""
        plain, personal = parted(event.type, event.data)
        if not personal:
            return plain, None
        place = place_of(event.source, event.id)
        return plain, self._vault.seal(person_of(plain, event.subject), place, json.dumps(personal))

    def _opened(self, rows: Sequence[Row[Any]]) -> list[StoredEvent]:
        """Return the events of whole rows; without the personal fields of those who were erased."""
        self._vault.prepare(person_of(row.data, row.subject) for row in rows if row.sealed is not None)
        return [StoredEvent(row.sequence, self._event(row)) for row in rows]

    def _event(self, row: Row[Any]) -> Event:
        data = row.data
        if row.sealed is not None:
            person = person_of(data, row.subject)
            opened = self._vault.open(person, place_of(row.source, row.event_id), row.sealed)
            data = data if opened is None else {**data, **json.loads(opened)}
        return Event(row.event_id, row.source, row.type, row.subject, row.time, data)
