"""Everything of one kind, a stretch of time at once."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Column, ColumnElement, Integer, Row, Table, Text, func, select, tuple_

from waggle.ports.bulk_reads import Dataset, Stretch
from waggle.ports.row_files import Kind, RowColumn
from waggle.storage import tables
from waggle.storage.repositories.base import Repository
from waggle.storage.repositories.streams import EVENT
from waggle.storage.tables.columns import UtcTime

_ROWS: dict[Dataset, tuple[Table, str, frozenset[str]]] = {
    # What leads on: tokens of a claim, words of a provider that might quote a person.
    "messages": (tables.messages, "planned_at", frozenset({"token", "lease_until", "provider_answer"})),
    "orders": (tables.orders, "placed_at", frozenset({"coupon_code", "told"})),
}
_ENVELOPE = (
    RowColumn("sequence", "whole"),
    RowColumn("applied_at", "time"),
    RowColumn("source", "text"),
    RowColumn("id", "text"),
    RowColumn("type", "text"),
    RowColumn("subject", "text"),
    RowColumn("time", "time"),
    RowColumn("data", "json"),
)
_OUTCOME = (
    RowColumn("outcome_id", "whole"),
    RowColumn("type", "text"),
    RowColumn("subject", "text"),
    RowColumn("customer_id", "text"),
    RowColumn("at", "time"),
    RowColumn("data", "json"),
)


class BulkReads(Repository):
    def columns(self, dataset: Dataset) -> Sequence[RowColumn]:
        if dataset == "events":
            return _ENVELOPE
        if dataset == "outcomes":
            return _OUTCOME
        return [RowColumn(column.name, _kind(column)) for column in _told(dataset)]

    def first_at(self, dataset: Dataset) -> datetime | None:
        t = tables.outcomes
        if dataset in _ROWS:
            table, time, _ = _ROWS[dataset]
            oldest: datetime | None = self._connection.scalar(select(func.min(table.c[time])))
            return oldest
        return self._connection.scalar(select(t.c.at).where(_is_of(dataset)).order_by(t.c.at).limit(1))

    def page(self, dataset: Dataset, since: datetime, until: datetime, after: str, limit: int) -> Stretch:
        if dataset in _ROWS:
            return self._rows(dataset, since, until, after, limit)
        return self._told(dataset, since, until, after, limit)

    def _rows(self, dataset: Dataset, since: datetime, until: datetime, after: str, limit: int) -> Stretch:
        table, time, _ = _ROWS[dataset]
        [key] = table.primary_key.columns
        at = table.c[time]
        wanted = select(*_told(dataset)).where(at >= since, at < until)
        if after:
            last_at, _, last = after.partition(" ")
            place = tuple_(datetime.fromisoformat(last_at), last, types=[UtcTime(), Text()])
            wanted = wanted.where(tuple_(at, key) > place)
        # By an index on both: by the key alone each day would look through all days.
        rows = self._connection.execute(wanted.order_by(at, key).limit(limit)).all()
        found = [dict(row._mapping) for row in rows]  # noqa: SLF001 -- SQLAlchemy's public name for a row's columns by name
        then = f"{found[-1][time].isoformat()} {found[-1][key.name]}" if len(found) == limit else ""
        return Stretch(found, then)

    def _told(self, dataset: Dataset, since: datetime, until: datetime, after: str, limit: int) -> Stretch:
        t, e = tables.outcomes, tables.events
        wanted = select(t).where(_is_of(dataset), t.c.at >= since, t.c.at < until)
        if dataset == "events":
            plain = [
                e.c[name].label(f"event_{name}") for name in ("event_id", "source", "type", "subject", "time", "data")
            ]
            wanted = wanted.add_columns(*plain).join(e, e.c.sequence == t.c.event_sequence)
        if after:
            at, _, outcome_id = after.partition(" ")
            place = tuple_(t.c.at, t.c.outcome_id)
            wanted = wanted.where(
                place > tuple_(datetime.fromisoformat(at), int(outcome_id), types=[UtcTime(), Integer()])
            )
        rows = self._connection.execute(wanted.order_by(t.c.at, t.c.outcome_id).limit(limit)).all()
        then = f"{rows[-1].at.isoformat()} {rows[-1].outcome_id}" if len(rows) == limit else ""
        return Stretch([_event(row) if dataset == "events" else _outcome(row) for row in rows], then)


def _is_of(dataset: Dataset) -> ColumnElement[bool]:
    t = tables.outcomes
    return t.c.type == EVENT if dataset == "events" else t.c.type != EVENT


def _told(dataset: Dataset) -> list[Column[Any]]:
    table, _, kept = _ROWS[dataset]
    return [column for column in table.c if column.name not in kept and not column.info.get("personal")]


def _kind(column: Column[Any]) -> Kind:
    kinds: tuple[tuple[type, Kind], ...] = ((UtcTime, "time"), (Boolean, "flag"), (Integer, "whole"), (JSON, "json"))
    return next((kind for of, kind in kinds if isinstance(column.type, of)), "text")


def _event(row: Row[Any]) -> Mapping[str, Any]:
    return {
        "sequence": row.event_sequence,
        "applied_at": row.at,
        "source": row.event_source,
        "id": row.event_event_id,
        "type": row.event_type,
        "subject": row.event_subject,
        "time": row.event_time,
        "data": row.event_data,
    }


def _outcome(row: Row[Any]) -> Mapping[str, Any]:
    return {column.name: getattr(row, column.name) for column in _OUTCOME}
