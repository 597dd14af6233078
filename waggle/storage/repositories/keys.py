"""Who may send and ask."""

from datetime import datetime

from sqlalchemy import select

from waggle.storage import tables
from waggle.storage.repositories.base import Repository


class WriteKeys(Repository):
    def add(self, source: str, key_hash: str, created_at: datetime) -> None:
        self._save(tables.write_keys, {"key_hash": key_hash, "source": source, "created_at": created_at})

    def source_of(self, key_hash: str) -> str | None:
        row = self._one(tables.write_keys, key_hash=key_hash)
        return None if row is None else str(row.source)

    def sources(self) -> list[str]:
        t = tables.write_keys
        return list(self._connection.scalars(select(t.c.source).distinct().order_by(t.c.source)))
