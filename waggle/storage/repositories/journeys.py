"""Who is in which journey, and what the engine is told."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Insert,
    Row,
    Text,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from waggle.domain.enrolment import Enrolment
from waggle.domain.outcome import of_enrolment
from waggle.domain.wave import Wave
from waggle.ports.journey_engine import EngineMessage
from waggle.ports.unit_of_work import QueuedMessage, RefusedMessage
from waggle.storage import tables
from waggle.storage.repositories.base import Repository, by_key, value_of
from waggle.storage.repositories.identities import Identities, OfPersons
from waggle.storage.repositories.streams import tell
from waggle.storage.tables import UtcTime
from waggle.storage.vault import Vault

_E = tables.enrolments.c
_LIVE = _E.state != literal_column("'ended'")
_NEWEST = by_key(tables.enrolments, ("journey", "business_key")).order_by(_E.entry.desc()).limit(1)
_LIVE_OF_CART = by_key(tables.enrolments, ("cart_id",)).where(_LIVE)
_LIVE_OF_PERSON = (
    select(tables.enrolments).where(_E.customer_id.in_(bindparam("ids", expanding=True)), _LIVE).order_by(_E.entered_at)
)
_WAITING_AFTER = tuple_(_E.entered_at, _E.enrolment_id) > tuple_(
    bindparam("after_at", type_=UtcTime()), bindparam("after_id", type_=Text())
)
_WAITING = (
    by_key(tables.enrolments, ("journey", "sku"))
    .where(_LIVE, _E.sku.is_not(None), _WAITING_AFTER, _E.entered_at <= bindparam("until"))
    .order_by(_E.entered_at, _E.enrolment_id)
    .limit(bindparam("most"))
)


_M = tables.engine_messages.c
# By time, as in the index: so it is not counted further than the question goes.
_WAITING_BEYOND = (
    select(_M.not_before_at)
    .where(_M.state == literal_column("'waiting'"))
    .order_by(_M.not_before_at)
    .limit(1)
    .offset(bindparam("most"))
)


@cache
def _queue(dialect: str) -> Insert:
    """Return what queues a message, and one that was queued before again."""
    statement: Any = {"postgresql": postgresql, "sqlite": sqlite}[dialect].insert(tables.engine_messages)
    again = {name: statement.excluded[name] for name in ("state", "not_before_at", "attempts", "settled_at")}
    queued: Insert = statement.on_conflict_do_update(index_elements=["name", "message_id"], set_=again)
    return queued


class Enrolments(OfPersons):
    def __init__(self, connection: Connection, vault: Vault, identities: Identities) -> None:
        super().__init__(connection, vault, identities)
        self._live_of: dict[tuple[str, ...], list[Enrolment]] = {}

    def prepare(self, enrolment_ids: Collection[str]) -> None:
        self._prepare(tables.enrolments, "enrolment_id", enrolment_ids)

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

    def waiting(self, wave: Wave, limit: int) -> list[Enrolment]:
        place = {name: getattr(wave, name) for name in ("journey", "sku", "after_at", "after_id", "until")}
        return self._all(Enrolment, _WAITING, {**place, "most": limit})

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
        self.add_all([message], at)

    def add_all(self, messages: Sequence[EngineMessage], at: datetime) -> None:
        if not messages:
            return
        again = {"state": "waiting", "not_before_at": at, "attempts": 0, "settled_at": None}
        rows = [
            {
                "name": message.name,
                "message_id": message.message_id,
                "enrolment_id": message.enrolment_id,
                "time_to_live_s": message.time_to_live_s,
                "variables": dict(message.variables),
                **again,
            }
            for message in messages
        ]
        self._connection.execute(_queue(self._connection.dialect.name), rows)

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

    def is_crowded(self, most: int) -> bool:
        return self._connection.scalar(_WAITING_BEYOND, {"most": most}) is not None

    def _change(self, queue_id: int, **values: object) -> None:
        t = tables.engine_messages
        self._connection.execute(update(t).where(t.c.queue_id == queue_id).values(**values))


class Waves(Repository):
    def oldest(self) -> Wave | None:
        t = tables.waves
        found = self._all(Wave, select(t).order_by(t.c.wave_id).limit(1).with_for_update())
        return found[0] if found else None

    def is_any(self, sku: str | None = None) -> bool:
        t = tables.waves
        found = select(t.c.wave_id).limit(1)
        return self._connection.scalar(found if sku is None else found.where(t.c.sku == sku)) is not None

    def save(self, wave: Wave) -> None:
        t = tables.waves
        row = {**asdict(wave), "variables": dict(wave.variables)}
        if row.pop("wave_id") is None:
            self._connection.execute(insert(t), row)
        else:
            self._connection.execute(update(t).where(t.c.wave_id == wave.wave_id).values(**row))

    def drop(self, wave_id: int) -> None:
        t = tables.waves
        self._connection.execute(delete(t).where(t.c.wave_id == wave_id))

    def count(self) -> int:
        return self._connection.scalar(select(func.count()).select_from(tables.waves)) or 0

    def oldest_at(self) -> datetime | None:
        # Who began to wait after a wave did is not its concern.
        oldest_at: datetime | None = self._connection.scalar(select(func.min(tables.waves.c.until)))
        return oldest_at
