"""What is on its way out, and how far each stream is."""

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, literal, or_, select, update

from waggle.domain.event import Event
from waggle.domain.outcome import Outcome
from waggle.ports.streams import StreamState, Told
from waggle.storage import tables
from waggle.storage.repositories.base import Repository, value_of

EVENT = "event"
"""Type of a row that stands for an applied event."""
_TELL = insert(tables.outcomes)


def tell(connection: Connection, outcome: Outcome | None) -> None:
    """Add *outcome* to what is told, if there is one."""
    if outcome is not None:
        connection.execute(
            _TELL,
            {
                "type": outcome.type,
                "subject": outcome.subject,
                "customer_id": outcome.customer_id,
                "at": outcome.at,
                "data": dict(outcome.data),
            },
        )


def tell_applied(connection: Connection, sequences: Collection[int], at: datetime) -> None:
    """Add events that were applied to what is told."""
    if sequences:
        rows = [{"type": EVENT, "event_sequence": sequence, "at": at} for sequence in sorted(sequences)]
        connection.execute(_TELL, rows)


class Outcomes(Repository):
    def number(self, limit: int) -> int:
        t = tables.outcomes
        fresh = (
            select(t.c.outcome_id, func.row_number().over(order_by=t.c.outcome_id).label("place"))
            .where(t.c.position.is_(None))
            .order_by(t.c.outcome_id)
            .limit(limit)
            .subquery()
        )
        given = (
            update(t)
            .where(t.c.outcome_id == fresh.c.outcome_id)
            .values(position=literal(self.head()) + fresh.c.place)
            .execution_options(preserve_rowcount=True)
        )
        return self._connection.execute(given).rowcount

    def any_unnumbered(self) -> bool:
        t = tables.outcomes
        return self._connection.scalar(select(t.c.outcome_id).where(t.c.position.is_(None)).limit(1)) is not None

    def after(self, position: int, limit: int) -> list[Told]:
        t, e = tables.outcomes, tables.events
        found = (
            select(t, e.c.event_id, e.c.source, e.c.type.label("event_type"))
            .add_columns(e.c.subject.label("event_subject"), e.c.time, e.c.data.label("event_data"))
            .outerjoin(e, e.c.sequence == t.c.event_sequence)
            .where(t.c.position > position)
            .order_by(t.c.position)
            .limit(limit)
        )
        return [_told(row) for row in self._connection.execute(found)]

    def head(self) -> int:
        # A stream's as well: what was told long ago may have been deleted.
        given = (select(func.max(table.c.position)) for table in (tables.outcomes, tables.streams))
        return max(self._connection.scalar(each) or 0 for each in given)

    def position_before(self, at: datetime) -> int:
        t = tables.outcomes
        first = self._connection.scalar(select(func.min(t.c.position)).where(t.c.at >= at))
        return first - 1 if first is not None else self.head()

    def waiting(self, position: int) -> tuple[int, datetime | None]:
        t = tables.outcomes
        ahead = or_(t.c.position > position, t.c.position.is_(None))
        count, oldest_at = self._connection.execute(select(func.count(), func.min(t.c.at)).where(ahead)).one()
        return count, oldest_at


class Streams(Repository):
    def get(self, name: str) -> StreamState | None:
        row = self._one(tables.streams, name=name)
        return None if row is None else value_of(StreamState, row)

    def all(self) -> list[StreamState]:
        return self._all(StreamState, select(tables.streams).order_by(tables.streams.c.name))

    def add(self, state: StreamState) -> None:
        self._add(tables.streams, asdict(state))

    def hold(self, name: str, holder: str, now: datetime, until: datetime) -> bool:
        t = tables.streams
        free = or_(t.c.holder == holder, t.c.holder.is_(None), t.c.held_until < now)
        return self._change(and_(t.c.name == name, free), holder=holder, held_until=until)

    def confirm(self, name: str, holder: str, before: int, position: int, at: datetime) -> bool:
        t = tables.streams
        unchanged = and_(t.c.name == name, t.c.holder == holder, t.c.position == before)
        return self._change(unchanged, position=position, confirmed_at=at, failures=0, code=None, failed_at=None)

    def fail(self, name: str, code: str, at: datetime) -> None:
        t = tables.streams
        self._change(t.c.name == name, failures=t.c.failures + 1, code=code, failed_at=at)

    def rewind(self, name: str, position: int) -> None:
        self._change(tables.streams.c.name == name, position=position)

    def _change(self, which: Any, **values: object) -> bool:  # noqa: ANN401 -- SQLAlchemy's own word for a condition
        self._seen.clear()
        changed = update(tables.streams).where(which).values(**values)
        return self._connection.execute(changed.execution_options(preserve_rowcount=True)).rowcount == 1


def _told(row: Row[Any]) -> Told:
    event = outcome = None
    if row.type != EVENT:
        outcome = Outcome(type=row.type, subject=row.subject, customer_id=row.customer_id, at=row.at, data=row.data)
    elif row.event_id is not None:
        event = Event(row.event_id, row.source, row.event_type, row.event_subject, row.time, row.event_data)
    return Told(
        position=row.position,
        outcome_id=row.outcome_id,
        event=event,
        event_sequence=row.event_sequence,
        outcome=outcome,
    )
