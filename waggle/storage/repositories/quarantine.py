"""What came in and could not be understood."""

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import bindparam, func, insert, select, update

from waggle.ports.quarantine import SetAside
from waggle.storage import tables
from waggle.storage.repositories.base import Repository

_NOBODY = "-quarantine"
"""Whose key the contents are sealed with: nobody could read whose they are."""


def _is_waiting() -> Any:  # noqa: ANN401 -- SQLAlchemy's own type of a condition
    # Written out, as in the index: SQLite uses a partial index only if it sees that the condition holds.
    return tables.quarantine.c.state == bindparam("waiting", "waiting", literal_execute=True)


class Quarantine(Repository):
    def add(self, source: str, topic: str, raw: bytes, code: str, at: datetime, *, where: str = "") -> int:  # noqa: PLR0913 -- what is kept of it
        t = tables.quarantine
        content = self._content_columns(source, topic, raw)
        known = self._same(source, topic, content["fingerprint"])
        if known is not None:
            return known
        row = {"source": source, "topic": topic, "code": code, "where": where, "set_aside_at": at, "state": "waiting"}
        self._seen.clear()
        made = self._connection.scalar(insert(t).values({**row, **content}).returning(t.c.quarantine_id))
        return int(made or 0)

    def waiting(self, limit: int, *, after: int = 0, source: str | None = None) -> list[SetAside]:
        t = tables.quarantine
        of_source = [] if source is None else [t.c.source == source]
        statement = select(t).where(_is_waiting(), t.c.quarantine_id > after, *of_source)
        return self._all(SetAside, statement.order_by(t.c.quarantine_id).limit(limit))

    def get(self, quarantine_id: int) -> SetAside | None:
        t = tables.quarantine
        found = self._all(SetAside, select(t).where(t.c.quarantine_id == quarantine_id))
        return found[0] if found else None

    def content(self, quarantine_id: int) -> bytes | None:
        row = self._one(tables.quarantine, quarantine_id=quarantine_id)
        if row is None or row.sealed is None:
            return None
        text = self._vault.open(_NOBODY, _place(row.fingerprint), row.sealed)
        return None if text is None else base64.b64decode(text)

    def replace(self, quarantine_id: int, raw: bytes, code: str, where: str) -> None:
        row = self._one(tables.quarantine, quarantine_id=quarantine_id)
        if row is None:
            return
        content = self._content_columns(row.source, row.topic, raw)
        if self._same(row.source, row.topic, content["fingerprint"]) in {None, quarantine_id}:
            self._change(quarantine_id, {**content, "code": code, "where": where})
        else:
            # It became what waits already under another number.
            self._change(quarantine_id, {"state": "dropped", "settled_at": row.set_aside_at, "sealed": None})

    def settle(self, quarantine_id: int, state: Literal["retried", "dropped"], at: datetime) -> None:
        self._change(quarantine_id, {"state": state, "settled_at": at, "sealed": None})

    def count_waiting(self) -> dict[tuple[str, str], int]:
        t = tables.quarantine
        rows = self._connection.execute(
            select(t.c.source, t.c.code, func.count()).where(_is_waiting()).group_by(t.c.source, t.c.code)
        )
        return {(source, code): count for source, code, count in rows}

    def _same(self, source: str, topic: str, fingerprint: object) -> int | None:
        """Return the number under which the same waits."""
        t = tables.quarantine
        same = select(t.c.quarantine_id).where(
            _is_waiting(), t.c.source == source, t.c.topic == topic, t.c.fingerprint == fingerprint
        )
        found = self._connection.scalar(same)
        return None if found is None else int(found)

    def _change(self, quarantine_id: int, values: Mapping[str, object]) -> None:
        t = tables.quarantine
        self._seen.clear()
        self._connection.execute(
            update(t).where(t.c.quarantine_id == quarantine_id, t.c.state == "waiting").values(dict(values))
        )

    def _content_columns(self, source: str, topic: str, raw: bytes) -> dict[str, object]:
        digest = hashlib.sha256(b"\0".join((source.encode(), topic.encode(), raw))).hexdigest()
        fingerprint = self._vault.blind("quarantine", digest)
        sealed = self._vault.seal(_NOBODY, _place(fingerprint), base64.b64encode(raw).decode())
        return {"fingerprint": fingerprint, "sealed": sealed, "content_bytes": len(raw)}


def _place(fingerprint: str) -> str:
    return f"quarantine.sealed/{fingerprint}"
