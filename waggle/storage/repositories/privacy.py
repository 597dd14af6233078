"""What people asked of us about their data, what was made for them, and what left the house."""

import base64
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, delete, func, select, update

from waggle.domain.privacy import Export, LegalHold, OneTimeLink, PrivacyRequest, Transfer
from waggle.storage import tables
from waggle.storage.repositories.base import Repository
from waggle.storage.repositories.identities import OfPersons

_CLOSED = ("done", "refused")


class PrivacyRequests(OfPersons):
    def add(self, request: PrivacyRequest) -> None:
        self._add(tables.privacy_requests, self._row(request))

    def get(self, request_id: str) -> PrivacyRequest | None:
        row = self._one(tables.privacy_requests, request_id=request_id)
        return None if row is None else self._request(row)

    def save(self, request: PrivacyRequest) -> None:
        self._save(tables.privacy_requests, self._row(request))

    def of_customer(self, customer_id: str) -> list[PrivacyRequest]:
        t = tables.privacy_requests
        ids = list(self._identities.all_of(customer_id))
        return self._requests(select(t).where(t.c.customer_id.in_(ids)).order_by(t.c.opened_at.desc()))

    def newest(self, limit: int, *, all_states: bool) -> list[PrivacyRequest]:
        t = tables.privacy_requests
        wanted = select(t).order_by(t.c.due_at, t.c.request_id).limit(limit)
        return self._requests(wanted if all_states else wanted.where(t.c.state.not_in(_CLOSED)))

    def count_overdue(self, now: datetime) -> int:
        t = tables.privacy_requests
        late = select(func.count()).select_from(t).where(t.c.state.not_in(_CLOSED), t.c.due_at < now)
        return self._connection.scalar(late) or 0

    def _requests(self, statement: Select[Any]) -> list[PrivacyRequest]:
        return [self._request(row) for row in self._connection.execute(statement)]

    def _row(self, request: PrivacyRequest) -> dict[str, object]:
        row = asdict(request)
        if request.payload is not None:
            row["payload"] = self._vault.seal(request.customer_id, _wish(request.request_id), request.payload)
        return row

    def _request(self, row: Row[Any]) -> PrivacyRequest:
        found = dict(row._mapping)  # noqa: SLF001 -- SQLAlchemy's public name for a row's columns by name
        if found["payload"] is not None:
            found["payload"] = self._vault.open(row.customer_id, _wish(row.request_id), found["payload"])
        return PrivacyRequest(**found)


class OneTimeLinks(Repository):
    def signature(self, text: str) -> str:
        return self._vault.blind("link", text)

    def add(self, link: OneTimeLink) -> None:
        row = asdict(link)
        if link.payload is not None:
            row["payload"] = self._vault.seal(link.customer_id, _link(link.token_sha256), link.payload)
        self._save(tables.one_time_links, row)

    def get(self, token_sha256: str) -> OneTimeLink | None:
        row = self._one(tables.one_time_links, token_sha256=token_sha256)
        if row is None:
            return None
        found = dict(row._mapping)  # noqa: SLF001 -- SQLAlchemy's public name for a row's columns by name
        if found["payload"] is not None:
            found["payload"] = self._vault.open(row.customer_id, _link(token_sha256), found["payload"])
        return OneTimeLink(**found)

    def mark_used(self, token_sha256: str, at: datetime) -> None:
        t = tables.one_time_links
        self._seen.clear()
        self._connection.execute(update(t).where(t.c.token_sha256 == token_sha256).values(used_at=at, payload=None))

    def drop(self, expired_before: datetime, limit: int) -> int:
        t = tables.one_time_links
        over = select(t.c.token_sha256).where(t.c.expires_at < expired_before).limit(limit)
        self._seen.clear()
        return self._connection.execute(delete(t).where(t.c.token_sha256.in_(over))).rowcount

    def drop_of(self, customer_id: str) -> None:
        t = tables.one_time_links
        self._seen.clear()
        self._connection.execute(delete(t).where(t.c.customer_id == customer_id))


class Exports(Repository):
    def save(self, export: Export) -> None:
        row: dict[str, object] = {**asdict(export), "archive_bytes": len(export.archive or b"")}
        if export.archive is not None:
            text = base64.b64encode(export.archive).decode()
            row["archive"] = self._vault.seal(export.customer_id, _archive(export.request_id), text)
        self._save(tables.exports, row)

    def get(self, request_id: str) -> Export | None:
        row = self._one(tables.exports, request_id=request_id)
        if row is None:
            return None
        found = dict(row._mapping)  # noqa: SLF001 -- SQLAlchemy's public name for a row's columns by name
        del found["archive_bytes"]
        if found["archive"] is not None:
            text = self._vault.open(row.customer_id, _archive(request_id), found["archive"])
            found["archive"] = None if text is None else base64.b64decode(text)
        return Export(**found)

    def drop_archives(self, expired_before: datetime, limit: int) -> int:
        t = tables.exports
        over = select(t.c.request_id).where(t.c.expires_at < expired_before, t.c.archive.is_not(None)).limit(limit)
        self._seen.clear()
        return self._connection.execute(update(t).where(t.c.request_id.in_(over)).values(archive=None)).rowcount

    def drop_of(self, customer_id: str) -> None:
        t = tables.exports
        self._seen.clear()
        self._connection.execute(delete(t).where(t.c.customer_id == customer_id))


class Transfers(Repository):
    def add(self, transfer: Transfer) -> None:
        self._add(tables.transfers, asdict(transfer))

    def newest(self, limit: int) -> list[Transfer]:
        t = tables.transfers
        return self._all(Transfer, select(t).order_by(t.c.transfer_id.desc()).limit(limit))

    def totals(self) -> list[tuple[str, str, int, datetime]]:
        t = tables.transfers
        rows = self._connection.execute(
            select(t.c.destination, t.c.purpose, func.sum(t.c.count), func.max(t.c.at))
            .group_by(t.c.destination, t.c.purpose)
            .order_by(t.c.destination, t.c.purpose)
        )
        return [(destination, purpose, int(count), at) for destination, purpose, count, at in rows]


class LegalHolds(Repository):
    def add(self, hold: LegalHold) -> None:
        self._save(tables.legal_holds, asdict(hold))

    def lift(self, customer_id: str) -> None:
        t = tables.legal_holds
        self._seen.clear()
        self._connection.execute(delete(t).where(t.c.customer_id == customer_id))

    def all(self) -> list[LegalHold]:
        t = tables.legal_holds
        return self._all(LegalHold, select(t).order_by(t.c.since, t.c.customer_id))

    def is_held(self, customer_id: str) -> bool:
        return self._one(tables.legal_holds, customer_id=customer_id) is not None


class RetentionRuns(Repository):
    def begin(self, day: str, at: datetime, stale_before: datetime) -> bool:
        row = self._one(tables.retention_runs, day=day)
        if row is not None and (row.finished_at is not None or row.started_at > stale_before):
            return False
        self._save(tables.retention_runs, {"day": day, "started_at": at, "finished_at": None})
        return True

    def finish(self, day: str, at: datetime) -> None:
        t = tables.retention_runs
        self._seen.clear()
        self._connection.execute(update(t).where(t.c.day == day).values(finished_at=at))


def _wish(request_id: str) -> str:
    return f"privacy_requests.payload/{request_id}"


def _link(token_sha256: str) -> str:
    return f"one_time_links.payload/{token_sha256}"


def _archive(request_id: str) -> str:
    return f"exports.archive/{request_id}"
