"""What people decided, chained."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from waggle.domain.audit_chain import FIRST, row_hash
from waggle.ports.unit_of_work import AuditEntry, AuditHead, ChainedEntry
from waggle.storage import tables
from waggle.storage.repositories.base import Repository, value_of

_CHAIN = "audit"


class Audit(Repository):
    def add(self, entry: AuditEntry) -> None:
        head = self._head_for_update()
        row = {"sequence": head.sequence + 1, **asdict(entry), "detail": dict(entry.detail)}
        made = row_hash(head.row_hash, row)
        # First, since this is where another process that adds as well is met: on PostgreSQL this work then runs again.
        self._save(tables.audit_head, {"chain": _CHAIN, "sequence": row["sequence"], "row_hash": made})
        self._add(tables.audit, {**row, "row_hash": made})

    def of_subject(self, subject: str) -> list[AuditEntry]:
        t = tables.audit
        return self._all(AuditEntry, select(t).where(t.c.subject == subject).order_by(t.c.sequence))

    def page(
        self, after: int, limit: int, *, subject: str | None = None, since: datetime | None = None
    ) -> list[ChainedEntry]:
        t = tables.audit
        asked = select(t).where(t.c.sequence > after).order_by(t.c.sequence).limit(limit)
        if subject is not None:
            asked = asked.where(t.c.subject == subject)
        if since is not None:
            asked = asked.where(t.c.at >= since)
        return [_chained(row) for row in self._connection.execute(asked)]

    def newest(self, limit: int) -> list[ChainedEntry]:
        t = tables.audit
        asked = select(t).order_by(t.c.sequence.desc()).limit(limit)
        return [_chained(row) for row in self._connection.execute(asked)][::-1]

    def head(self) -> AuditHead | None:
        row = self._one(tables.audit_head, chain=_CHAIN)
        return None if row is None else value_of(AuditHead, row)

    def _head_for_update(self) -> AuditHead:
        t = tables.audit_head
        row = self._connection.execute(select(t).where(t.c.chain == _CHAIN).with_for_update()).one_or_none()
        if row is not None:
            return value_of(AuditHead, row)
        newest = self.newest(1)
        return AuditHead(newest[0].sequence, newest[0].row_hash) if newest else AuditHead(0, FIRST)


def _chained(row: Row[Any]) -> ChainedEntry:
    return ChainedEntry(row.sequence, value_of(AuditEntry, row), row.row_hash)
