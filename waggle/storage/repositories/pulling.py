"""How far sources and files were read."""

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import select

from waggle.ports.pulling import MAIN, Coverage, Cursor, ImportRun
from waggle.storage.repositories.base import Repository, value_of
from waggle.storage.tables import pulling as tables


class Pulling(Repository):
    def cursor(self, source: str, walk: str = MAIN) -> Cursor | None:
        row = self._one(tables.cursors, source=source, walk=walk)
        return None if row is None else value_of(Cursor, row)

    def cursors(self) -> list[Cursor]:
        t = tables.cursors
        return self._all(Cursor, select(t).order_by(t.c.source, t.c.walk))

    def save_cursor(self, cursor: Cursor) -> None:
        self._save(tables.cursors, asdict(cursor))

    def covered(self, source: str, kind: str, until: datetime) -> None:
        row = self._one(tables.coverage, source=source, kind=kind)
        if row is None or row.covered_until < until:
            self._save(tables.coverage, {"source": source, "kind": kind, "covered_until": until})

    def coverage(self) -> list[Coverage]:
        t = tables.coverage
        return self._all(Coverage, select(t).order_by(t.c.source, t.c.kind))

    def import_run(self, source: str, file_sha256: str) -> ImportRun | None:
        row = self._one(tables.import_runs, source=source, file_sha256=file_sha256)
        return None if row is None else value_of(ImportRun, row)

    def save_import_run(self, run: ImportRun) -> None:
        self._save(tables.import_runs, asdict(run))
