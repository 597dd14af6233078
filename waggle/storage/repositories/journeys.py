"""Who is in which journey, and what the engine is told."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, func, literal_column, select, update
from sqlalchemy.dialects import postgresql, sqlite

from waggle.domain.enrolment import Enrolment
from waggle.domain.outcome import of_enrolment
from waggle.ports.journey_engine import EngineMessage
from waggle.ports.unit_of_work import QueuedMessage, RefusedMessage
from waggle.storage import tables
from waggle.storage.repositories.base import Repository, by_key, value_of, written_out
from waggle.storage.repositories.identities import Identities, OfPersons
from waggle.storage.repositories.streams import tell
from waggle.storage.vault import Vault

_E = tables.enrolments.c
_LIVE = _E.state != literal_column("'ended'")
_NEWEST = by_key(tables.enrolments, ("journey", "business_key")).order_by(_E.entry.desc()).limit(1)
_LIVE_OF_CART = by_key(tables.enrolments, ("cart_id",)).where(_LIVE)
_LIVE_OF_PERSON = (
    select(tables.enrolments).where(_E.customer_id.in_(bindparam("ids", expanding=True)), _LIVE).order_by(_E.entered_at)
)
_LIVE_OF_SKU = by_key(tables.enrolments, ("journey", "sku")).where(_LIVE, _E.sku.is_not(None)).order_by(_E.entered_at)
_WRITTEN = (
    select(tables.messages.c.message_id)
    .where(
        tables.messages.c.enrolment_id == _E.enrolment_id,
        tables.messages.c.state.in_(written_out("planned", "claimed", "handed_over", "sent", "in_doubt")),
    )
    .exists()
)
_UNWRITTEN_OF_SKU = _LIVE_OF_SKU.where(~_WRITTEN).limit(bindparam("most"))


class Enrolments(OfPersons):
    def __init__(self, connection: Connection, vault: Vault, identities: Identities) -> None:
        super().__init__(connection, vault, identities)
        self._live_of: dict[tuple[str, ...], list[Enrolment]] = {}

    def get(self, enrolment_id: str) -> Enrolment | None:
        row = self._one(tables.enrolments, enrolment_id=enrolment_id)
        return None if row is None else value_of(Enrolment, row)

    def save(self, enrolment: Enrolment) -> None:
        if not enrolment.live:
            tell(self._connection, of_enrolment(self.get(enrolment.enrolment_id), enrolment))
        self._live_of.clear()
        self._save(tables.enrolments, asdict(enrolment))

    def newest(self, journey: str, business_key: str) -> Enrolment | None:
        found = self._all(Enrolment, _NEWEST, {"journey": journey, "business_key": business_key})
        return found[0] if found else None

    def live_by_key(self, journey: str, business_key: str) -> Enrolment | None:
        newest = self.newest(journey, business_key)
        return newest if newest is not None and newest.live else None

    def live_of_customer(self, journey: str, customer_id: str) -> list[Enrolment]:
        return [enrolment for enrolment in self.live_of_person(customer_id) if enrolment.journey == journey]

    def live_of_person(self, customer_id: str) -> list[Enrolment]:
        ids = tuple(self._identities.all_of(customer_id))
        # Read once: an order or a withdrawn consent asks for them in the name of a dozen journeys.
        if ids not in self._live_of:
            self._live_of[ids] = self._all(Enrolment, _LIVE_OF_PERSON, {"ids": list(ids)})
        return self._live_of[ids]

    def of_customer(self, customer_id: str) -> list[Enrolment]:
        t = tables.enrolments
        of_person = t.c.customer_id.in_(self._identities.all_of(customer_id))
        return self._all(Enrolment, select(t).where(of_person).order_by(t.c.entered_at, t.c.enrolment_id))

    def live_of_cart(self, cart_id: str) -> list[Enrolment]:
        return self._all(Enrolment, _LIVE_OF_CART, {"cart_id": cart_id})

    def live_of_sku(self, journey: str, sku: str) -> list[Enrolment]:
        return self._all(Enrolment, _LIVE_OF_SKU, {"journey": journey, "sku": sku})

    def unwritten_of_sku(self, journey: str, sku: str, limit: int) -> list[Enrolment]:
        return self._all(Enrolment, _UNWRITTEN_OF_SKU, {"journey": journey, "sku": sku, "most": limit})

    def count_by_state(self) -> dict[tuple[str, str], int]:
        t = tables.enrolments
        rows = self._connection.execute(
            select(t.c.state, func.coalesce(t.c.outcome, ""), func.count()).group_by(t.c.state, t.c.outcome)
        )
        return {(state, outcome): count for state, outcome, count in rows}


def _engine_message(row: Row[Any]) -> EngineMessage:
    return EngineMessage(row.name, row.enrolment_id, row.message_id, row.time_to_live_s, row.variables)


class EngineMessages(Repository):
    def add(self, message: EngineMessage, at: datetime) -> None:
        dialect = postgresql if self._connection.dialect.name == "postgresql" else sqlite
        again = {"state": "waiting", "not_before_at": at, "attempts": 0, "settled_at": None}
        self._connection.execute(
            dialect.insert(tables.engine_messages)
            .values(
                name=message.name,
                message_id=message.message_id,
                enrolment_id=message.enrolment_id,
                time_to_live_s=message.time_to_live_s,
                variables=dict(message.variables),
                **again,
            )
            .on_conflict_do_update(index_elements=["name", "message_id"], set_=again)
        )

    def due(self, now: datetime, limit: int) -> list[QueuedMessage]:
        t = tables.engine_messages
        rows = self._connection.execute(
            select(t)
            .where(t.c.state == "waiting", t.c.not_before_at <= now)
            .order_by(t.c.not_before_at, t.c.queue_id)
            .limit(limit)
        )
        return [
            QueuedMessage(
                row.queue_id,
                _engine_message(row),
                row.attempts,
            )
            for row in rows
        ]

    def unclaimed_starts(self, published_before: datetime, limit: int) -> list[EngineMessage]:
        t, e = tables.engine_messages, tables.enrolments
        joined = select(t).join(e, t.c.enrolment_id == e.c.enrolment_id)
        # Written out, as in the index: SQLite uses a partial index only if it sees that the condition holds.
        entering = e.c.state == bindparam("entering", "entering", literal_execute=True)
        # A start message bears the id of its enrolment.
        is_start = t.c.message_id == t.c.enrolment_id
        published = and_(t.c.state == "published", t.c.settled_at < published_before)
        rows = self._connection.execute(
            joined.where(entering, is_start, published).order_by(e.c.entered_at).limit(limit)
        )
        return [_engine_message(row) for row in rows]

    def refused_starts(self, limit: int) -> list[tuple[str, str]]:
        t, e = tables.engine_messages, tables.enrolments
        # Written out, as in the index: SQLite uses a partial index only if it sees that the condition holds.
        entering = e.c.state == bindparam("entering", "entering", literal_execute=True)
        refused = and_(t.c.message_id == t.c.enrolment_id, t.c.state == "refused")
        found = select(t.c.enrolment_id, t.c.code).join(e, t.c.enrolment_id == e.c.enrolment_id)
        rows = self._connection.execute(found.where(entering, refused).order_by(e.c.entered_at).limit(limit))
        return [(enrolment_id, code) for enrolment_id, code in rows]

    def mark_published(self, queue_id: int, at: datetime) -> None:
        self._change(queue_id, state="published", settled_at=at)

    def postpone(self, queue_id: int, not_before_at: datetime) -> None:
        self._change(queue_id, not_before_at=not_before_at, attempts=tables.engine_messages.c.attempts + 1)

    def mark_refused(self, queue_id: int, code: str, at: datetime) -> None:
        self._change(queue_id, state="refused", code=code, settled_at=at)

    def refused(self, limit: int) -> list[RefusedMessage]:
        t = tables.engine_messages
        return self._all(
            RefusedMessage, select(t).where(t.c.state == "refused").order_by(t.c.settled_at, t.c.queue_id).limit(limit)
        )

    def send_again(self, queue_id: int, at: datetime) -> bool:
        t = tables.engine_messages
        again = {"state": "waiting", "not_before_at": at, "attempts": 0, "settled_at": None, "code": None}
        changed = self._connection.execute(
            update(t).where(t.c.queue_id == queue_id, t.c.state == "refused").values(**again)
        )
        return changed.rowcount == 1

    def count_due(self) -> int:
        t = tables.engine_messages
        return self._connection.scalar(select(func.count()).select_from(t).where(t.c.state == "waiting")) or 0

    def _change(self, queue_id: int, **values: object) -> None:
        t = tables.engine_messages
        self._connection.execute(update(t).where(t.c.queue_id == queue_id).values(**values))
