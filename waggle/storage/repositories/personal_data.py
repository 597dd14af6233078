"""Whatever is held about one person, table by table, as the privacy map says; and what is older than it says."""

import json
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, and_, delete, exists, func, null, or_, select, update

from waggle.ports.privacy import Way
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

    def count_over(
        self, table: str, since: str, before: datetime, held: Sequence[Way], persons: Collection[str]
    ) -> int:
        t = _table(table)
        old = self._over(table, since, before, held, persons)
        return self._connection.scalar(select(func.count()).select_from(t).where(old)) or 0

    def drop_over(  # noqa: PLR0913, PLR0917 -- which rows, and how many at once
        self, table: str, since: str, before: datetime, held: Sequence[Way], persons: Collection[str], limit: int
    ) -> int:
        t = _table(table)
        chosen = self._some(t, self._over(table, since, before, held, persons), limit)
        if chosen is None:
            return 0
        self._seen.clear()
        for other, names, named in _references(t):
            if other.name in _GO_ALONG:
                self._connection.execute(delete(other).where(other.c[names].in_(select(t.c[named]).where(chosen))))
        return self._connection.execute(delete(t).where(chosen)).rowcount

    def empty_over(  # noqa: PLR0913, PLR0917 -- which rows, what of them, and how many at once
        self,
        table: str,
        since: str,
        before: datetime,
        held: Sequence[Way],
        persons: Collection[str],
        columns: Sequence[str],
        limit: int,
    ) -> int:
        t = _table(table)
        full = [t.c[name].is_not(None) for name in columns if t.c[name].nullable]
        if not full:
            return 0
        over = self._over(table, since, before, held, persons)
        chosen = self._some(t, and_(over, or_(*full)), limit)
        if chosen is None:
            return 0
        # None in a column of JSON would be the word null of JSON.
        emptied = {name: null() for name in columns if t.c[name].nullable}
        self._seen.clear()
        return self._connection.execute(update(t).where(chosen).values(emptied)).rowcount

    def _over(
        self, table: str, since: str, before: datetime, held: Sequence[Way], persons: Collection[str]
    ) -> ColumnElement[bool]:
        t = _table(table)
        old: ColumnElement[bool] = t.c[since] < before
        for other, names, named in _references(t):
            if other.name not in _GO_ALONG:
                # Rows that others hang on stay until those are over their time.
                old = and_(old, ~exists().where(other.c[names] == t.c[named]))
        for way in held:
            if persons:
                old = and_(old, ~func.coalesce(_belongs(way, persons), False))
        return old

    def _some(self, t: Table, condition: ColumnElement[bool], limit: int) -> ColumnElement[bool] | None:
        """Return a condition on the keys of *limit* rows at most, so that no transaction lasts."""
        keys = list(t.primary_key)
        found = self._connection.execute(select(*keys).where(condition).limit(limit)).all()
        if not found:
            return None
        if len(keys) == 1:
            return keys[0].in_([row[0] for row in found])
        chosen: ColumnElement[bool] | None = None
        for row in found:
            this = and_(*(key == value for key, value in zip(keys, row, strict=True)))
            chosen = this if chosen is None else chosen | this
        return chosen

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
