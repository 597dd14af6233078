"""Campaigns, what people are asked to approve, and who is logged in to the console."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, case, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from waggle.domain.approval import Approval
from waggle.domain.campaign import RECIPIENT, Campaign
from waggle.domain.message import Message
from waggle.ports.campaigns import ConsoleSession
from waggle.storage import tables
from waggle.storage.repositories.base import Repository, value_of
from waggle.storage.repositories.messages import row_of

_M = tables.messages.c
# Written out, as in the index: SQLite uses a partial index only if it sees that the condition holds.
_OPEN: ColumnElement[bool] = _M.state.in_(bindparam("open", tables.OPEN, expanding=True, literal_execute=True))
_OF_RECIPIENT = and_(_M.step >= RECIPIENT, _M.step < RECIPIENT[:-1] + chr(ord(RECIPIENT[-1]) + 1))
_READY_AT = case(
    (or_(_M.lease_until.is_(None), _M.lease_until < _M.not_before_at), _M.not_before_at), else_=_M.lease_until
)


def _open_of(enrolment_id: str) -> Select[Any]:
    return select(tables.messages).where(_OPEN, _M.enrolment_id == enrolment_id)


class Campaigns(Repository):
    def get(self, campaign_id: str) -> Campaign | None:
        row = self._one(tables.campaigns, campaign_id=campaign_id)
        return None if row is None else value_of(Campaign, row)

    def of_enrolment(self, enrolment_id: str) -> Campaign | None:
        row = self._one(tables.campaigns, enrolment_id=enrolment_id)
        return None if row is None else value_of(Campaign, row)

    def newest(self, limit: int) -> list[Campaign]:
        t = tables.campaigns
        return self._all(Campaign, select(t).order_by(t.c.requested_at.desc(), t.c.campaign_id).limit(limit))

    def save(self, campaign: Campaign) -> None:
        self._save(tables.campaigns, asdict(campaign))

    def plan(self, messages: Sequence[Message]) -> int:
        if not messages:
            return 0
        self._seen.clear()
        dialect = postgresql if self._connection.dialect.name == "postgresql" else sqlite
        statement = dialect.insert(tables.messages).on_conflict_do_nothing(index_elements=["enrolment_id", "step"])
        # The rows at hand and not their number: a statement for many tells only about its last.
        steps = [message.step for message in messages]
        known = select(_M.step).where(_M.enrolment_id == messages[0].enrolment_id, _M.step.in_(steps))
        before = set(self._connection.scalars(known))
        self._connection.execute(statement, [row_of(message) for message in messages])
        return len(set(steps) - before)

    def due(self, enrolment_id: str, now: datetime, limit: int) -> list[tuple[str, str]]:
        ready = and_(_M.not_before_at <= now, or_(_M.lease_until.is_(None), _M.lease_until <= now), _OF_RECIPIENT)
        wanted = select(_M.message_id, _M.step).where(_OPEN, _M.enrolment_id == enrolment_id, ready)
        rows = self._connection.execute(wanted.order_by(_M.not_before_at).limit(limit))
        return [(row.message_id, row.step) for row in rows]

    def reserve(self, message_ids: Collection[str], until: datetime) -> None:
        self._seen.clear()
        t = tables.messages
        self._connection.execute(update(t).where(_M.message_id.in_(list(message_ids))).values(not_before_at=until))

    def postpone(self, message_id: str, until: datetime) -> None:
        self._seen.clear()
        waiting = (_M.message_id == message_id, _M.state == "planned")
        self._connection.execute(update(tables.messages).where(*waiting).values(not_before_at=until))

    def open_messages(self, enrolment_id: str, limit: int) -> list[Message]:
        return self._all(Message, _open_of(enrolment_id).order_by(_M.not_before_at).limit(limit))

    def count_open(self, enrolment_id: str, most: int) -> int:
        few = _open_of(enrolment_id).with_only_columns(_M.message_id).limit(most).subquery()
        return self._connection.scalar(select(func.count()).select_from(few)) or 0

    def next_due_at(self, enrolment_id: str) -> datetime | None:
        wanted = select(_READY_AT).where(_OPEN, _M.enrolment_id == enrolment_id, _OF_RECIPIENT)
        found: datetime | None = self._connection.scalar(wanted.order_by(_READY_AT).limit(1))
        return found

    def results(self, enrolment_id: str) -> Mapping[tuple[str, str], int]:
        wanted = select(_M.state, _M.reason, func.count()).where(_M.enrolment_id == enrolment_id, _OF_RECIPIENT)
        rows = self._connection.execute(wanted.group_by(_M.state, _M.reason))
        return {(state, reason): count for state, reason, count in rows}


class Approvals(Repository):
    def get(self, approval_id: str) -> Approval | None:
        row = self._one(tables.approvals, approval_id=approval_id)
        return None if row is None else _approval(row)

    def of_step(self, enrolment_id: str, step: str) -> Approval | None:
        row = self._one(tables.approvals, enrolment_id=enrolment_id, step=step)
        return None if row is None else _approval(row)

    def waiting_of(self, enrolment_id: str) -> list[Approval]:
        t = tables.approvals
        return self._found(select(t).where(t.c.enrolment_id == enrolment_id, t.c.state == "waiting"))

    def waiting(self) -> list[Approval]:
        t = tables.approvals
        return self._found(select(t).where(_is_waiting()).order_by(t.c.asked_at, t.c.approval_id))

    def count_waiting(self) -> tuple[int, datetime | None]:
        count, oldest_at = self._connection.execute(
            select(func.count(), func.min(tables.approvals.c.asked_at)).where(_is_waiting())
        ).one()
        return count, oldest_at

    def newest(self, limit: int) -> list[Approval]:
        t = tables.approvals
        return self._found(select(t).order_by(t.c.asked_at.desc(), t.c.approval_id).limit(limit))

    def save(self, approval: Approval) -> None:
        self._save(tables.approvals, {**asdict(approval), "roles": list(approval.roles)})

    def _found(self, statement: Select[Any]) -> list[Approval]:
        return [_approval(row) for row in self._connection.execute(statement)]


def _is_waiting() -> ColumnElement[bool]:
    return tables.approvals.c.state == bindparam("waiting", "waiting", literal_execute=True)


def _approval(row: Row[Any]) -> Approval:
    return Approval(**{**row._mapping, "roles": tuple(row.roles)})  # noqa: SLF001 -- SQLAlchemy's public name for a row's columns by name


class ConsoleSessions(Repository):
    def get(self, session_hash: str) -> ConsoleSession | None:
        row = self._one(tables.console_sessions, session_hash=session_hash)
        return None if row is None else value_of(ConsoleSession, row)

    def save(self, session: ConsoleSession) -> None:
        self._save(tables.console_sessions, asdict(session))

    def end(self, session_hash: str) -> None:
        t = tables.console_sessions
        self._seen.clear()
        self._connection.execute(delete(t).where(t.c.session_hash == session_hash))

    def forget(self, expired_before: datetime) -> None:
        t = tables.console_sessions
        self._seen.clear()
        self._connection.execute(delete(t).where(t.c.expires_at < expired_before))
