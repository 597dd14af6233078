"""What is known, as rows that follow from events, read and written whatever they say."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, delete, func, insert, select, tuple_

from waggle.ports.state import Document, Key, StateTable
from waggle.storage import tables
from waggle.storage.repositories.base import Repository
from waggle.storage.tables import UtcTime

_KEYS: dict[StateTable, tuple[str, ...]] = {
    "consents": ("source", "event_id", "customer_id", "purpose", "channel", "stated_at"),
}
"""Where it is not the primary key. Consents of before events were noted have no event: it reads as ""."""
_LEFT_OUT: dict[StateTable, frozenset[str]] = {"consents": frozenset({"fact_id"})}
_PLACES = {"customers": "customers.sealed/{customer_id}", "consents": "consents.ip/{source}/{event_id}"}
"""Where the one personal column of a table is sealed; the person is `customer_id`."""
_HOLDS_JSON = frozenset({"customers"})
"""Of which the personal column is an object, not a text."""


class State(Repository):
    def keys(self, table: StateTable, after: Key | None, limit: int) -> list[Key]:
        columns = _columns(table)
        found = select(*columns).order_by(*columns).limit(limit)
        if after is not None:
            found = found.where(tuple_(*columns) > tuple_(*_values(table, after)))
        return [_key(row) for row in self._connection.execute(found)]

    def documents(self, table: StateTable, keys: Sequence[Key]) -> dict[Key, Document]:
        columns = _columns(table)
        wanted = tuple_(*columns).in_([_values(table, key) for key in keys])
        rows = self._connection.execute(select(_table(table)).where(wanted)).all()
        if table in _PLACES:
            self._vault.prepare(row.customer_id for row in rows)
        documents = [self._document(table, row) for row in rows]
        return {tuple(each[name] or "" for name in _key_names(table)): each for each in documents}

    def put(self, table: StateTable, key: Key, document: Document) -> None:
        t = _table(table)
        self.drop(table, key)
        row = {name: _stored(t, name, value) for name, value in document.items()}
        sealed = next((column.name for column in t.columns if column.info.get("personal")), None)
        if sealed is not None and row[sealed] is not None:
            place = _PLACES[table].format(**row)
            text = json.dumps(row[sealed]) if table in _HOLDS_JSON else row[sealed]
            row[sealed] = self._vault.seal(row["customer_id"], place, text)
        self._connection.execute(insert(t), row)

    def drop(self, table: StateTable, key: Key) -> None:
        t = _table(table)
        self._seen.clear()
        values = zip(_columns(table), _values(table, key), strict=True)
        self._connection.execute(delete(t).where(*(column == value for column, value in values)))

    def _document(self, table: StateTable, row: Row[Any]) -> Document:
        found = {}
        for column in _table(table).columns:
            if column.name in _LEFT_OUT.get(table, ()):
                continue
            value = getattr(row, column.name)
            if column.info.get("personal") and value is not None:
                place = _PLACES[table].format(**row._mapping)  # noqa: SLF001 -- as above
                opened = self._vault.open(row.customer_id, place, value)
                value = json.loads(opened) if opened is not None and table in _HOLDS_JSON else opened
            found[str(column.name)] = value.isoformat() if isinstance(value, datetime) else value
        return found


def _table(name: StateTable) -> Table:
    found: Table = tables.metadata.tables[name]
    return found


def _key_names(table: StateTable) -> tuple[str, ...]:
    return _KEYS.get(table) or tuple(column.name for column in _table(table).primary_key)


def _columns(table: StateTable) -> list[ColumnElement[Any]]:
    columns = [_table(table).c[name] for name in _key_names(table)]
    return [func.coalesce(column, "") if column.nullable else column for column in columns]


def _key(row: Row[Any]) -> Key:
    return tuple(value.isoformat() if isinstance(value, datetime) else value for value in row)


def _values(table: StateTable, key: Key) -> list[Any]:
    return [_stored(_table(table), name, value) for name, value in zip(_key_names(table), key, strict=True)]


def _stored(table: Table, name: str, value: Any) -> Any:  # noqa: ANN401 -- whatever the column holds
    is_time = isinstance(table.c[name].type, UtcTime)
    return datetime.fromisoformat(value) if is_time and value is not None else value
