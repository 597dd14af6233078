"""What people decided."""

from dataclasses import asdict

from sqlalchemy import select

from waggle.ports.unit_of_work import AuditEntry
from waggle.storage import tables
from waggle.storage.repositories.base import Repository


class Audit(Repository):
    def add(self, entry: AuditEntry) -> None:
        self._add(tables.audit, {**asdict(entry), "detail": dict(entry.detail)})

    def of_subject(self, subject: str) -> list[AuditEntry]:
        t = tables.audit
        return self._all(AuditEntry, select(t).where(t.c.subject == subject).order_by(t.c.sequence))
