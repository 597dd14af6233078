"""What shoppers get."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, bindparam, case, func, literal_column, or_, select, update

from waggle.domain.campaign import RECIPIENT
from waggle.domain.message import Message
from waggle.domain.outcome import of_message
from waggle.ports.unit_of_work import Link
from waggle.storage import tables
from waggle.storage.repositories.base import Repository, by_key, value_of, written_out
from waggle.storage.repositories.identities import OfPersons
from waggle.storage.repositories.streams import tell


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
_MESSAGES_OF_ENROLMENT = by_key(tables.messages, ("enrolment_id",)).order_by(tables.messages.c.planned_at)


class Messages(OfPersons):
    def get(self, enrolment_id: str, step: str) -> Message | None:
        row = self._one(tables.messages, enrolment_id=enrolment_id, step=step)
        return None if row is None else value_of(Message, row)

    def by_id(self, message_id: str) -> Message | None:
        row = self._one(tables.messages, message_id=message_id)
        return None if row is None else value_of(Message, row)

    def save(self, message: Message) -> None:
        if message.final:
            tell(self._connection, of_message(self.by_id(message.message_id), message))
        self._save(tables.messages, asdict(message))

    def of_enrolment(self, enrolment_id: str) -> list[Message]:
        return self._all(Message, _MESSAGES_OF_ENROLMENT, {"enrolment_id": enrolment_id})

    def open_of_enrolment(self, enrolment_id: str) -> list[Message]:
        still_open = tables.messages.c.state.in_(bindparam("open", tables.OPEN, expanding=True, literal_execute=True))
        return self._all(Message, _MESSAGES_OF_ENROLMENT.where(still_open), {"enrolment_id": enrolment_id})

    def count_left_since(self, customer_id: str, purpose: str, channel: str, since: datetime, *, but: str) -> int:
        whose = {"ids": list(self._identities.all_of(customer_id)), "purpose": purpose, "channel": channel}
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

    def unengaged(self, since: datetime, least: int, after: str, limit: int) -> list[str]:
        t = tables.messages
        sent = func.count().filter(t.c.handed_over_at > since, t.c.state == "sent")
        clicked = func.count().filter(t.c.clicked_at > since)
        advertised = (t.c.customer_id > after, t.c.purpose == "marketing")
        found = select(t.c.customer_id).where(*advertised).group_by(t.c.customer_id)
        found = found.having(sent >= least, clicked == 0).order_by(t.c.customer_id).limit(limit)
        return list(self._connection.scalars(found))

    def overdue(self, now: datetime, limit: int) -> list[Message]:
        t, e = tables.messages, tables.enrolments
        # Written out, as in the index: SQLite uses a partial index only if it sees that the condition holds.
        still_open = t.c.state.in_(bindparam("open", tables.OPEN, expanding=True, literal_execute=True))
        lease_over = or_(t.c.lease_until.is_(None), t.c.lease_until < now)
        ended = select(e.c.enrolment_id).where(e.c.enrolment_id == t.c.enrolment_id, e.c.state == "ended").exists()
        wanted = or_(t.c.state == "handed_over", t.c.expires_at <= now, ended)
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


class Links(Repository):
    def add(self, link: Link) -> None:
        self._add(tables.links, asdict(link))

    def get(self, token: str) -> Link | None:
        row = self._one(tables.links, token=token)
        return None if row is None else value_of(Link, row)

    def of_message(self, message_id: str) -> list[Link]:
        t = tables.links
        return self._all(Link, select(t).where(t.c.message_id == message_id).order_by(t.c.token))
