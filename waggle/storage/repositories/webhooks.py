"""Calls of webhooks: taken, turned away."""

from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from waggle.ports.webhooks import TakenBefore
from waggle.storage import tables
from waggle.storage.repositories.base import Repository


class Deliveries(Repository):
    def add(self, source: str, topic: str, delivery_id: str, body_sha256: str, at: datetime) -> TakenBefore:
        t = tables.webhook_deliveries
        # Where a vendor gives no id it is a hash of the body, and a plain one would confirm a guess of what it said.
        key = {"source": source, "topic": topic, "delivery_id": self._vault.blind("delivery", delivery_id)}
        body = self._vault.blind("body", body_sha256)
        added = self._connection.scalar(
            self._insert(t)
            .values(**key, body_sha256=body, received_at=at)
            .on_conflict_do_nothing()
            .returning(t.c.body_sha256)
        )
        self._seen.clear()
        self._connection.execute(delete(tables.webhook_ends).where(tables.webhook_ends.c.source == source))
        if added is not None:
            return "accepted"
        known = self._one(t, **key)
        return "duplicate" if known is not None and known.body_sha256 == body else "conflict"

    def refuse(self, source: str, code: str, count: int, at: datetime) -> None:
        t = tables.webhook_refusals
        statement = self._insert(t).values(source=source, code=code, count=count, last_at=at)
        more = {"count": t.c.count + statement.excluded["count"], "last_at": statement.excluded["last_at"]}
        self._connection.execute(statement.on_conflict_do_update(index_elements=["source", "code"], set_=more))

    def end(self, source: str, why: str, at: datetime) -> None:
        self._save(tables.webhook_ends, {"source": source, "why": why, "at": at})

    def last_heard_at(self, source: str) -> datetime | None:
        t = tables.webhook_deliveries
        return self._connection.scalar(
            select(t.c.received_at).where(t.c.source == source).order_by(t.c.received_at.desc()).limit(1)
        )

    def counts(self, source: str, since: datetime) -> dict[str, int]:
        t = tables.webhook_deliveries
        rows = self._connection.execute(
            select(t.c.topic, func.count()).where(t.c.source == source, t.c.received_at >= since).group_by(t.c.topic)
        )
        return {topic: int(count) for topic, count in rows}

    def refusals(self, source: str) -> dict[str, tuple[int, datetime]]:
        t = tables.webhook_refusals
        rows = self._connection.execute(select(t.c.code, t.c.count, t.c.last_at).where(t.c.source == source))
        return {code: (count, last_at) for code, count, last_at in rows}

    def ended(self, source: str) -> tuple[str, datetime] | None:
        row = self._one(tables.webhook_ends, source=source)
        return None if row is None else (row.why, row.at)

    def sweep(self, before: datetime, limit: int) -> int:
        t = tables.webhook_deliveries
        key = (t.c.source, t.c.topic, t.c.delivery_id)
        oldest = select(*key).where(t.c.received_at < before).order_by(t.c.received_at).limit(limit)
        self._seen.clear()
        return self._connection.execute(delete(t).where(tuple_(*key).in_(oldest))).rowcount

    def _insert(self, table: Any) -> Any:  # noqa: ANN401 -- two dialects' statements that share no type
        return (postgresql if self._connection.dialect.name == "postgresql" else sqlite).insert(table)
