"""Whatever is held about one person, table by table, as the privacy map says; and what is older than it says."""

import json
from collections.abc import Callable, Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, and_, delete, exists, false, func, null, or_, select, tuple_, update

from waggle.ports.privacy import Overdue, OverduePage, RowKey, Way
from waggle.storage import tables
from waggle.storage.repositories.base import Repository
from waggle.storage.repositories.inbox import person_of, place_of

_Opener = Callable[[Row[Any]], tuple[str, str]]
"""Returns whose key sealed the column of a row, and its place."""

_OPENERS: dict[tuple[str, str], _Opener] = {
    ("customers", "sealed"): lambda row: (row.customer_id, f"customers.sealed/{row.customer_id}"),
    ("events", "sealed"): lambda row: (person_of(row.data, row.subject), place_of(row.source, row.event_id)),
    ("consents", "ip"): lambda row: (row.customer_id, f"consents.ip/{row.source}/{row.event_id}"),
    ("privacy_requests", "payload"): lambda row: (row.customer_id, f"privacy_requests.payload/{row.request_id}"),
}


_GO_ALONG = frozenset({"links"})
"""Tables without a term of their own, whose rows go with the row that they belong to."""


class PersonalData(Repository):
    def rows(self, way: Way, persons: Collection[str], columns: Sequence[str]) -> list[dict[str, Any]]:
        table = _table(way.table)
        found = self._connection.execute(select(table).where(_belongs(way, persons)).order_by(*table.primary_key))
        return [self._plain(way.table, row, columns) for row in found]

    def drop(self, way: Way, persons: Collection[str]) -> None:
        self._seen.clear()
        self._connection.execute(delete(_table(way.table)).where(_belongs(way, persons)))

    def over(self, overdue: Overdue, after: RowKey, limit: int) -> OverduePage:
        t = _table(overdue.table)
        keys = list(t.primary_key)
        # By the key, and the rest asked of each row: who looks for a time that has no index looks through everything.
        looked_at = select(*keys, _is_over(t, overdue).label("is_over")).order_by(*keys).limit(limit)
        if after:
            looked_at = looked_at.where(tuple_(*keys) > tuple_(*after, types=[key.type for key in keys]))
        rows = self._connection.execute(looked_at).all()
        found = [tuple(row)[:-1] for row in rows if row.is_over]
        return OverduePage(found, tuple(rows[-1])[:-1] if len(rows) == limit else None)

    def drop_over(self, overdue: Overdue, keys: Collection[RowKey]) -> int:
        t = _table(overdue.table)
        chosen = and_(_is_among(t, keys), _is_over(t, overdue))
        self._seen.clear()
        for other, names, named in _references(t):
            if other.name in _GO_ALONG:
                self._connection.execute(delete(other).where(other.c[names].in_(select(t.c[named]).where(chosen))))
        return self._connection.execute(delete(t).where(chosen)).rowcount

    def empty_over(self, overdue: Overdue, keys: Collection[RowKey]) -> int:
        t = _table(overdue.table)
        # None in a column of JSON would be the word null of JSON.
        emptied = {name: null() for name in overdue.columns if t.c[name].nullable}
        if not emptied:
            return 0
        self._seen.clear()
        chosen = and_(_is_among(t, keys), _is_over(t, overdue))
        return self._connection.execute(update(t).where(chosen).values(emptied)).rowcount

    def _plain(self, table: str, row: Row[Any], columns: Sequence[str]) -> dict[str, Any]:
        values = row._mapping  # noqa: SLF001 -- SQLAlchemy's public name for a row by name
        plain: dict[str, Any] = {}
        for name in columns:
            value = values[name]
            opener = _OPENERS.get((table, name))
            if value is not None and opener is not None:
                person, place = opener(row)
                value = _read(self._vault.open(person, place, value))
            plain[name] = value
        return plain


def _is_over(t: Table, overdue: Overdue) -> ColumnElement[bool]:
    over: ColumnElement[bool] = t.c[overdue.since] < overdue.before
    for other, names, named in _references(t):
        if other.name not in _GO_ALONG:
            # Rows that others hang on stay until those are over their time.
            over = and_(over, ~exists().where(other.c[names] == t.c[named]))
    for way in overdue.held:
        if overdue.persons:
            over = and_(over, ~func.coalesce(_belongs(way, overdue.persons), False))
    if overdue.columns:
        over = and_(over, or_(false(), *(t.c[name].is_not(None) for name in overdue.columns if t.c[name].nullable)))
    return over


def _is_among(t: Table, keys: Collection[RowKey]) -> ColumnElement[bool]:
    columns = list(t.primary_key)
    if len(columns) == 1:
        return columns[0].in_([key for (key,) in keys])
    return tuple_(*columns).in_(list(keys))


def _references(table: Table) -> list[tuple[Table, str, str]]:
    """Return (other table, its column, the column here) for each column elsewhere that names rows of *table*."""
    return [
        (other, key.parent.name, key.column.name)
        for other in tables.metadata.tables.values()
        for key in other.foreign_keys
        if key.column.table is table
    ]


def _read(text: str | None) -> object:
    """Return JSON as what it says, and any other text as it is."""
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def _table(name: str) -> Table:
    return tables.metadata.tables[name]


def _belongs(way: Way, persons: Collection[str]) -> ColumnElement[bool]:
    column: ColumnElement[Any] = _table(way.table).c[way.column]
    if way.through is None:
        return column.in_(list(persons))
    other = _table(way.through.table)
    [key] = other.primary_key
    return column.in_(select(key).where(_belongs(way.through, persons)))
