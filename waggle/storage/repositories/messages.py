"""What shoppers get."""

from collections.abc import Collection
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, case, func, literal_column, or_, select, update

from waggle.domain.campaign import RECIPIENT
from waggle.domain.message import Message
from waggle.domain.outcome import of_message
from waggle.ports.unit_of_work import Link
from waggle.storage import tables
from waggle.storage.among import among
from waggle.storage.repositories.base import Repository, by_key, value_of, written_out
from waggle.storage.repositories.identities import Identities, OfPersons
from waggle.storage.repositories.streams import tell
from waggle.storage.vault import Vault


def _left_since() -> Select[Any]:
    t = tables.messages
    left = or_(
        t.c.state == literal_column("'claimed'"),
        and_(t.c.state.in_(written_out("handed_over", "sent", "in_doubt")), t.c.handed_over_at > bindparam("since")),
        t.c.doubted_at > bindparam("since"),
    )
    of_person = t.c.customer_id.in_(bindparam("ids", expanding=True))
    whose = (of_person, *(t.c[name] == bindparam(name) for name in ("purpose", "channel")))
    return select(func.count()).select_from(t).where(*whose, t.c.message_id != bindparam("but"), left)


_LEFT_SINCE = _left_since()
_WRITTEN_AMONG = select(tables.messages.c.enrolment_id).where(
    tables.messages.c.enrolment_id.in_(bindparam("ids", expanding=True)),
    tables.messages.c.state.in_(written_out("planned", "claimed", "handed_over", "sent", "in_doubt")),
)
_MESSAGES_OF_ENROLMENT = by_key(tables.messages, ("enrolment_id",)).order_by(tables.messages.c.planned_at)


def _left_of_many() -> Select[Any]:
    t = tables.messages
    columns = (t.c.message_id, t.c.customer_id, t.c.purpose, t.c.channel, t.c.state, t.c.handed_over_at, t.c.doubted_at)
    since = bindparam("since", type_=t.c.handed_over_at.type)
    left = or_(t.c.state == literal_column("'claimed'"), t.c.handed_over_at > since, t.c.doubted_at > since)
    return select(*columns).where(among(t.c.customer_id, "ids"), left)


_LEFT_OF_MANY = _left_of_many()
_FIELDS = tuple(field.name for field in fields(Message))
_OF_STEPS = select(tables.messages).where(
    tables.messages.c.enrolment_id == bindparam("enrolment_id"), among(tables.messages.c.step, "steps")
)


class Messages(OfPersons):
    def __init__(self, connection: Connection, vault: Vault, identities: Identities) -> None:
        super().__init__(connection, vault, identities)
        self._left_since: datetime | None = None
        self._left: dict[str, list[Row[Any]]] = {}
        self._left_under: dict[str, str] = {}

    def prepare(self, message_ids: Collection[str]) -> list[Message]:
        return [value_of(Message, row) for row in self._prepare(tables.messages, "message_id", message_ids)]

    def prepare_steps(self, steps: Collection[tuple[str, str]]) -> list[Message]:
        by_enrolment: dict[str, set[str]] = {}
        for enrolment_id, step in steps:
            by_enrolment.setdefault(enrolment_id, set()).add(step)
        found: list[Message] = []
        for enrolment_id, wanted in by_enrolment.items():
            if len(wanted) == 1:
                alone = self.get(enrolment_id, next(iter(wanted)))
                found += [alone] if alone is not None else []
                continue
            self._seen.update(((tables.messages, _step_key(enrolment_id, step)), None) for step in wanted)
            for row in self._connection.execute(_OF_STEPS, {"enrolment_id": enrolment_id, "steps": sorted(wanted)}):
                self._seen[tables.messages, _step_key(enrolment_id, row.step)] = row
                self._seen[tables.messages, (("message_id", row.message_id),)] = row
                found.append(value_of(Message, row))
        return found

    def prepare_left(self, customer_ids: Collection[str], since: datetime) -> None:
        ids = {each for customer_id in customer_ids for each in self._identities.all_of(customer_id)}
        self._left_since, self._left, self._left_under = since, {each: [] for each in ids}, {}
        for row in self._connection.execute(_LEFT_OF_MANY, {"ids": sorted(ids), "since": since}):
            self._left[row.customer_id].append(row)
            self._left_under[row.message_id] = row.customer_id

    def get(self, enrolment_id: str, step: str) -> Message | None:
        row = self._one(tables.messages, enrolment_id=enrolment_id, step=step)
        return None if row is None else value_of(Message, row)

    def by_id(self, message_id: str) -> Message | None:
        row = self._one(tables.messages, message_id=message_id)
        return None if row is None else value_of(Message, row)

    def save(self, message: Message) -> None:
        if message.final:
            tell(self._connection, of_message(self.by_id(message.message_id), message))
        # What was read of other messages goes on to be true.
        seen, self._seen = self._seen, {}
        self._save(tables.messages, row_of(message))
        for key in ((("message_id", message.message_id),), _step_key(message.enrolment_id, message.step)):
            seen.pop((tables.messages, key), None)
        self._seen = seen
        for customer_id in (self._left_under.get(message.message_id), message.customer_id):
            if customer_id is not None:
                self._left.pop(customer_id, None)

    def of_enrolment(self, enrolment_id: str) -> list[Message]:
        return self._all(Message, _MESSAGES_OF_ENROLMENT, {"enrolment_id": enrolment_id})

    def written_among(self, enrolment_ids: Collection[str]) -> set[str]:
        if not enrolment_ids:
            return set()
        return set(self._connection.scalars(_WRITTEN_AMONG, {"ids": list(enrolment_ids)}))

    def open_of_enrolment(self, enrolment_id: str) -> list[Message]:
        still_open = tables.messages.c.state.in_(bindparam("open", tables.OPEN, expanding=True, literal_execute=True))
        return self._all(Message, _MESSAGES_OF_ENROLMENT.where(still_open), {"enrolment_id": enrolment_id})

    def count_left_since(self, customer_id: str, purpose: str, channel: str, since: datetime, *, but: str) -> int:
        ids = self._identities.all_of(customer_id)
        if self._left_since is not None and since >= self._left_since and self._left.keys() >= set(ids):
            rows = (row for each in ids for row in self._left[each] if row.message_id != but)
            return sum((row.purpose, row.channel) == (purpose, channel) and _has_left(row, since) for row in rows)
        whose = {"ids": list(ids), "purpose": purpose, "channel": channel}
        return self._connection.scalar(_LEFT_SINCE, {**whose, "since": since, "but": but}) or 0

    def of_customer(self, customer_id: str) -> list[Message]:
        t = tables.messages
        of_person = t.c.customer_id.in_(self._identities.all_of(customer_id))
        return self._all(Message, select(t).where(of_person).order_by(t.c.planned_at, t.c.message_id))

    def note_click(self, message_id: str, at: datetime) -> None:
        t = tables.messages
        later = or_(t.c.clicked_at.is_(None), t.c.clicked_at > at)
        self._seen.clear()
        self._connection.execute(update(t).where(t.c.message_id == message_id, later).values(clicked_at=at))

    def count_sent_and_clicked(self, customer_id: str, purpose: str, since: datetime) -> tuple[int, int]:
        t = tables.messages
        sent = func.count().filter(t.c.handed_over_at > since, t.c.state.in_(written_out("sent", "in_doubt")))
        clicked = func.count().filter(t.c.clicked_at > since)
        theirs = (t.c.customer_id.in_(self._identities.all_of(customer_id)), t.c.purpose == purpose)
        found = self._connection.execute(select(sent, clicked).where(*theirs)).one()
        return found[0], found[1]

    def readers_after(self, customer_id: str, limit: int) -> list[str]:
        t = tables.messages
        found = select(t.c.customer_id).where(t.c.customer_id > customer_id, t.c.purpose == "marketing").distinct()
        return list(self._connection.scalars(found.order_by(t.c.customer_id).limit(limit)))

    def unengaged_among(self, customer_ids: Collection[str], since: datetime, least: int) -> list[str]:
        t = tables.messages
        sent = func.count().filter(t.c.handed_over_at > since, t.c.state == "sent")
        clicked = func.count().filter(t.c.clicked_at > since)
        advertised = (t.c.customer_id.in_(list(customer_ids)), t.c.purpose == "marketing")
        found = select(t.c.customer_id).where(*advertised).group_by(t.c.customer_id)
        return list(self._connection.scalars(found.having(sent >= least, clicked == 0).order_by(t.c.customer_id)))

    def overdue(self, now: datetime, limit: int) -> list[Message]:
        t, e = tables.messages, tables.enrolments
        # Written out, as in the index: SQLite uses a partial index only if it sees that the condition holds.
        still_open = t.c.state.in_(bindparam("open", tables.OPEN, expanding=True, literal_execute=True))
        lease_over = or_(t.c.lease_until.is_(None), t.c.lease_until < now)
        # Not `EXISTS`, for which PostgreSQL may read all enrolments that ever ended.
        journey = select(e.c.state).where(e.c.enrolment_id == t.c.enrolment_id).scalar_subquery()
        wanted = or_(t.c.state == "handed_over", t.c.expires_at <= now, journey == "ended")
        return self._all(Message, select(t).where(still_open, lease_over, wanted).order_by(t.c.expires_at).limit(limit))

    def in_doubt(self) -> list[Message]:
        t = tables.messages
        doubtful = t.c.state == bindparam("doubtful", "in_doubt", literal_execute=True)
        return self._all(Message, select(t).where(doubtful).order_by(t.c.handed_over_at, t.c.message_id))

    def newest(self, limit: int) -> list[Message]:
        t = tables.messages
        return self._all(Message, select(t).order_by(t.c.planned_at.desc(), t.c.message_id).limit(limit))

    def count_by_state(self) -> dict[tuple[str, str, str], int]:
        t = tables.messages
        # A campaign has a step for each recipient: for whoever counts they are one.
        step = case((t.c.step.startswith(RECIPIENT, autoescape=True), RECIPIENT[:-1]), else_=t.c.step).label("step")
        steps = select(step, t.c.state, t.c.reason).subquery()
        by = (steps.c.step, steps.c.state, steps.c.reason)
        rows = self._connection.execute(select(*by, func.count()).group_by(*by))
        return {(step, state, reason): count for step, state, reason, count in rows}


def row_of(message: Message) -> dict[str, object]:
    """Return the row of *message*; dataclasses' own way copies each value, which took as long as to store it."""
    return {name: getattr(message, name) for name in _FIELDS}


def _step_key(enrolment_id: str, step: str) -> tuple[tuple[str, object], ...]:
    return (("enrolment_id", enrolment_id), ("step", step))


def _has_left(row: Row[Any], since: datetime) -> bool:
    """Say of a row of `_LEFT_OF_MANY` what `_LEFT_SINCE` counts."""
    if row.state == "claimed" or (row.doubted_at is not None and row.doubted_at > since):
        return True
    left = row.state in {"handed_over", "sent", "in_doubt"}
    return left and row.handed_over_at is not None and row.handed_over_at > since


class Links(Repository):
    def add(self, link: Link) -> None:
        self._add(tables.links, asdict(link))

    def get(self, token: str) -> Link | None:
        row = self._one(tables.links, token=token)
        return None if row is None else value_of(Link, row)

    def of_message(self, message_id: str) -> list[Link]:
        t = tables.links
        return self._all(Link, select(t).where(t.c.message_id == message_id).order_by(t.c.token))
