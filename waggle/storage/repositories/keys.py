"""Who may send, ask and decide."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Row, or_, select, update

from waggle.ports.keys import Key, Kind, Person
from waggle.storage import tables
from waggle.storage.repositories.base import Repository, by_key, value_of


class Keys(Repository):
    def get(self, key_id: str) -> Key | None:
        row = self._one(tables.keys, key_id=key_id)
        return None if row is None else _key(row)

    def by_hash(self, key_hash: str) -> Key | None:
        row = self._one(tables.keys, key_hash=key_hash)
        return None if row is None else _key(row)

    def all(self) -> list[Key]:
        t = tables.keys
        return [_key(row) for row in self._connection.execute(select(t).order_by(t.c.created_at, t.c.key_id))]

    def of(self, name: str, kind: Kind) -> list[Key]:
        key = {"name": name, "kind": kind}
        return [_key(row) for row in self._connection.execute(by_key(tables.keys, tuple(key)), key)]

    def save(self, key: Key) -> None:
        self._save(tables.keys, {**asdict(key), "scopes": list(key.scopes)})

    def used(self, key_id: str, at: datetime) -> None:
        t = tables.keys
        is_newer = or_(t.c.last_used_at.is_(None), t.c.last_used_at < at)
        self._seen.clear()
        self._connection.execute(update(t).where(t.c.key_id == key_id, is_newer).values(last_used_at=at))

    def sources(self) -> list[str]:
        t = tables.keys
        given = select(t.c.source).where(t.c.source.is_not(None))
        return list(self._connection.scalars(given.distinct().order_by(t.c.source)))


class People(Repository):
    def get(self, name: str) -> Person | None:
        row = self._one(tables.staff, name=name)
        return None if row is None else value_of(Person, row)

    def all(self) -> list[Person]:
        return self._all(Person, select(tables.staff).order_by(tables.staff.c.name))

    def save(self, person: Person) -> None:
        self._save(tables.staff, asdict(person))


def _key(row: Row[Any]) -> Key:
    return Key(**{**row._mapping, "scopes": tuple(row.scopes)})  # noqa: SLF001 -- SQLAlchemy's public name for a row's columns by name
