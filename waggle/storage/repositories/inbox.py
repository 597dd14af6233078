"""Accepted events."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, func, insert, literal_column, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from waggle.domain.event import Event
from waggle.ports.unit_of_work import Admission, Quarantined, StoredEvent
from waggle.storage import tables
from waggle.storage.repositories.base import Repository


def _pending_about() -> Select[Any]:
    t = tables.events
    # Also by what the data names: the sender may have given another subject.
    named = (t.c.subject, t.c.data["customer_id"].as_string(), t.c.data["cart_id"].as_string())
    concerned = or_(*(name.in_(bindparam("subjects", expanding=True)) for name in named))
    # Written out, as in the index: a condition given as a parameter makes SQLite plan the statement each time.
    return select(t.c.sequence).where(t.c.state == literal_column("'pending'"), concerned).limit(1)


_PENDING_ABOUT = _pending_about()


class Events(Repository):
    def add(self, event: Event, received_at: datetime, body_sha256: str) -> Admission:
        dialect = postgresql if self._connection.dialect.name == "postgresql" else sqlite
        inserted = self._connection.scalar(
            dialect.insert(tables.events)
            .values(
                source=event.source,
                event_id=event.id,
                type=event.type,
                subject=event.subject,
                time=event.time,
                received_at=received_at,
                body_sha256=body_sha256,
                data=event.data,
                state="pending",
            )
            .on_conflict_do_nothing(index_elements=["source", "event_id"])
            .returning(tables.events.c.sequence)
        )
        if inserted is not None:
            return "accepted"
        known = self._connection.scalar(
            select(tables.events.c.body_sha256).where(
                tables.events.c.source == event.source, tables.events.c.event_id == event.id
            )
        )
        return "duplicate" if known == body_sha256 else "conflict"

    def refuse(self, source: str, event_id: str, code: str, body_sha256: str, refused_at: datetime) -> None:
        self._connection.execute(
            insert(tables.refused_events).values(
                source=source, event_id=event_id, code=code, body_sha256=body_sha256, refused_at=refused_at
            )
        )

    def pending(self, limit: int) -> list[StoredEvent]:
        t = tables.events
        rows = self._connection.execute(
            select(t).where(t.c.state == "pending").order_by(t.c.sequence).limit(limit).with_for_update()
        )
        return [
            StoredEvent(row.sequence, Event(row.event_id, row.source, row.type, row.subject, row.time, row.data))
            for row in rows
        ]

    def any_pending(self, subjects: Collection[str]) -> bool:
        return self._connection.scalar(_PENDING_ABOUT, {"subjects": list(subjects)}) is not None

    def mark_applied(self, sequences: Collection[int], applied_at: datetime) -> None:
        t = tables.events
        self._connection.execute(
            update(t).where(t.c.sequence.in_(list(sequences))).values(state="applied", settled_at=applied_at)
        )

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
        return [Quarantined(row.sequence, row.source, row.event_id, row.type, row.code) for row in rows]

    def count_pending(self) -> int:
        t = tables.events
        return self._connection.scalar(select(func.count()).select_from(t).where(t.c.state == "pending")) or 0

    def oldest_pending_at(self) -> datetime | None:
        t = tables.events
        # Written out, as in the index: SQLite uses a partial index only if it sees that the condition holds.
        is_pending = t.c.state == bindparam("pending", "pending", literal_execute=True)
        return self._connection.scalar(select(t.c.received_at).where(is_pending).order_by(t.c.sequence).limit(1))

    def forget(self, customer_id: str, told_until: datetime) -> None:
        t = tables.events
        # Not by the subject: the sender may have given another one.
        of_customer = t.c.data["customer_id"].as_string() == customer_id
        self._connection.execute(
            update(t)
            .where(t.c.type == "customer-identified", of_customer, t.c.time <= told_until)
            .values(data={"customer_id": customer_id})
        )
